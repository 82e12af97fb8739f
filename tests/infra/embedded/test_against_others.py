"""The engine against other DynamoDB implementations, by random calls: moto in this process, dynalite beside it.

Both sides get the same calls; items, errors, index results, conditions and (with dynalite) capacity units must agree.
OPENMNS_DIFFERENTIAL_EXAMPLES asks for that many random sequences instead of the few fixed ones.

Left out, because the others are known to differ from AWS there:
    moto      consumed capacity, time to live, limits of batches, index keys of the wrong type, NULL and absent
              attributes, size() of an absent one, contains() of binaries, nested paths into values that are no
              documents, what a refused update leaves behind
    dynalite  transactions, streams, items shown by a failed condition, write units of indexes, reading nothing
"""

import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
from typing import Any

import boto3
import moto
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from infra.embedded import engine as embedded
from infra.embedded import sizes

EXAMPLES = int(os.environ.get("OPENMNS_DIFFERENTIAL_EXAMPLES", "0"))
NODE_MODULES = pathlib.Path(__file__).parents[3] / "tests" / "node" / "node_modules"
DYNALITE = pathlib.Path(os.environ.get("OPENMNS_DYNALITE", NODE_MODULES / "dynalite" / "cli.js"))
CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
SETS = {"SS", "NS", "BS"}
CRASHED = "crashed"
# An absent attribute equals NULL there and has no size; binaries are searched in their base64 form.
MOTO_AVOIDS = ('"NULL"', "size(", "b'b'")
MOTO_CRASHES = (ValueError, TypeError, AttributeError, KeyError, IndexError)  # its own, from within an expression


@dataclasses.dataclass
class Peer:
    """Another implementation and what it can be compared on."""

    client: Any
    has_transactions: bool = False
    shows_failed_items: bool = False
    has_capacity: bool = False
    checks_batches: bool = False
    checks_paths: bool = False
    undoes_failed_updates: bool = False
    crashes: tuple[type[Exception], ...] = ()
    avoids: tuple[str, ...] = ()
    tables_made: int = 0


@pytest.fixture(scope="module")
def moto_peer():
    with moto.mock_aws():
        yield Peer(
            boto3.client("dynamodb", **CREDENTIALS),
            has_transactions=True,
            shows_failed_items=True,
            crashes=MOTO_CRASHES,
            avoids=MOTO_AVOIDS,
        )


@pytest.fixture(scope="module")
def dynalite_peer():
    if not DYNALITE.exists() or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("dynalite is not installed, and CI runs every peer")
        pytest.skip("dynalite is not installed (make test does it)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["node", DYNALITE, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--createTableMs", "0", "--deleteTableMs", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our choice
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10)
    client = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}", config=config, **CREDENTIALS)
    try:
        _wait_until_it_answers(client)
        yield Peer(client, has_capacity=True, checks_batches=True, checks_paths=True, undoes_failed_updates=True)
    finally:
        client.close()
        process.terminate()
        process.wait(10)


def _wait_until_it_answers(client):
    pause = threading.Event()
    for _ in range(200):
        try:
            client.list_tables()
        except EndpointConnectionError:
            pause.wait(0.05)
        else:
            return
    pytest.fail("dynalite did not start")


