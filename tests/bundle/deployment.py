"""The whole deployment on this machine: every function of the package, the engine in a process of its own, triggers.

Functions reach DynamoDB by boto3 and HTTP only. Streams are read as event source mappings read them, by the machinery
of the local driver; schedules come when a test says so.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib import bootstrap, clock, settings
from chalicelib.model import account
from chalicelib.storage import schema
from infra.bench import lambdas
from infra.local import engine as engines
from infra.local import stream
from tests import live

PREFIX = "bundle-"
_TRIGGERED = (
    (schema.MESSAGES, "Tally"),
    (schema.PUBLICATIONS, "FanOut"),
    (schema.DELIVERIES, "Deliver"),
    (schema.RESOURCES, "Purge"),
)
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


class Deployment:
    """The functions by their names in the template."""

    def __init__(
        self, sandbox: lambdas.Sandbox, handlers: Mapping[str, str], tables: Tables, url: str, folder: Path
    ) -> None:
        self.tables = tables
        self._handlers = handlers
        self.log = folder / "functions.log"
        self.log.touch()
        self._variables = {
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "OPENMNS_TABLE_PREFIX": PREFIX,
            "OPENMNS_EXPLAIN_SIGNATURES": "true",  # the operation suite asks for it
            "OPENMNS_PUSH_ALLOW": "127.0.0.0/8",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }
        self._sandbox = sandbox
        self._functions: dict[str, lambdas.Function] = {}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._mappings: list[stream.Stream] = []
        self._thread = threading.Thread(target=self._trigger)
        self.errors: list[Exception] = []

    def set_up(self) -> None:
        """What a deployment's first steps are: the tables, two accounts with a key each, the certificate of pushes."""
        from infra.local import certificates  # noqa: PLC0415  # cryptography is slow to import

        engines.make_tables(self.tables, PREFIX)
        made = bootstrap.build(settings.Settings(table_prefix=PREFIX), engine=self.tables)
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
                handler=lambda event, _, name=name: self.invoke(name, event),
                clock=clock.SystemClock(),
            )
            for table, name in _TRIGGERED
        ]
        self._thread.start()

    def announce(self, endpoint: str) -> None:
        """Tell the functions that push where the certificate is; before they are needed."""
        self._variables["OPENMNS_PUBLIC_URL"] = endpoint

    def function(self, name: str, **options: Any) -> lambdas.Function:
        """A function, made when it is first asked for; `options` are those of `lambdas.Function`, but `variables`
        come on top of the deployment's."""
        with self._lock:
            if name not in self._functions:
                variables = self._variables | options.pop("variables", {})
                options = {"handler": self._handlers.get(name), "log": self.log, **options}
                self._functions[name] = lambdas.Function(
                    name=name, sandbox=self._sandbox, variables=variables, **options
                )
            return self._functions[name]

    def invoke(self, name: str, event: Mapping[str, Any]) -> Any:
        return self.function(name, seconds=60).invoke(event)

    def schedule(self, name: str) -> Any:
        """The event of an EventBridge rule, as it comes each minute."""
        return self.invoke(
            name,
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": "123456789012",
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "region": "us-east-1",
                "resources": [f"arn:aws:events:us-east-1:123456789012:rule/openmns-dev-{name}"],
                "detail": {},
            },
        )

    def settle(self) -> None:
        """Hand over what the streams hold: afterwards the counts are those of this moment."""
        with self._lock:
            while [done for mapping in self._mappings for done in mapping.drain()]:
                pass

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        for function in self._functions.values():
            function.close()

    def _trigger(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            try:
                self.settle()
            except Exception as error:  # noqa: BLE001  # the tests look at them
                self.errors.append(error)
