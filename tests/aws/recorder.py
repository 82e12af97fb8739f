"""A pytest plugin that notes what each deployed function asks of AWS while tests run: `-p tests.aws.recorder`.

It stands between application and engine, where a composition root hands both over, and knows by the entry points which
function is at work. What a thread does for a function after it has answered counts for the function, as on Lambda.
"""

import functools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.api import door, workers
from chalicelib.model import limits
from infra.aws import functions

_NAMES = {
    "put_item": "dynamodb:PutItem",
    "get_item": "dynamodb:GetItem",
    "update_item": "dynamodb:UpdateItem",
    "delete_item": "dynamodb:DeleteItem",
    "query": "dynamodb:Query",
    "batch_get_item": "dynamodb:BatchGetItem",
    "batch_write_item": "dynamodb:BatchWriteItem",
}
_IN_TRANSACTIONS = {  # what a transaction does is what has to be granted
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}


class Record:
    """The calls seen: function, action, resource."""

    def __init__(self) -> None:
        self.calls: set[tuple[str, str, str]] = set()
        self._main = threading.main_thread()
        self._now: str | None = None
        self._last: str | None = None

    def within(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, made as one function."""

        @functools.wraps(call)
        def run(*arguments: Any, **named: Any) -> Any:
            before, self._now = self._now, name
            self._last = name
            if name != functions.API:
                bootstrap.application().forget()  # the functions are processes of their own, and share no caches
            try:
                return call(*arguments, **named)
            finally:
                self._now = before

        return run

    def add(self, action: str, resource: str) -> None:
        """Note a call; what a test does by itself is nobody's."""
        is_main = threading.current_thread() is self._main
        function = self._now or (None if is_main else self._last)
        if function is not None:
            self.calls.add((function, action, resource))


class RecordedEngine:
    """An engine that notes what passes through."""

    def __init__(self, engine: Any, record: Record, prefix: str) -> None:
        self._engine = engine
        self._record = record
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        def call(**arguments: Any) -> Any:
            for action, resource in self._asked(name, arguments):
                self._record.add(action, resource.removeprefix(self._prefix))
            return method(**arguments)

        return call if name in _NAMES or name.startswith("transact_") else method

    def _asked(self, name: str, arguments: dict[str, Any]) -> list[tuple[str, str]]:
        if name in ("batch_get_item", "batch_write_item"):
            return [(_NAMES[name], table) for table in arguments["RequestItems"]]
        if name.startswith("transact_"):
            return [
                (_IN_TRANSACTIONS[kind], asked["TableName"])
                for entry in arguments["TransactItems"]
                for kind, asked in entry.items()
            ]
        index = f"/index/{arguments['IndexName']}" if "IndexName" in arguments else ""
        return [(_NAMES[name], arguments["TableName"] + index)]


class RecordedService:
    """A client of another AWS service that notes what passes through."""

    def __init__(self, client: Any, service: str, record: Record) -> None:
        self._client = client
        self._service = service
        self._record = record

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            operation = arguments[0] if name == "get_paginator" else name
            action = "".join(part.capitalize() for part in operation.split("_"))
            self._record.add(f"{self._service}:{action}", "*")
            return method(*arguments, **named)

        return call


class RecordedVault:
    """A vault that notes what KMS would be asked for."""

    def __init__(self, vault: Any, record: Record) -> None:
        self._vault = vault
        self._record = record

    def seal(self, plain: bytes, **named: Any) -> bytes:
        assert len(plain) <= limits.KMS_PLAIN_BYTES, "this takes a data key, and a grant of GenerateDataKey"
        self._record.add("kms:Encrypt", "key")
        return self._vault.seal(plain, **named)

    def open(self, sealed: bytes, **named: Any) -> bytes:
        self._record.add("kms:Decrypt", "key")
        return self._vault.open(sealed, **named)


_record = Record()


def _recorded(build: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(build)
    def run(settings: Any, *, engine: Any, **parts: Any) -> Any:
        if parts.get("services"):
            services = parts["services"]
            parts["services"] = lambda name: RecordedService(services(name), name, _record)
        if parts.get("vault"):
            parts["vault"] = RecordedVault(parts["vault"], _record)
        return build(settings, engine=RecordedEngine(engine, _record, settings.table_prefix), **parts)

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", help="file to write the calls to")


def pytest_configure() -> None:
    bootstrap.build = _recorded(bootstrap.build)
    for name in ("run", "begin", "admit"):
        setattr(door.Door, name, _record.within(functions.API, getattr(door.Door, name)))
    for function in functions.FUNCTIONS:
        if function.name != functions.API:
            setattr(workers, function.name, _record.within(function.name, getattr(workers, function.name)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    Path(session.config.getoption("--record")).write_text(json.dumps(sorted(_record.calls)))