KEYS = st.builds(lambda p, s: {"p": {"S": p}, "s": {"N": s}}, st.sampled_from("ab"), st.sampled_from(["-1.5", "2"]))
STRINGS = st.sampled_from(["a", "ab", "b", "990", "3000"]).map(lambda text: "x" * int(text) if text.isdigit() else text)
NUMBERS = st.sampled_from(["-12", "-11", "-1.5", "0", "0.25", "2", "10", "123456789012345678901234567890"])
BINARIES = st.sampled_from([b"a", b"ab", b"\x00\xff"])
SCALARS = st.one_of(
    st.builds(lambda v: {"S": v}, STRINGS),
    st.builds(lambda v: {"N": v}, NUMBERS),
    st.builds(lambda v: {"B": v}, BINARIES),
    st.builds(lambda v: {"BOOL": v}, st.booleans()),
    st.just({"NULL": True}),
)
COLLECTIONS = st.one_of(
    st.builds(lambda v: {"SS": sorted(v)}, st.sets(STRINGS, min_size=1, max_size=2)),
    st.builds(lambda v: {"NS": sorted(v)}, st.sets(NUMBERS, min_size=1, max_size=2)),
    st.builds(lambda v: {"L": v}, st.lists(SCALARS, max_size=3)),
    st.builds(lambda v: {"M": v}, st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2)),
)
VALUES = st.one_of(SCALARS, COLLECTIONS)
INDEX_ATTRIBUTES = {
    "l": st.builds(lambda v: {"S": v}, st.sampled_from(["a", "ab", "b"])),
    "m": st.builds(lambda v: {"N": v}, NUMBERS),
    "g": st.builds(lambda v: {"S": v}, st.sampled_from("gh")),
}
ATTRIBUTES = st.fixed_dictionaries({}, optional={**INDEX_ATTRIBUTES, "v": VALUES, "w": VALUES, "x": VALUES})
NESTED = ("v.x", "w[1]", "v[0]")
PATHS = st.sampled_from(["v", "w", "x", "l", "m", "v.x", "w[1]", "x.y", "v[0]"])
ORDERED = st.one_of(st.builds(lambda v: {"S": v}, STRINGS), st.builds(lambda v: {"N": v}, NUMBERS))


SEEDS = [
    {
        "p": {"S": "a"},
        "s": {"N": "-1.5"},
        "l": {"S": "ab"},
        "m": {"N": "-12"},
        "g": {"S": "g"},
        "v": {"SS": ["a", "b"]},
        "w": {"L": [{"S": "a"}, {"N": "2"}]},
        "x": {"M": {"x": {"S": "ab"}, "y": {"N": "2"}}},
    },
    {
        "p": {"S": "a"},
        "s": {"N": "2"},
        "l": {"S": "a"},
        "m": {"N": "-11"},
        "g": {"S": "g"},
        "v": {"N": "10"},
        "w": {"NS": ["2", "10"]},
        "x": {"S": "ab"},
    },
    {
        "p": {"S": "b"},
        "s": {"N": "2"},
        "l": {"S": "b"},
        "m": {"N": "2"},
        "g": {"S": "h"},
        "v": {"L": [{"N": "2"}, {"S": "a"}]},
        "w": {"S": "a"},
        "x": {"B": b"ab"},
    },
]


def _atom(path, kind, value, ordered, more):  # noqa: PLR0911 - one return per kind
    """A condition and the values it needs."""
    match kind:
        case "exists":
            return f"attribute_exists({path})", []
        case "missing":
            return f"attribute_not_exists({path})", []
        case "type":
            return f"attribute_type({path}, {{}})", [{"S": next(iter(value))}]
        case "begins":
            return f"begins_with({path}, {{}})", [{"S": "a"}]
        case "contains":
            return f"contains({path}, {{}})", [{"S": "a"} if len(repr(more)) % 2 else {"N": "2"}]
        case "size":
            return f"size({path}) >= {{}}", [{"N": "2"}]
        case "in":
            return f"{path} IN ({{}}, {{}})", [ordered, {"S": "a"}]
        case "between":
            low, high = sorted([ordered, ordered], key=str)
            return f"{path} BETWEEN {{}} AND {{}}", [low, high]
        case "=" | "<>":
            return f"{path} {kind} {{}}", [value]
    return f"{path} {kind} {{}}", [ordered]


