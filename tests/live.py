"""Live servers for tests, raw HTTP to talk to them, and a signer of its own.

The signer is written from section 3 of the protocol document and shares nothing with the code under test, so that the
two check each other.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import utils
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib import parse
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
NAMESPACE = "http://mns.aliyuncs.com/doc/v1"
_START_SECONDS = 30
_STOP_SECONDS = 20
_ANSWER_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Key:
    """An account and its key pair."""

    account_id: str
    access_key_id: str
    secret: str


OWNER = Key(account_id="1234567890123456", access_key_id="openmns", secret="openmns-secret")
OTHER = Key(account_id="6543210987654321", access_key_id="other-key", secret="other-secret")
TWO_ACCOUNTS = f"""
[[accounts]]
id = "{OTHER.account_id}"
access_key_id = "{OTHER.access_key_id}"
access_key_secret = "{OTHER.secret}"
"""


def unique(stem: str = "q") -> str:
    """A queue name that no other test uses."""
    return f"{stem}-{uuid.uuid4().hex[:12]}"


# --- Servers ---------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Server:
    """A server process that answers."""

    process: "subprocess.Popen[bytes]"
    endpoint: str  # http://127.0.0.1:port
    output: Path
    complaints: Path

    @property
    def host(self) -> str:
        """Host and port, as in a Host header."""
        return self.endpoint.removeprefix("http://")

    @property
    def address(self) -> tuple[str, int]:
        name, _, port = self.host.rpartition(":")
        return name.strip("[]"), int(port)

    @property
    def banner(self) -> str:
        """What it printed on stdout."""
        return self.output.read_text()

    @property
    def stderr(self) -> str:
        return self.complaints.read_text()

    def connect(self) -> "Connection":
        return Connection(self.address)

    def ask(self, method: str, target: str, **arguments: object) -> "Reply":
        """One signed request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(method, target, **arguments)

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = _STOP_SECONDS) -> int:
        """The exit status; kills what does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.send_signal(number)
        return self.wait()


def mns_command() -> str:
    """The console script beside this interpreter."""
    return str(Path(sys.executable).with_name("mns"))


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without any setting of ours, with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENMNS_")}
    return kept | {"POWERTOOLS_LOG_LEVEL": "WARNING"} | changes


@contextlib.contextmanager
def serving(folder: Path, *flags: str, variables: Mapping[str, str] | None = None) -> Iterator[Server]:
    """`mns serve` in `folder`, where it finds an `openmns.toml` if there is one, stopped at the end."""
    output, complaints = folder / "stdout", folder / "stderr"
    with output.open("wb") as out, complaints.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [mns_command(), "serve", *flags],
            cwd=folder,
            env=environment(**(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    server = Server(process=process, endpoint="", output=output, complaints=complaints)
    try:
        server.endpoint = _await_banner(server)
        await_health(server.address)
        yield server
    finally:
        server.stop()


def stopped_cleanly(server: Server) -> tuple[int, str]:
    """What stopping answers: exit status and stderr; (0, "") is as it should be."""
    return server.stop(), server.stderr


def _await_banner(server: Server) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if "Stop: Ctrl-C" in server.banner:
            [line] = [line for line in server.banner.splitlines() if line.strip().startswith("endpoint")]
            return line.split()[1]
        if server.process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"the server did not start: {server.banner}{server.stderr}")


def await_health(address: tuple[str, int], seconds: float = _START_SECONDS) -> None:
    """Return when /health answers 200."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), Connection(address) as connection:
            connection.send(b"GET /health HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
            if connection.read().status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"no health at {address}")


def eventually(holds: Callable[[], bool], seconds: float = _ANSWER_SECONDS) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- HTTP by hand ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A response as it was on the wire; header names are spelled as sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def spelled(self) -> dict[str, str]:
        """Headers in a case-sensitive map, as the Java SDK keeps them."""
        return dict(self.headers)

    def header(self, name: str) -> str | None:
        """A header by its name in any case."""
        return {key.lower(): value for key, value in self.headers}.get(name.lower())

    @property
    def xml(self) -> ET.Element:
        return ET.fromstring(self.body)  # written by the server under test

    @property
    def root(self) -> str:
        """Namespace and name of the root element."""
        return self.xml.tag

    @property
    def fields(self) -> dict[str, str]:
        """The text of the root's children by local name."""
        return fields(self.xml)

    @property
    def entries(self) -> list[dict[str, str]]:
        """The same for each child of the root."""
        return [fields(child) for child in self.xml]

    @property
    def code(self) -> str:
        """The error code."""
        return self.fields["Code"]

    @property
    def outcome(self) -> tuple[int, str]:
        """Status and error code."""
        return self.status, self.code


def fields(element: ET.Element) -> dict[str, str]:
    """The text of an element's children by local name."""
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


