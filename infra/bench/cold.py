"""How quickly a function starts, and what a warm call costs: `python -m infra.bench.cold`.

The real package, under AWS's runtime client, against the embedded engine in another process. CPU time stands beside
wall time and is what the limits are held against, for a busy machine does not change it much. A function of 1,769 MB
has one core, one of 256 MB a seventh of one, except while it starts.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib import bootstrap, settings
from chalicelib.model import account
from infra.aws import package, template
from infra.bench import dialects, figures, lambdas
from infra.local import engine as engines

HANDLERS = {"REST API, Chalice": "app.app", "HTTP API, function URL": "chalicelib.api.direct.handler"}
LONGEST_START = 0.6  # s of CPU from the start of the process to its first answer
LONGEST_CALL = 0.003  # s of CPU of a warm SendMessage, beside its storage calls
_PREFIX = "cold-"
_ACCOUNT = "1234567890123456"
_QUEUE = "cold"
_SHORT = 0.01  # s; what is shorter has decimals
_TICKS = os.sysconf("SC_CLK_TCK")
_WARM = """
import json, sys, time
from botocore import session
from chalicelib import bootstrap, settings
handler, rounds, event = json.load(sys.stdin)
inside = [0.0, 0.0]
class Timed:
    def __init__(self, client):
        self._client = client
    def __getattr__(self, name):
        method = getattr(self._client, name)
        def call(**arguments):
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return method(**arguments)
            finally:
                inside[0] += time.perf_counter() - wall
                inside[1] += time.process_time() - cpu
        return call
bootstrap.install(bootstrap.build(settings.read(), engine=Timed(session.get_session().create_client("dynamodb"))))
module, _, name = handler.rpartition(".")
run = getattr(__import__(module, fromlist=[name]), name)
taken = []
for _ in range(rounds):
    inside[:] = [0.0, 0.0]
    wall, cpu = time.perf_counter(), time.process_time()
    answer = run(event, None)
    taken.append([time.perf_counter() - wall - inside[0], time.process_time() - cpu - inside[1], *inside])
    assert answer["statusCode"] == 201, answer
