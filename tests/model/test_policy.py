"""Policies: what a document may say, and what requests it lets through; the evaluator against a plain one."""

import ipaddress
import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import errors, policy
from chalicelib.model.policy import Effect

ORDERS = "acs:mns:cn-hangzhou:1234567890123456:/queues/orders"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements, version="1"):
    return json.dumps({"Version": version, "Statement": list(statements)})


def judged(text, action="mns:SendMessage", resource=ORDERS, **values):
    keys = {f"acs:{key}".lower(): [value] for key, value in values.items()}
    asked = policy.Asked(actions=(action,), resource=resource, values=lambda key: keys.get(key, ()))
    return policy.parse(text).judge(asked)


# --- Effects, actions, resources -------------------------------------------------------------------------------------


def test_what_nobody_mentions_is_not_allowed():
    assert judged(document({"Effect": "Allow", "Action": "mns:SendMessage", "Resource": ORDERS + "x"})) is None


def test_a_denial_wins_over_whatever_allows_in_any_order():
    deny = {"Effect": "Deny", "Action": "mns:Send*", "Resource": "*"}
    for statements in ([deny, ALLOW_ALL], [ALLOW_ALL, deny]):
        assert judged(document(*statements)) is Effect.DENY
        assert judged(document(*statements), action="mns:PeekMessage") is Effect.ALLOW


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("*", "mns:SendMessage", True),
        ("mns:*", "mns:SendMessage", True),
        ("mns:sendmessage", "mns:SendMessage", True),
        ("MNS:Send*", "mns:SendMessage", True),
        ("mns:*Message", "mns:SendMessage", True),
        ("mns:?endMessage", "mns:SendMessage", True),
        ("mns:*e*e*e*", "mns:SendMessage", True),
        ("mns:??endMessage", "mns:SendMessage", False),
        ("mns:Send", "mns:SendMessage", False),
        ("ram:*", "mns:SendMessage", False),
        ("mns:SendMessage*", "mns:SendMessage", True),
    ],
)
def test_actions_match_with_wildcards_in_any_case(pattern, action, matches):
    allowed = document({"Effect": "Allow", "Action": pattern, "Resource": "*"})
    assert (judged(allowed, action) is Effect.ALLOW) is matches
    but = document({"Effect": "Allow", "NotAction": ["ram:GetUser", pattern], "Resource": "*"})
    assert (judged(but, action) is Effect.ALLOW) is not matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        (ORDERS, True),
        ("acs:mns:*:*:/queues/orders", True),
        ("acs:mns:*:*:/queues/o?d*s", True),
        ("acs:mns:*:1234567890123456:*", True),
        ("acs:mns:*:*:/queues/Orders", False),  # resources are matched in their own case
        ("acs:mns:*:*:/queues/orders/messages", False),
        ("acs:mns:*:6543210987654321:*", False),
        ("acs:mns:*:*:/queues/order", False),
    ],
)
def test_resources_match_with_wildcards_in_their_own_case(pattern, matches):
    allowed = document({"Effect": "Allow", "Action": "mns:*", "Resource": ["acs:mns:*:*:/topics/*", pattern]})
    assert (judged(allowed) is Effect.ALLOW) is matches


def test_of_a_batch_either_name_may_be_allowed_and_either_may_be_denied():
    def batch(*statements):
        asked = policy.Asked(actions=("mns:SendMessage", "mns:BatchSendMessage"), resource=ORDERS)
        return policy.parse(document(*statements)).judge(asked)

    for name in ("mns:SendMessage", "mns:BatchSendMessage"):
        assert batch({"Effect": "Allow", "Action": name, "Resource": "*"}) is Effect.ALLOW
        assert batch(ALLOW_ALL, {"Effect": "Deny", "Action": name, "Resource": "*"}) is Effect.DENY
    assert batch({"Effect": "Allow", "Action": "mns:PeekMessage", "Resource": "*"}) is None


def test_a_pattern_of_many_stars_is_decided_at_once():
    pattern = "acs:mns:*:*:/queues/" + "*a" * 1_000
    started = time.monotonic()
    assert (
        judged(document({"Effect": "Allow", "Action": "*", "Resource": pattern}), resource=ORDERS + "a" * 500) is None
    )
    assert time.monotonic() - started < 1


