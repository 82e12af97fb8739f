"""The whole deployment on this machine: every function of the package, the engine in a process of its own, triggers.

Functions reach DynamoDB by boto3 and HTTP only. Streams are read as event source mappings read them, by the machinery
of the local driver; schedules come when a test says so.
"""

import contextlib
import functools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib import bootstrap, clock, settings
from chalicelib.model import account
from chalicelib.storage import schema
from infra.aws import functions
from infra.bench import lambdas
from infra.local import engine as engines
from infra.local import stream
from tests import live

PREFIX = "bundle-"
_STREAM_METHODS = frozenset({"describe_stream", "get_shard_iterator", "get_records", "list_streams"})
_PAUSE_SECONDS = 0.1  # between two readings of the streams; on AWS an event source mapping reads four times a second


class Tables:
    """boto3's clients of DynamoDB and its streams as one, as the local engines are."""

    def __init__(self, url: str) -> None:
        arguments: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "config": Config(account_id_endpoint_mode="disabled"),
        }
        session = boto3.session.Session()
        self._dynamodb = session.client("dynamodb", **arguments)
        self._streams = session.client("dynamodbstreams", **arguments)

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        return getattr(self._streams if name in _STREAM_METHODS else self._dynamodb, name)

    def close(self) -> None:
        self._dynamodb.close()
        self._streams.close()


class Stack:
    """What a template says of functions, and of what wakes them."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self._resources = {name: resource["Properties"] for name, resource in template["Resources"].items()}
        self._mappings = [
            resource["Properties"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Lambda::EventSourceMapping"
        ]

    def function(self, name: str) -> dict[str, Any]:
        """The arguments of `lambdas.Function`; of the environment what is the same in every deployment."""
        properties = self._resources[name]
        variables = properties["Environment"]["Variables"]
        return {
            "handler": properties["Handler"],
            "seconds": properties["Timeout"],
            "variables": {key: value for key, value in variables.items() if isinstance(value, str)},
        }

    def mappings(self) -> Iterator[tuple[schema.Table, str, int, list[Any]]]:
        """The tables whose streams are read, by which function, in batches of how many, and the filters' patterns."""
        tables = {f"{table.name.capitalize()}Table": table for table in schema.TABLES}
        for mapping in self._mappings:
            table, _ = mapping["EventSourceArn"]["Fn::GetAtt"]
            patterns = [json.loads(item["Pattern"]) for item in mapping["FilterCriteria"]["Filters"]]
            yield tables[table], mapping["FunctionName"]["Ref"], mapping["BatchSize"], patterns


class Deployment:
    """The functions by their names in the template."""

    def __init__(
        self, sandbox: lambdas.Sandbox, stack: Stack, tables: Tables, url: str, kms: lambdas.Kms, folder: Path
    ) -> None:
        self.tables = tables
        self._kms = kms
        self.url = url
        self._stack = stack
        self.log = folder / "functions.log"
        self.log.touch()
        self._variables = {
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            **kms.variables,
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "OPENMNS_TABLE_PREFIX": PREFIX,
            "OPENMNS_EXPLAIN_SIGNATURES": "true",  # the operation suite asks for it
            "OPENMNS_PUSH_ALLOW": "127.0.0.0/8",
            "OPENMNS_BUCKET_OWNERS": f"photos={live.OWNER.account_id}",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }
        self._sandbox = sandbox
        self._functions: dict[str, lambdas.Function] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._attended = threading.Event()
        self._mappings: list[stream.Stream] = []
        self._thread = threading.Thread(target=self._trigger)
        self.errors: list[Exception] = []

    def set_up(self) -> None:
        """What a deployment's first steps are: the tables, two accounts with a key each, the certificate of pushes."""
        from infra.local import certificates  # noqa: PLC0415  # cryptography is slow to import

        engines.make_tables(self.tables, PREFIX)
        made = bootstrap.build(
            settings.Settings(table_prefix=PREFIX, kms_key=self._kms.key_id),
            engine=self.tables,
            services=self._kms.services,
        )
        for key in (live.OWNER, live.OTHER):
            made.verbs.identities.add_key(
                account.AccessKey(access_key_id=key.access_key_id, secret=key.secret, account_id=key.account_id)
            )
        made.verbs.identities.set_certificate(certificates.make())
        self._mappings = [
            stream.Stream(
                engine=self.tables,
                prefix=PREFIX,
                table=table,
                handler=functools.partial(self._hand_over, name, patterns),
                clock=clock.SystemClock(),
                batch=batch,
            )
            for table, name, batch, patterns in self._stack.mappings()
        ]
        self._thread.start()

    def announce(self, endpoint: str) -> None:
        """Tell the functions that push where the certificate is; before they are needed."""
        self._variables["OPENMNS_PUBLIC_URL"] = endpoint

    def function(self, name: str) -> lambdas.Function:
        """A function of the template, made when it is first asked for."""
        with self._lock:
            if name not in self._functions:
                self.another(name, self._stack.function(name))
            return self._functions[name]

    def another(self, name: str, options: Mapping[str, Any], **more: Any) -> lambdas.Function:
        """A function of its own, with the arguments of `lambdas.Function`; its variables come on top of ours."""
        arguments = {"log": self.log, **options, **more}
        arguments["variables"] = self._variables | options.get("variables", {}) | more.get("variables", {})
        self._functions[name] = lambdas.Function(name=name, sandbox=self._sandbox, **arguments)
        return self._functions[name]

    def invoke(self, name: str, event: Mapping[str, Any]) -> Any:
        return self.function(name).invoke(event)

    def _hand_over(self, name: str, patterns: list[Any], event: Mapping[str, Any], _: None) -> Any:
        """Invoke a function with those records that its mapping lets pass, if there are any."""
        records = [
            record for record in event["Records"] if any(functions.matches(pattern, record) for pattern in patterns)
        ]
        return self.invoke(name, {"Records": records}) if records else {"batchItemFailures": []}

    def schedule(self, name: str) -> None:
        """The event of an EventBridge rule, as it comes each minute; the function may go on for most of it."""
        threading.Thread(target=self._run, args=(name,), daemon=True).start()

    def _run(self, name: str) -> None:
        with contextlib.suppress(lambdas.FunctionError):  # that it has been closed meanwhile
            self.invoke(name, _minute(name))

    @contextlib.contextmanager
    def attended(self) -> Iterator[None]:
        """Read the streams meanwhile; while nobody looks, other tests need not pay for it."""
        self._attended.set()
        try:
            yield
        finally:
            self._attended.clear()

    def settle(self) -> None:
        """Hand over what the streams hold: afterwards the counts are those of this moment."""
        with self._lock:
            while [done for mapping in self._mappings for done in mapping.drain()]:
                pass

    def close(self) -> None:
        self._ended.set()
        self._attended.set()
        if self._thread.is_alive():
            self._thread.join()
        for function in self._functions.values():
            function.close()

    def _trigger(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self._attended.wait()
            try:
                self.settle()
            except Exception as error:  # noqa: BLE001  # the tests look at them
                self.errors.append(error)


def _minute(name: str) -> dict[str, Any]:
    """What EventBridge sends to the target of a rule."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [f"arn:aws:events:us-east-1:123456789012:rule/openmns-dev-{name}"],
        "detail": {},
    }