class Connection:
    """A TCP connection that speaks HTTP as told."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.socket = socket.create_connection(address, timeout=_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, *, has_body: bool = True) -> Reply:
        """The next response; raises EOFError when the server has closed the connection."""
        line = self._file.readline()
        if not line:
            raise EOFError
        headers: list[tuple[str, str]] = []
        while (header := self._file.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = header.partition(":")
            headers.append((name, value.strip()))
        status = int(line.split()[1])
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        silent = not has_body or status in (204, 304) or status < 200
        body = self._file.read(int(lengths[0])) if lengths and not silent else b""
        return Reply(status=status, headers=tuple(headers), body=body)

    def at_end(self) -> bool:
        """Whether the server has closed the connection, without a byte more."""
        return self._file.read(1) == b""

    def ask(self, method: str, target: str, **arguments: object) -> Reply:
        """One signed request and its response."""
        host = f"{self.address[0]}:{self.address[1]}"
        self.send(request(method, target, **{"host": host, **arguments}))
        return self.read(has_body=method != "HEAD")


def now() -> str:
    """This moment as a Date header says it."""
    return utils.formatdate(usegmt=True)


@dataclass(kw_only=True)
class Headers:
    """Request headers in their order."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str:
        return {key.lower(): value for key, value in self.pairs}.get(name.lower(), "")


def request(
    method: str,
    target: str,
    *,
    host: str,
    body: bytes | str = b"",
    key: Key = OWNER,
    headers: Sequence[tuple[str, str]] = (),
    date: str | None = None,
    content_type: str | None = "text/xml;charset=UTF-8",
    signer: str = "v2",
) -> bytes:
    """The bytes of a signed request with the headers that all SDKs send; Content-Length if there is a body."""
    content = body.encode() if isinstance(body, str) else body
    pairs = [("Host", host), ("Date", date or now()), ("x-mns-version", "2015-06-06")]
    if content_type is not None:
        pairs.append(("Content-Type", content_type))
    pairs.extend(headers)
    sign = {"v2": sign_v2, "v4": sign_v4}[signer]
    return raw(method, target, [*pairs, ("Authorization", sign(method, target, pairs, key))], content)


def raw(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
    """The bytes of a request with just these headers, and Content-Length where there is a body."""
    length = [("Content-Length", str(len(body)))] if body or method in ("POST", "PUT") else []
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in [*headers, *length])]
    return "\r\n".join([*lines, "", ""]).encode() + body


# --- Signatures, section 3 of the protocol document ------------------------------------------------------------------


def sign_v2(method: str, target: str, headers: Sequence[tuple[str, str]], key: Key) -> str:
    """The Authorization header of section 3.1."""
    found = {name.lower(): value for name, value in headers}
    date = found.get("date") or found.get("x-mns-date", "")
    canonical = "".join(f"{name}:{found[name]}\n" for name in sorted(found) if name.startswith("x-mns-"))
    text = (
        f"{method}\n{found.get('content-md5', '')}\n{found.get('content-type', '')}\n{date}\n{canonical}{target}"
    ).encode()
    digest = hmac.new(key.secret.encode(), text, hashlib.sha1).digest()
    return f"MNS {key.access_key_id}:{base64.b64encode(digest).decode()}"


def sign_v4(method: str, target: str, headers: Sequence[tuple[str, str]], key: Key, region: str = "cn-hangzhou") -> str:
    """The Authorization header of section 3.2."""
    found = {name.lower(): value for name, value in headers}
    moment = utils.parsedate_to_datetime(found["date"])
    day, second = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
    path, _, query = target.partition("?")
    pairs = []
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        pairs.append((parse.quote(name.strip().lower(), safe=""), parse.quote(value.strip(), safe="")))
    canonical_query = "&".join(f"{name}={value}" if value else name for name, value in sorted(pairs))
    names = sorted(n for n in found if n in ("content-type", "content-md5") or n.startswith("x-mns-"))
    lines = "".join(f"{name}:{found[name].strip()}\n" for name in names)
    scope = f"{day}/{region}/mns/aliyun_v4_request"
    text = f"MNS4-HMAC-SHA256\n{second}\n{scope}\n{method}\n{parse.quote(path)}\n{canonical_query}\n{lines}\n"
    secret = ("aliyun_v4" + key.secret).encode()
    for part in (day, region, "mns", "aliyun_v4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return f"MNS4-HMAC-SHA256 Credential={key.access_key_id}/{scope},Signature={signature}"


def hex_md5_header(body: bytes) -> str:
    """Content-MD5 as the Python, Node and Go SDKs send it: base64 of the hex text."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).hexdigest().encode()).decode()


def body_md5(text: str) -> str:
    """MessageBodyMD5 of a body as it is on the wire."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