APT_ATOMS = [  # what is true of a seed
    ("contains(v, {})", [{"S": "a"}]),
    ("contains(w, {})", [{"N": "2"}]),
    ("contains(x, {})", [{"S": "b"}]),
    ("contains(x, {})", [{"B": b"b"}]),
    ("begins_with(x, {})", [{"S": "a"}]),
    ("size(v) = {}", [{"N": "2"}]),
    ("x.y = {}", [{"N": "2"}]),
    ("w[1] < {}", [{"N": "2"}]),
    ("v < {}", [{"N": "10"}]),
    ("v <= {}", [{"N": "10"}]),
    ("v > {}", [{"N": "2"}]),
    ("v = {}", [{"SS": ["b", "a"]}]),
    ("attribute_type(w, {})", [{"S": "NS"}]),
]
RANDOM_ATOMS = st.builds(
    _atom,
    PATHS,
    st.sampled_from(
        ["exists", "missing", "type", "begins", "contains", "size", "in", "between", "=", "<>", "<", "<=", ">", ">="]
    ),
    VALUES,
    ORDERED,
    SCALARS,
)
ATOMS = st.one_of(st.sampled_from(APT_ATOMS), RANDOM_ATOMS)
SAFE_CONDITIONS = st.builds(_atom, PATHS, st.sampled_from(["exists", "missing", "="]), VALUES, ORDERED, SCALARS)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda one, two: (f"{one[0]} AND {two[0]}", one[1] + two[1]), ATOMS, inner),
        st.builds(lambda one, two: (f"{one[0]} OR {two[0]}", one[1] + two[1]), ATOMS, inner),
        st.builds(lambda one: (f"NOT {one[0]}", one[1]), ATOMS),
    ),
    max_leaves=3,
)


def _clause(path, kind, value, number, strings):  # noqa: PLR0911 - one return per kind
    match kind:
        case "set":
            return "SET", f"{path} = {{}}", [value]
        case "copy":
            return "SET", f"{path} = if_not_exists(x, {{}})", [value]
        case "plus":
            return "SET", f"{path} = {path} + {{}}", [{"N": number}]
        case "minus":
            return "SET", f"{path} = if_not_exists({path}, {{}}) - {{}}", [{"N": number}, {"N": "1"}]
        case "append":
            return "SET", f"{path} = list_append({path}, {{}})", [{"L": [value]}]
        case "remove":
            return "REMOVE", path, []
        case "add":
            return "ADD", f"{path} {{}}", [{"N": number}]
        case "unite":
            return "ADD", f"{path} {{}}", [{"SS": sorted(strings)}]
    return "DELETE", f"{path} {{}}", [{"SS": sorted(strings)}]


def _update(clauses):
    """An update expression and the values it needs, from clauses on different attributes."""
    sections: dict[str, list] = {}
    for section, text, values in clauses:
        sections.setdefault(section, []).append((text, values))
    text = " ".join(f"{section} {', '.join(part for part, _ in parts)}" for section, parts in sections.items())
    return text, [value for parts in sections.values() for _, values in parts for value in values]


def _indexed(name):
    return st.one_of(
        st.builds(lambda value: ("SET", f"{name} = {{}}", [value]), INDEX_ATTRIBUTES[name]),
        st.just(("REMOVE", name, [])),
    )


PLAIN_KINDS = ["set", "copy", "plus", "minus", "append", "remove", "add", "unite", "delete"]
APT_CLAUSES = [  # what fits the seeds
    ("DELETE", "v {}", [{"SS": ["a"]}]),
    ("DELETE", "v {}", [{"SS": ["a", "b"]}]),
    ("ADD", "v {}", [{"SS": ["a", "z"]}]),
    ("ADD", "v {}", [{"N": "-10"}]),
    ("DELETE", "w {}", [{"NS": ["10"]}]),
    ("ADD", "w {}", [{"NS": ["10", "-1.5"]}]),
    ("SET", "w = list_append(w, {})", [{"L": [{"S": "z"}]}]),
    ("SET", "v = v - {}", [{"N": "0.25"}]),
    ("SET", "w = x", []),
]
CLAUSES = st.one_of(
    st.sampled_from(APT_CLAUSES),
    st.sampled_from(APT_CLAUSES),
    *(_indexed(name) for name in INDEX_ATTRIBUTES),
    st.builds(
        _clause,
        st.sampled_from(["v", "w", *NESTED]),
        st.sampled_from(PLAIN_KINDS),
        VALUES,
        NUMBERS,
        st.sets(STRINGS, min_size=1, max_size=2),
    ),
)
UPDATES = st.lists(
    CLAUSES, min_size=1, max_size=3, unique_by=lambda clause: clause[1].split(" ")[0].split(".")[0].split("[")[0]
).map(_update)


