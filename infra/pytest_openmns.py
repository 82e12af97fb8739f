"""A pytest plugin for users: a private OpenMNS for each test that asks for one, with a clock that the test moves."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.local import config

_STOP_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class OpenMNS:
    """A running server, empty at first, and what a client needs to reach it."""

    endpoint: str  # such as http://127.0.0.1:34567
    account_id: str = config.ACCOUNT_ID
    access_key_id: str = config.ACCESS_KEY_ID
    access_key_secret: str = config.ACCESS_KEY_SECRET
    region: str = config.LocalConfig.region
    _accounts: list[Any] = field(default_factory=list, repr=False)  # to close in the end

    def account(self) -> Any:
        """The `Account` of the official Python SDK, ready for use (the package aliyun-mns-sdk must be installed)."""
        from mns.account import Account  # noqa: PLC0415  # only who calls this needs the SDK

        made = Account(self.endpoint, self.access_key_id, self.access_key_secret)
        self._accounts.append(made)
        return made

    def close(self) -> None:
        """Close the connections of the accounts handed out."""
        for made in self._accounts:
            made.mns_client.close_connection()

    def advance(self, seconds: float) -> None:
        """Let time pass at once; whatever comes due meanwhile has happened when this returns."""
        self._clock("POST", {"advance": seconds})

    def freeze(self) -> None:
        """Let time stand still, but for `advance`."""
        self._clock("PUT", {"frozen": True})

    def now(self) -> int:
        """The server's time, milliseconds since the epoch."""
        return int(self._clock("GET", None)["now"])

    def _clock(self, method: str, document: dict[str, Any] | None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.endpoint}/_local/clock",
            method=method,
            headers={"Content-Type": "application/json"},
            data=None if document is None else json.dumps(document).encode(),
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # our own server
            shown: dict[str, Any] = json.load(answer)
        return shown


@pytest.fixture
def openmns() -> Iterator[OpenMNS]:
    """A server of this test's own, in memory, on a free port."""
    yield from _serve()


@pytest.fixture(scope="session")
def openmns_session() -> Iterator[OpenMNS]:
    """One server for the whole session, in memory; its tests keep apart by the names of their queues."""
    yield from _serve()


def _serve() -> Iterator[OpenMNS]:
    command = [sys.executable, "-m", "infra.cli", "serve", "--memory", "--port", "0", "--host", "127.0.0.1"]
    # Defaults, whatever the user's environment and folder say: the fixture is the same everywhere.
    command += ["--config", os.devnull]
    environment = config.without_settings()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # ours
        try:
            running = OpenMNS(endpoint=_endpoint(process))
            yield running
            running.close()
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _endpoint(process: "subprocess.Popen[str]") -> str:
    """What the server's greeting says; it listens when it says so."""
    assert process.stdout is not None  # noqa: S101  # it was asked for
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        if name == "endpoint":
            return value.strip()
    raise RuntimeError("OpenMNS did not start; what it says is above")