# --- Conditions ------------------------------------------------------------------------------------------------------


def holds(operator, values, request, key="acs:Key"):
    conditioned = document(ALLOW_ALL | {"Condition": {operator: {key: values}}})
    asked = policy.Asked(actions=("mns:SendMessage",), resource=ORDERS, values=lambda name: {"acs:key": request}[name])
    return policy.parse(conditioned).judge(asked) is Effect.ALLOW


@pytest.mark.parametrize(
    ("operator", "values", "request_value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "A", "a", False),
        ("StringNotEquals", ["b", "a"], "a", False),
        ("StringNotEquals", ["b", "c"], "a", True),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*", "abc", True),
        ("StringLike", "a?", "abc", False),
        ("StringNotLike", ["x*", "a*"], "abc", False),
        ("NumericEquals", "5", "5.0", True),
        ("NumericEquals", 5, "5", True),
        ("NumericNotEquals", "5", "6", True),
        ("NumericLessThan", "5", "4", True),
        ("NumericLessThan", "5", "5", False),
        ("NumericLessThanEquals", "5", "5", True),
        ("NumericGreaterThan", "5", "5", False),
        ("NumericGreaterThanEquals", "5", "5", True),
        ("NumericEquals", "5", "five", False),
        ("DateEquals", "2024-01-02T03:04:05Z", "2024-01-02T11:04:05+08:00", True),
        ("DateNotEquals", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z", False),
        ("DateLessThan", "2024-01-02T03:04:05Z", "2024-01-02T03:04:04.999Z", True),
        ("DateLessThan", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z", False),
        ("DateLessThanEquals", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z", True),
        ("DateGreaterThan", "2024-01-02", "2024-01-02T00:00:01Z", True),
        ("DateGreaterThanEquals", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z", True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "TRUE", "false", False),
        ("Bool", ["false"], "false", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", ["192.0.2.1", "10.0.0.0/8"], "192.0.2.1", True),
        ("IpAddress", "10.1.2.3/8", "10.200.0.1", True),
        ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("IpAddress", "::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("IpAddress", "::ffff:10.0.0.0/104", "11.1.2.3", False),
        ("IpAddress", "::ffff:10.1.2.3", "::ffff:10.1.2.3", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "2001:db8::/32", "10.1.2.3", False),
        ("IpAddress", "10.0.0.0/8", "", False),
        ("NotIpAddress", ["192.0.2.1", "10.0.0.0/8"], "10.1.2.3", False),
        ("NotIpAddress", ["192.0.2.1", "10.0.0.0/8"], "11.1.2.3", True),
    ],
)
def test_an_operator_compares_what_the_request_has_with_each_value(operator, values, request_value, expected):
    assert holds(operator, values, [request_value]) is expected


@pytest.mark.parametrize("operator", policy.OPERATORS)
def test_a_key_that_the_request_does_not_have_meets_negated_conditions_only(operator):
    value = {"N": "1", "D": "2024-01-02", "B": "true", "I": "10.0.0.0/8"}.get(operator.removeprefix("Not")[0], "1")
    assert holds(operator, value, []) is ("Not" in operator)


def test_all_conditions_have_to_hold():
    text = document(
        ALLOW_ALL
        | {
            "Condition": {
                "IpAddress": {"acs:SourceIp": "10.0.0.0/8"},
                "Bool": {"acs:SecureTransport": "true", "acs:MFAPresent": "false"},
            }
        }
    )
    right = {"SourceIp": "10.1.1.1", "SecureTransport": "true", "MFAPresent": "false"}
    assert judged(text, **right) is Effect.ALLOW
    for wrong in ({"SourceIp": "11.1.1.1"}, {"SecureTransport": "false"}, {"MFAPresent": "true"}):
        assert judged(text, **right | wrong) is None


def test_the_names_of_keys_match_in_any_case():
    assert holds("StringEquals", "a", ["a"], key="ACS:kEY")


# --- Documents -------------------------------------------------------------------------------------------------------


def test_one_statement_may_stand_alone_and_one_value_without_a_list():
    alone = json.dumps({"Version": "1", "Statement": ALLOW_ALL})
    listed = document({"Effect": "Allow", "Action": ["*"], "Resource": ["*"], "Condition": {}})
    assert policy.parse(alone).statements == policy.parse(listed).statements


def bad(**changes):
    return document({name: value for name, value in {**ALLOW_ALL, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The document is not JSON"),
        ("[]", "The document should be an object."),
        ('{"Version": "1", "Version": "1"}', "'Version' is given twice."),
        ('{"Statement": []}', "The document has no Version."),
        ('{"Version": "1"}', "The document has no Statement."),
        ('{"Version": 1, "Statement": []}', 'Version should be "1".'),
        ('{"Version": "2012-10-17", "Statement": []}', 'Version should be "1".'),
        ('{"Version": "1", "Statement": []}', "Statement should be an object or a list of objects, one at least."),
        ('{"Version": "1", "Statement": [1]}', "Statement[0] should be an object."),
        ('{"Version": "1", "Statement": [], "Id": "x"}', "The document has the element 'Id'"),
        ('{"Version": "1", "Statement": NaN}', "NaN is no value."),
        ("[" * 5_000, "The document is not JSON"),
        (bad(Condition={"NumericEquals": {"\ud800": "x"}}), "The document is not JSON: 'utf-8' codec can't encode"),
        (bad(Resource="acs:mns:*:*:/queues/\udfff"), "The document is not JSON: 'utf-8' codec can't encode"),
        (document(*[ALLOW_ALL] * 200), "The document should have at most 6144 characters"),
        (bad(Effect="allow"), 'Statement[0].Effect should be "Allow" or "Deny".'),
        (bad(Effect=["Allow"]), 'Statement[0].Effect should be "Allow" or "Deny".'),
        (bad(Effect=None), "Statement[0] has no Effect."),
        (bad(Resource=None), "Statement[0] has no Resource."),
        (bad(Action=None), "Statement[0] should have either Action or NotAction."),
        (bad(NotAction="mns:*"), "Statement[0] should have either Action or NotAction."),
        (bad(Action=[]), "Statement[0].Action should not be empty."),
        (bad(Action=[1]), "Statement[0].Action should be a text or a list of texts."),
        (bad(Action="SendMessage"), "Statement[0].Action should be such as mns:SendMessage, not 'SendMessage'."),
        (bad(Resource="/queues/orders"), "Statement[0].Resource should be such as acs:mns:*:*:/queues/orders"),
        (bad(NotResource="*"), "Statement[0] has the element 'NotResource'"),
        (bad(Principal={"RAM": "*"}), "Statement[0] has a Principal, which is for the trust policies of roles."),
        (bad(Condition=[]), "Statement[0].Condition should be an object."),
        (bad(Condition={"StringIs": {}}), "Statement[0].Condition has the operator 'StringIs'; the operators are"),
        (bad(Condition={"StringEqualsIfExists": {"a": "b"}}), "has the operator 'StringEqualsIfExists'"),
        (bad(Condition={"Bool": "true"}), "Statement[0].Condition.Bool should be an object."),
        (bad(Condition={"Bool": {"k": []}}), "Statement[0].Condition.Bool.k should be a text or a list of texts."),
        (bad(Condition={"Bool": {"k": {}}}), "Statement[0].Condition.Bool.k should be a text or a list of texts."),
        (bad(Condition={"Bool": {"k": "yes"}}), "Statement[0].Condition.Bool.k: 'yes' is neither true nor false."),
        (bad(Condition={"NumericEquals": {"k": "1e"}}), "Condition.NumericEquals.k: '1e' is no number."),
        (bad(Condition={"DateEquals": {"k": "soon"}}), "'soon' is no moment such as 2026-01-31T12:00:00Z."),
        (bad(Condition={"IpAddress": {"k": "10.0.0.0/33"}}), "'10.0.0.0/33' does not appear to be an IPv4 or IPv6"),
    ],
)
def test_what_is_wrong_with_a_document_is_said_with_its_place(text, message):
    with pytest.raises(errors.MalformedPolicyDocument) as raised:
        policy.parse(text)
    assert message in raised.value.message


# --- Trust -----------------------------------------------------------------------------------------------------------


def trusting(*names, **changes):
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(names)}} | changes)


def test_a_role_trusts_whom_its_policy_names():
    trust = policy.parse_trust(trusting("acs:ram::1:user/ann", "acs:ram::2:root"))
    assert trust.trusts("acs:ram::1:user/ann", "1")
    assert not trust.trusts("acs:ram::1:user/bob", "1")
    assert trust.trusts("acs:ram::2:user/bob", "2")  # whoever the other account lets
    assert trust.trusts("acs:ram::2:role/worker", "2")
    assert not trust.trusts("acs:ram::3:user/ann", "3")


def test_conditions_and_denials_count_in_trust_too():
    guarded = trusting("acs:ram::2:root", Condition={"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}})
    at = {"10.1.1.1": True, "11.1.1.1": False}
    for address, expected in at.items():
        values = lambda key, address=address: {"acs:sourceip": [address]}.get(key, ())  # noqa: E731
        assert policy.parse_trust(guarded).trusts("acs:ram::2:user/ann", "2", values) is expected
    both = json.loads(trusting("acs:ram::2:root"))
    both["Statement"] += json.loads(trusting("acs:ram::2:user/eve", Effect="Deny"))["Statement"]
    trust = policy.parse_trust(json.dumps(both))
    assert [trust.trusts(f"acs:ram::2:user/{name}", "2") for name in ("ann", "eve")] == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document(ALLOW_ALL), "Statement[0] has the element 'Resource'"),
        (trusting(), "Statement[0].Principal.RAM should not be empty."),
        (trusting("*"), "Statement[0].Principal.RAM should be such as acs:ram::1234567890123456:root, not '*'."),
        (trusting("x", Principal={}), "Statement[0].Principal should name somebody."),
        (trusting("x", Principal={"AWS": "x"}), "Statement[0].Principal has the element 'AWS'"),
        (trusting("acs:ram::1:root", Action="mns:*"), "Statement[0].Action of a trust policy should be of sts"),
        (trusting("acs:ram::1:root", Resource="*"), "Statement[0] has the element 'Resource'"),
    ],
)
def test_what_is_wrong_with_a_trust_policy_is_said_too(text, message):
    with pytest.raises(errors.MalformedPolicyDocument) as raised:
        policy.parse_trust(text)
    assert message in raised.value.message


# --- Against a plain evaluator, written from the rules ---------------------------------------------------------------


def plainly_like(pattern, text):
    """`*` is any text, `?` one character; by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(plainly_like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and plainly_like(pattern[1:], text[1:])


def listed(item):
    return item if isinstance(item, list) else [item]


PLAIN = {
    "String": {
        "Equals": lambda given, value: given == value,
        "EqualsIgnoreCase": lambda given, value: given.lower() == value.lower(),
        "Like": lambda given, value: plainly_like(value, given),
    },
    "Numeric": {
        "Equals": lambda given, value: float(given) == float(value),
        "LessThan": lambda given, value: float(given) < float(value),
        "LessThanEquals": lambda given, value: float(given) <= float(value),
        "GreaterThan": lambda given, value: float(given) > float(value),
        "GreaterThanEquals": lambda given, value: float(given) >= float(value),
    },
}


def plainly_compares(name, given, value):
    name = name.replace("Not", "")
    if name == "Bool":
        return given == value
    if name == "IpAddress":
        return ipaddress.ip_address(given) in ipaddress.ip_network(value)
    if name.startswith("Date"):
        kind, convert = name.replace("Date", "Numeric"), lambda text: str(datetime.fromisoformat(text).timestamp())
        return plainly_compares(kind, convert(given), convert(value))
    family = "String" if name.startswith("String") else "Numeric"
    return PLAIN[family][name.removeprefix(family)](given, value)


def plainly_holds(name, key, values, request):
    given = request.get(key.lower(), [])
    any_matches = any(plainly_compares(name, one, value) for one in given for value in listed(values))
    return any_matches != ("Not" in name)


def plainly_applies(statement, actions, resource, request):
    names = listed(statement.get("Action", statement.get("NotAction")))
    named = any(plainly_like(name.lower(), action.lower()) for name in names for action in actions)
    return (
        named == ("Action" in statement)
        and any(plainly_like(pattern, resource) for pattern in listed(statement["Resource"]))
        and all(
            plainly_holds(name, key, values, request)
            for name, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def plainly_judged(statements, actions, resource, request):
    effects = {
        statement["Effect"] for statement in statements if plainly_applies(statement, actions, resource, request)
    }
    return Effect.DENY if "Deny" in effects else Effect.ALLOW if "Allow" in effects else None


ACTIONS = ["mns:SendMessage", "mns:BatchSendMessage", "mns:PeekMessage", "ram:GetUser"]
RESOURCES = ["acs:mns:r:1:/queues/a", "acs:mns:r:1:/queues/ab", "acs:mns:r:2:/queues/a", "acs:mns:r:1:/topics/a"]


@st.composite
def blurred(draw, texts):
    """One of these texts, with some of its characters made wildcards."""
    text = draw(st.sampled_from(texts))
    kept = text.index(":") + 1 if ":" in text else 0
    head, tail = text[:kept], list(text[kept:])
    for at in draw(st.lists(st.integers(0, len(tail) - 1), max_size=3)):
        tail[at] = draw(st.sampled_from(["*", "?", "**", ""])) if at else "*"
    return head + "".join(tail)


RESOURCE_PATTERNS = st.one_of(
    st.just("*"), blurred([text.removeprefix("acs:mns:r:") for text in RESOURCES]).map(lambda tail: f"acs:mns:*:{tail}")
).filter(lambda text: text == "*" or text.count(":") >= 4)
MOMENTS = ["2024-01-02T03:04:05Z", "2024-01-02T11:04:05+08:00", "2024-01-02T03:04:06Z"]
VALUES = {
    "String": ["a", "A", "ab", "b*", "?"],
    "Numeric": ["1", "2", "1.5", "-1"],
    "Date": MOMENTS,
    "Bool": ["true", "false"],
    "Ip": ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"],
}
GIVEN = VALUES | {"String": ["a", "A", "ab", "bcd"], "Ip": ["10.1.2.3", "10.2.2.3", "192.0.2.1", "2001:db8::1"]}


def family(name):
    return next(kind for kind in VALUES if name.removeprefix("Not").startswith(kind))


@st.composite
def conditions(draw):
    found = {}
    for name in draw(st.lists(st.sampled_from(policy.OPERATORS), max_size=2, unique=True)):
        kind = family(name)
        values = st.lists(st.sampled_from(VALUES[kind]), min_size=1, max_size=2)
        found[name] = draw(st.dictionaries(st.sampled_from([f"k:{kind}", f"K:{kind}2"]), values, min_size=1))
    return found


@st.composite
def statements(draw):
    patterns = st.one_of(st.just("*"), blurred(ACTIONS).filter(lambda text: not text.endswith(":")))
    actions = draw(st.one_of(patterns, st.lists(patterns, min_size=1, max_size=3)))
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): actions,
        "Resource": draw(st.one_of(RESOURCE_PATTERNS, st.lists(RESOURCE_PATTERNS, min_size=1, max_size=2))),
        "Condition": draw(conditions()),
    }


REQUESTS = st.fixed_dictionaries(
    {
        f"k:{kind}{number}".lower(): st.lists(st.sampled_from(GIVEN[kind]), max_size=2)
        for kind in GIVEN
        for number in ("", "2")
    }
)


@given(
    st.lists(statements(), min_size=1, max_size=5),
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=2, unique=True),
    st.sampled_from(RESOURCES),
    REQUESTS,
)
def test_it_judges_as_the_plain_evaluator_does(documented, actions, resource, request):
    asked = policy.Asked(actions=tuple(actions), resource=resource, values=lambda key: request.get(key, ()))
    expected = plainly_judged(documented, actions, resource, request)
    assert policy.parse(document(*documented)).judge(asked) is expected
    apart = [statement for item in documented for statement in policy.parse(document(item)).statements]
    assert policy.Policy(reversed(apart)).judge(asked) is expected  # however they are put together


def test_moments_without_a_zone_are_utc():
    assert policy._moment("2024-01-02T03:04:05") == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