json.dump(taken, sys.stdout)
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of a function; seconds."""

    ready: float  # until the process asks for its first event
    answered: float  # until its first answer, of a SendMessage
    cpu: float  # of the process, until then


@dataclass(frozen=True, kw_only=True)
class Warm:
    """A SendMessage of 1 KB in a process that has had some; medians, seconds."""

    beside: float  # the storage calls
    beside_cpu: float
    storage: float
    storage_cpu: float


class Bench:
    """The code, unpacked, and tables with a key and a queue."""

    def __init__(self, folder: Path, code: Path, url: str, kms: lambdas.Kms) -> None:
        """Set up; `url` is the engine's."""
        self._sandbox = lambdas.Sandbox.make(folder, code)
        self._log = folder / "log"
        self._variables = {
            "AWS_ENDPOINT_URL_DYNAMODB": url,
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "OPENMNS_TABLE_PREFIX": _PREFIX,
            **kms.variables,
            "OPENMNS_EXPLAIN_SIGNATURES": "true",  # for local use, as the benchmarks' key is
        }
        self._mns = dialects.Mns(dialects.Endpoint(dialect="mns", port=80), _QUEUE)
        tables: Any = boto3.client(
            "dynamodb",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  # of nobody
            config=Config(account_id_endpoint_mode="disabled"),
        )
        engines.make_tables(tables, _PREFIX)
        made = bootstrap.build(
            settings.Settings(table_prefix=_PREFIX, kms_key=kms.key_id), engine=tables, services=kms.services
        )
        made.verbs.identities.add_key(
            account.AccessKey(
                access_key_id=dialects.ACCESS_KEY_ID,
                secret=dialects.ACCESS_KEY_SECRET.decode(),
                account_id=_ACCOUNT,
            )
        )
        tables.close()
        with self._function(HANDLERS["HTTP API, function URL"]) as function:
            function.invoke(_event(self._mns.create(30)))

    def start(self, handler: str) -> Start:
        """Start a function, and have it answer."""
        with self._function(handler) as function:
            event = _event(self._mns.send())
            began = time.monotonic()
            answer = function.invoke(event)
            answered = time.monotonic() - began
            if answer["statusCode"] != 201:  # noqa: PLR2004  # what SendMessage answers
                raise RuntimeError(answer["body"])
            return Start(ready=function.starts[0], answered=answered, cpu=_cpu_seconds(function.pids[0]))

    def warm(self, handler: str, rounds: int) -> Warm:
        """Call a handler many times in one process; the first tenth does not count."""
        given = json.dumps([handler, rounds, _event(self._mns.send())])
        answer = subprocess.run(  # noqa: S603  # our own interpreter
            [str(self._sandbox.python), "-c", _WARM],
            cwd=self._sandbox.task_root,
            env=self._variables,
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        columns = list(zip(*json.loads(answer.stdout)[rounds // 10 :], strict=True))
        return Warm(
            **dict(zip(("beside", "beside_cpu", "storage", "storage_cpu"), map(figures.median, columns), strict=True))
        )

    @contextlib.contextmanager
    def _function(self, handler: str) -> Iterator[lambdas.Function]:
        made = lambdas.Function(
            name="cold", handler=handler, sandbox=self._sandbox, variables=self._variables, log=self._log, most=1
        )
        try:
            yield made
        finally:
            made.close()


def _event(request: bytes) -> dict[str, Any]:
    """A request as an event that both handlers take, a REST API's."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    method, target, _ = line.split()
    headers = dict(item.split(": ", 1) for item in lines)
    depth = target.count("/") if target != "/" else 0
    return {
        "resource": "".join(f"/{{s{level}}}" for level in range(depth)) or "/",
        "path": target,
        "httpMethod": method,
        "headers": {name: value for name, value in headers.items() if name != "Content-MD5"},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {f"s{level}": segment for level, segment in enumerate(target.split("/")[1:])},
        "stageVariables": None,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": "".join(f"/{{s{level}}}" for level in range(depth)) or "/",
            "path": target,
            "identity": {"sourceIp": "127.0.0.1"},
            "requestTimeEpoch": time.time_ns() // 1_000_000,
        },
        "body": body.decode() or None,
        "isBase64Encoded": False,
    }


def _cpu_seconds(process: int) -> float:
    """What a process has used so far, in user and system time."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status says whether all limits are kept."""
    parser = argparse.ArgumentParser(prog="python -m infra.bench.cold", description=__doc__)
    parser.add_argument("--starts", type=int, default=7, help="of each handler (7)")
    parser.add_argument("--calls", type=int, default=500, help="of each handler, warm (500)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, lambdas.engine_server() as url, lambdas.kms_server() as kms:
        code = package.make("dev", template.Door.REST, region="us-east-1", into=Path(folder, "package")).code
        bench = Bench(Path(folder), code, url, kms)
        size = code.stat().st_size
        rows = [Row("package", f"{size / 1e6:.2f} MB", kept=size < package.LARGEST)]
        for name, handler in HANDLERS.items():
            starts = [bench.start(handler) for _ in range(chosen.starts)]
            cpu = figures.median([start.cpu for start in starts])
            warm = bench.warm(handler, chosen.calls)
            rows += [
                Row(
                    f"{name}: first request for an event after", _ms(figures.median([start.ready for start in starts]))
                ),
                Row(
                    f"{name}: first answer after",
                    _ms(figures.median([start.answered for start in starts])),
                    _ms(cpu),
                    kept=cpu < LONGEST_START,
                ),
                Row(
                    f"{name}: warm SendMessage of 1 KB, beside storage",
                    _ms(warm.beside),
                    _ms(warm.beside_cpu),
                    kept=warm.beside_cpu < LONGEST_CALL,
                ),
                Row(f"{name}: its storage calls", _ms(warm.storage), _ms(warm.storage_cpu)),
            ]
    sys.stdout.write("".join(row.line() for row in (Row("", "wall", "CPU"), *rows)))
    return 0 if all(row.kept for row in rows) else 1


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    title: str
    figure: str
    cpu: str = ""
    kept: bool = field(default=True, kw_only=True)  # whether the limit is

    def line(self) -> str:
        """As it is printed."""
        return f"{self.title:<66} {self.figure:>9} {self.cpu:>9}{'' if self.kept else '   too much'}\n"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds < _SHORT else f"{seconds * 1e3:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