def _numbered(text, values, start=0):
    """Fill in value names; returns the text and the values by name."""
    names = [f":v{start + position}" for position in range(len(values))]
    return text.format(*names), dict(zip(names, values, strict=True))


def _conditional(condition, request):
    if condition is not None:
        text, values = _numbered(*condition, start=50)
        request["ConditionExpression"] = text
        request["ExpressionAttributeValues"] = {**request.get("ExpressionAttributeValues", {}), **values}
    if not request.get("ExpressionAttributeValues", True):
        del request["ExpressionAttributeValues"]
    return request


def _comparable(value):
    """A value with its sets in one order."""
    if isinstance(value, dict):
        return {
            name: sorted(inner) if name in SETS and isinstance(inner, list) else _comparable(inner)
            for name, inner in value.items()
        }
    return [_comparable(inner) for inner in value] if isinstance(value, list) else value


def _outcome(peer, method, request):
    """What a call did, in a form that can be compared."""
    try:
        response = method(**request)
    except ClientError as error:
        outcome = {"error": error.response["Error"]["Code"]}
        if peer.shows_failed_items:
            outcome["item"] = _comparable(error.response.get("Item"))
            reasons = error.response.get("CancellationReasons", [])
            outcome["reasons"] = [reason["Code"] for reason in reasons]
        return outcome
    except peer.crashes:
        return CRASHED
    outcome = {
        name: _comparable(response.get(name)) for name in ("Attributes", "Item", "Responses") if name in response
    }
    consumed = response.get("ConsumedCapacity")
    if peer.has_capacity and consumed is not None:
        outcome["units"] = consumed["Table"]["CapacityUnits"]
    return outcome


