"""Lambda on this machine: the real package under AWS's own runtime client, for tests and benchmarks.

A `Sandbox` is what a function sees: the unpacked package, and a Python with boto3 and the runtime client and nothing
else, so that a package missing from requirements.txt is missed here too. A `Function` is Lambda's side: it serves the
Runtime API, starts a process when all are busy, and hands each process one event at a time.
"""

import base64
import collections
import contextlib
import importlib.metadata
import json
import queue
import re
import subprocess
import sys
import threading
import time
import uuid
import venv
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from infra.bench import listening

ROOT = Path(__file__).parents[2]
_PROVIDED = ("awslambdaric", "boto3")  # what the Python runtime of Lambda brings along
_NEXT = "/2018-06-01/runtime/invocation/next"
_OUTCOME = re.compile(r"/2018-06-01/runtime/(?:invocation/(?P<id>[^/]+)/)?(?P<kind>response|error|init/error)")
_JSON = (("Content-Type", "application/json"),)
_START_SECONDS = 60
_LOOK_SECONDS = 0.01


class FunctionError(Exception):
    """The function, or its start, ended with an exception."""


@contextlib.contextmanager
def engine_server() -> Iterator[str]:
    """The embedded engine in a process of its own; its URL."""
    command = [sys.executable, "-m", "infra.embedded.serve"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield (process.stdout.readline() if process.stdout else "").strip()
        finally:
            process.terminate()


@dataclass(frozen=True, kw_only=True)
class Kms:
    """moto's KMS, with the key that seals a deployment's secrets."""

    client: Any
    url: str
    key_id: str

    def services(self, name: str) -> Any:
        """What `bootstrap.build` is handed in."""
        return {"kms": self.client}[name]

    @property
    def variables(self) -> dict[str, str]:
        """What leads functions there."""
        return {"AWS_ENDPOINT_URL_KMS": self.url, "OPENMNS_KMS_KEY": self.key_id}


@contextlib.contextmanager
def kms_server() -> Iterator[Kms]:
    """A KMS for functions, in a process of its own."""
    command = [sys.executable, "-m", "infra.bench.services"]
    with subprocess.Popen(  # noqa: S603  # ours
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        url = (process.stdout.readline() if process.stdout else "").strip()
        client: Any = boto3.session.Session().client(
            "kms",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  # of nobody
        )
        try:
            yield Kms(client=client, url=url, key_id=client.create_key()["KeyMetadata"]["Arn"])
        finally:
            client.close()
            process.terminate()


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Where functions run."""

    task_root: Path
    python: Path

    @classmethod
    def make(cls, folder: Path, code: Path) -> "Sandbox":
        """Unpack a package's code, and make a Python for it."""
        task_root, environment = folder / "task", folder / "python"
        with zipfile.ZipFile(code) as read:
            read.extractall(task_root)
        venv.create(environment, symlinks=True)
        [site] = environment.glob("lib/python*/site-packages")
        for name in sorted(_closure(_PROVIDED)):
            for top in {file.parts[0] for file in importlib.metadata.files(name) or ()} - {"..", "__pycache__"}:
                target = Path(str(importlib.metadata.distribution(name).locate_file(top)))
                if target.exists():
                    (site / top).symlink_to(target)
        return cls(task_root=task_root, python=environment / "bin" / "python")


def _closure(names: tuple[str, ...]) -> set[str]:
    """Distributions, and all that they require without extras."""
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop().lower()
        if name not in found:
            found.add(name)
            needed = [line for line in importlib.metadata.requires(name) or () if ";" not in line]
            pending += [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in needed]
    return found


@dataclass
class _Invocation:
    event: bytes
    deadline: float  # seconds since the epoch
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    outcome: "futures.Future[bytes]" = field(default_factory=futures.Future)


class Function:
    """One Lambda function.

    Attributes:
        starts: for each process, seconds from its start to its first request for an event.
    """

    def __init__(  # what Lambda lets one say about a function
        self,
        *,
        name: str,
        handler: str,
        sandbox: Sandbox,
        variables: Mapping[str, str],
        log: Path,
        seconds: float = 30,
        most: int = 8,
    ) -> None:
        """Set up; no process is started.

        Args:
            name: of the function.
            handler: module and function, such as `app.app`.
            sandbox: where it runs.
            variables: its environment, besides what Lambda sets.
            log: the file that takes what it prints.
            seconds: the function's time-out.
            most: processes at once.
        """
        self.name = name
        self.starts: list[float] = []
        self._handler = handler
        self._sandbox = sandbox
        self._variables = dict(variables)
        self._log = log
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Invocation] = collections.deque()
        # Processes that wait for an event; the one that worked last gets the next, as Lambda mostly has it.
        self._idle: list[queue.SimpleQueue[_Invocation | None]] = []
        self._taken: dict[str, _Invocation] = {}
        # Answers wait until a process asks for the next event: or who calls again at once would get another process.
        self._answered: list[Callable[[], None]] = []
        self._open = 0  # invocations without an outcome
        self._broken: FunctionError | None = None  # why a process could not be started
        self._processes: list[subprocess.Popen[bytes]] = []
        self._started: list[float] = []
        self._api = listening.Listener(self._answer)

    def provision(self, processes: int) -> None:
        """Start so many processes ahead of events, as Lambda does for provisioned concurrency; return when they ask."""
        with self._lock:
            for _ in range(processes - len(self._processes)):
                self._start()
        deadline = time.monotonic() + _START_SECONDS
        while len(self.starts) < processes and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)

    def invoke(self, event: Any) -> Any:
        """What the function returns for an event.

        Raises:
            FunctionError: it raised, or could not be started.
            TimeoutError: its time is over.
        """
        seconds = self._seconds
        invocation = _Invocation(event=json.dumps(event, default=_base64).encode(), deadline=time.time() + seconds)
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._open += 1
            if self._open > len(self._processes) < self._most:
                self._start()
                seconds += _START_SECONDS  # Lambda's clock starts with the event, not with the process
            if self._idle:
                self._idle.pop().put(invocation)
            else:
                self._waiting.append(invocation)
        try:
            return json.loads(invocation.outcome.result(seconds))
        finally:
            with self._lock:
                self._open -= 1

    @property
    def pids(self) -> list[int]:
        """Of the processes, in the order of their starts."""
        return [process.pid for process in self._processes]

    def close(self) -> None:
        """End the processes, whatever they have in hand; there will be no others."""
        with self._lock:
            self._broken = FunctionError("the function has been closed")
        for process in self._processes:
            process.kill()
            process.wait()
        with self._lock:
            for invocation in self._taken.values():
                invocation.outcome.set_exception(self._broken)
            for idle in self._idle:
                idle.put(None)
        self._answer_all()
        self._api.close()

    def _answer(self, asked: listening.Request) -> listening.Answer:
        """What the Runtime API says to a process."""
        if asked.method == "GET":
            invocation = self._take() if asked.target == _NEXT else None
            return listening.Answer(status=410) if invocation is None else self._handed(invocation)
        found = _OUTCOME.fullmatch(asked.target)
        if found is None:
            return listening.Answer(status=404)
        self._finish(found["id"], failed=found["kind"] != "response", body=asked.body)
        return listening.Answer(status=202, headers=_JSON, body=b'{"status":"OK"}')

    def _handed(self, invocation: _Invocation) -> listening.Answer:
        headers = (
            ("Lambda-Runtime-Aws-Request-Id", invocation.id),
            ("Lambda-Runtime-Deadline-Ms", str(round(invocation.deadline * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:us-east-1:123456789012:function:{self.name}"),
            ("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        )
        return listening.Answer(status=200, headers=(*_JSON, *headers), body=invocation.event)

    def _take(self) -> _Invocation | None:
        """The next event, for a process that asks; None: there will be none."""
        if len(self.starts) < len(self._started):
            self.starts.append(time.monotonic() - self._started[len(self.starts)])
        handed: queue.SimpleQueue[_Invocation | None] = queue.SimpleQueue()
        with self._lock:
            if self._waiting:
                handed.put(self._waiting.popleft())
            else:
                self._idle.append(handed)
        self._answer_all()
        invocation = handed.get()
        if invocation is not None:
            invocation.deadline = time.time() + self._seconds
            self._taken[invocation.id] = invocation
        return invocation

    def _finish(self, invocation_id: str | None, *, failed: bool, body: bytes) -> None:
        """What became of an event; without an id: a process could not be started."""
        if invocation_id is None:
            with self._lock:
                self._broken = FunctionError(body.decode())
                while self._waiting:
                    self._waiting.popleft().outcome.set_exception(self._broken)
            return
        outcome = self._taken.pop(invocation_id).outcome
        with self._lock:
            self._answered.append(
                partial(outcome.set_exception, FunctionError(body.decode()))
                if failed
                else partial(outcome.set_result, body)
            )

    def _answer_all(self) -> None:
        with self._lock:
            answered, self._answered = self._answered, []
        for answer in answered:
            answer()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._started.append(time.monotonic())
            self._processes.append(
                subprocess.Popen(  # noqa: S603  # our own package
                    [self._sandbox.python, "-m", "awslambdaric", self._handler],
                    cwd=self._sandbox.task_root,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONDONTWRITEBYTECODE": "1",  # as nothing can be written to a function's folder
            "AWS_LAMBDA_RUNTIME_API": "{}:{}".format(*self._api.address),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "LAMBDA_TASK_ROOT": str(self._sandbox.task_root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": self._handler,
            **self._variables,
        }


def _base64(value: bytes) -> str:
    """A binary attribute as it stands in an event."""
    return base64.b64encode(value).decode()