class Differential(RuleBasedStateMachine):
    """The same calls to the engine and to a peer."""

    peer: Peer

    @initialize()
    def make_tables(self):
        self.peer.tables_made += 1
        self.table = f"things{self.peer.tables_made}"
        self.engine = embedded.EmbeddedEngine(None, now=lambda: 1_700_000_000_000)
        keys = [{"AttributeName": "p", "KeyType": "HASH"}]
        request = {
            "TableName": self.table,
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in (("p", "S"), ("s", "N"), ("l", "S"), ("m", "N"), ("g", "S"))
            ],
            "KeySchema": [*keys, {"AttributeName": "s", "KeyType": "RANGE"}],
            "BillingMode": "PAY_PER_REQUEST",
            "LocalSecondaryIndexes": [
                {
                    "IndexName": "by-l",
                    "KeySchema": [*keys, {"AttributeName": "l", "KeyType": "RANGE"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                },
                {
                    "IndexName": "by-m",
                    "KeySchema": [*keys, {"AttributeName": "m", "KeyType": "RANGE"}],
                    "Projection": {"ProjectionType": "ALL"},
                },
            ],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-g",
                    "KeySchema": [
                        {"AttributeName": "g", "KeyType": "HASH"},
                        {"AttributeName": "m", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["v"]},
                }
            ],
        }
        for client in (self.engine, self.peer.client):
            client.create_table(**request)
        while self.peer.client.describe_table(TableName=self.table)["Table"]["TableStatus"] != "ACTIVE":
            pass
        for item in SEEDS:
            self.both("put_item", Item=item)

    def teardown(self):
        if hasattr(self, "engine"):
            self.engine.close()
            self.peer.client.delete_table(TableName=self.table)

    def both(self, method, **request):
        """Call both sides and compare what came of it; returns that, or an error if they were not compared."""
        request = {"TableName": self.table, **request}
        if self.peer.has_capacity and method != "transact_write_items":
            request["ReturnConsumedCapacity"] = "INDEXES"
        if method in ("transact_write_items", "batch_write_item"):
            del request["TableName"]
        if self._is_avoided(request):
            return {"error": CRASHED}
        theirs = _outcome(self.peer, getattr(self.peer.client, method), request)
        if theirs == CRASHED:
            return {"error": CRASHED}
        ours = _outcome(self.peer, getattr(self.engine, method), request)
        assert ours == theirs, f"{method} {json.dumps(request, default=repr)}"
        return ours

    def _is_avoided(self, request):
        text = json.dumps(request, default=repr)
        return any(part in text for part in self.peer.avoids)

    @rule(key=KEYS, attributes=ATTRIBUTES, condition=st.none() | CONDITIONS)
    def put(self, key, attributes, condition):
        request = _conditional(condition, {"Item": {**key, **attributes}, "ReturnValues": "ALL_OLD"})
        self.both("put_item", **request, ReturnValuesOnConditionCheckFailure="ALL_OLD")

    @rule(key=KEYS, condition=st.none() | CONDITIONS)
    def delete(self, key, condition):
        request = _conditional(condition, {"Key": key, "ReturnValues": "ALL_OLD"})
        self.both("delete_item", **request, ReturnValuesOnConditionCheckFailure="ALL_OLD")

    @rule(
        key=KEYS,
        update=UPDATES,
        condition=st.none() | CONDITIONS,
        returned=st.sampled_from(["ALL_OLD", "ALL_NEW", "NONE"]),
    )
    def update(self, key, update, condition, returned):
        text, values = _numbered(*update)
        if not self.peer.checks_paths and any(path in text for path in NESTED):
            return
        request = {"Key": key, "UpdateExpression": text, "ExpressionAttributeValues": values, "ReturnValues": returned}
        request = _conditional(condition, request)
        outcome = self.both("update_item", **request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        if "error" in outcome and not self.peer.undoes_failed_updates:
            self._copy_to_peer(key)

    def _copy_to_peer(self, key):
        item = self.engine.get_item(TableName=self.table, Key=key).get("Item")
        if item is None:
            self.peer.client.delete_item(TableName=self.table, Key=key)
        else:
            self.peer.client.put_item(TableName=self.table, Item=item)

    @rule(
        key=KEYS, projection=st.none() | st.lists(st.sampled_from(["p", "v", "w[1]", "x.y"]), min_size=1, unique=True)
    )
    def get(self, key, projection):
        shown = {} if projection is None else {"ProjectionExpression": ", ".join(projection)}
        self.both("get_item", Key=key, ConsistentRead=True, **shown)

    @rule(first=KEYS, second=KEYS, attributes=ATTRIBUTES)
    def batch(self, first, second, attributes):
        if first == second and not self.peer.checks_batches:
            return
        requests = [{"PutRequest": {"Item": {**first, **attributes}}}, {"DeleteRequest": {"Key": second}}]
        request = {"RequestItems": {self.table: requests}}
        if self._is_avoided(request):
            return
        ours, theirs = (
            _outcome(dataclasses.replace(self.peer, has_capacity=False), client.batch_write_item, request)
            for client in (self.engine, self.peer.client)
        )
        assert ours == theirs

    @rule(first=KEYS, second=KEYS, attributes=ATTRIBUTES, condition=SAFE_CONDITIONS)
    def transact(self, first, second, attributes, condition):
        if not self.peer.has_transactions:
            return
        put = _conditional(condition, {"TableName": self.table, "Item": {**first, **attributes}})
        actions = [{"Put": put}, {"Delete": {"TableName": self.table, "Key": second}}]
        self.both("transact_write_items", TransactItems=actions)

    @rule(
        index=st.sampled_from([(None, "p", "s"), ("by-l", "p", "l"), ("by-m", "p", "m"), ("by-g", "g", "m")]),
        partition=st.sampled_from("abgh"),
        comparison=st.none() | st.sampled_from(["=", "<", "<=", ">", ">="]),
        bound=st.data(),
        forward=st.booleans(),
        limit=st.none() | st.integers(1, 3),
        condition=st.none() | CONDITIONS,
    )
    def query(self, index, partition, comparison, bound, forward, limit, condition):
        name, hash_key, range_key = index
        request = {
            "TableName": self.table,
            "KeyConditionExpression": f"{hash_key} = :p",
            "ExpressionAttributeValues": {":p": {"S": partition}},
            "ScanIndexForward": forward,
        }
        if name is not None:
            request["IndexName"] = name
        if limit is not None:
            request["Limit"] = limit
        if comparison is not None:
            domain = INDEX_ATTRIBUTES["l"] if range_key == "l" else INDEX_ATTRIBUTES["m"]
            request["KeyConditionExpression"] += f" AND {range_key} {comparison} :r"
            request["ExpressionAttributeValues"][":r"] = bound.draw(domain)
        if condition is not None and "(l" not in condition[0] and not {"l", "m"} & set(condition[0].split()):
            text, values = _numbered(*condition, start=50)
            if "(m" not in text:
                request["FilterExpression"] = text
                request["ExpressionAttributeValues"] |= values
        if self._is_avoided(request):
            return
        theirs = self._pages(self.peer.client, request, range_key)
        if theirs == CRASHED:
            return
        ours = self._pages(self.engine, request, range_key)
        assert ours == theirs, json.dumps(request, default=repr)

    def _pages(self, client, request, range_key):
        """The order of sort keys, all items in one order, and the number looked at; or the error."""
        items, looked_at, units, start = [], 0, [], {}
        capacity = {"ReturnConsumedCapacity": "INDEXES"} if self.peer.has_capacity else {}
        while True:
            try:
                page = client.query(**request, **start, **capacity)
            except ClientError as error:
                return error.response["Error"]["Code"]
            except self.peer.crashes:
                return CRASHED
            items += page["Items"]
            looked_at += page["ScannedCount"]
            if page["ScannedCount"] and self.peer.has_capacity:
                units.append(page["ConsumedCapacity"]["CapacityUnits"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        in_one_order = sorted((_comparable(item) for item in items), key=repr_sorted)
        return (
            [item[range_key] for item in items],
            in_one_order,
            looked_at,
            sum(units) if "Limit" not in request else None,
        )


def repr_sorted(item):
    """A text by which items can be put in order."""
    return json.dumps(item, sort_keys=True, default=repr)


def compare(peer):
    machine = type("Comparison", (Differential,), {"peer": peer})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES or 40,
            stateful_step_count=25,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_engine_agrees_with_moto(moto_peer):
    compare(moto_peer)


def test_the_engine_agrees_with_dynalite(dynalite_peer):
    compare(dynalite_peer)


MEASURED = [
    *({"N": number} for number in ("0", "1", "12", "120", "-7", "-12.5", "0.5", "0.012", "100200", "1" + "0" * 30)),
    {"S": ""},
    {"B": b"abc"},
    {"BOOL": True},
    {"NULL": True},
    {"SS": ["a", "bcd"]},
    {"NS": ["1", "-20.5"]},
    {"BS": [b"a", b"bc"]},
    {"L": []},
    {"L": [{"S": "a"}, {"L": [{"N": "12"}]}]},
    {"M": {}},
    {"M": {"name": {"S": "a"}, "inner": {"M": {"x": {"NULL": True}}}}},
]


def test_sizes_agree_with_dynalite_to_the_byte(dynalite_peer):
    client = dynalite_peer.client
    client.create_table(
        TableName="measured",
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    while client.describe_table(TableName="measured")["Table"]["TableStatus"] != "ACTIVE":
        pass
    units = []
    for position, value in enumerate(MEASURED):
        item = {"p": {"S": f"{position:02d}"}, "v": value, "pad": {"S": ""}}
        for target in (1024, 1025):
            item["pad"] = {"S": "x" * (target - sizes.item({**item, "pad": {"S": ""}}))}
            response = client.put_item(TableName="measured", Item=item, ReturnConsumedCapacity="TOTAL")
            units.append((value, response["ConsumedCapacity"]["CapacityUnits"]))
    assert units == [(value, expected) for value in MEASURED for expected in (1, 2)]
