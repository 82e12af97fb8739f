"""Push to web servers: real ones, on this machine."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.clock import SystemClock
from chalicelib.model import delivery, limits, publication, subscription
from chalicelib.push import addresses, http
from chalicelib.wire import notifications
from tests.model.test_topic import make_publication, make_subscription
from tests.push import servers


def notification(url, body="hello", **attributes):
    return publication.Notification(
        publication=make_publication(body, tag=attributes.pop("tag", "")),
        subscription=make_subscription(endpoint=url, **attributes),
    )


def render(of, to):
    return notifications.push(of, to, request_id="0" * 24, now=0, certificate_url="c", sign=lambda _: b"signed")


_made: list[http.HttpChannel] = []


@pytest.fixture(autouse=True)
def _close():
    yield
    while _made:
        _made.pop().close()


class Hurried(SystemClock):
    """A clock that runs fast, so that four seconds are over in less than one."""

    def now(self) -> int:
        return time.time_ns() // 100_000


def make(allowed="127.0.0.0/8", clock=None, resolve=socket.getaddrinfo, **arguments):
    guard = addresses.Guard(allowed, resolve=resolve)
    _made.append(http.HttpChannel(guard=guard, render=render, clock=clock or SystemClock(), **arguments))
    return _made[-1]


def push(url, body="hello", **arguments):
    return make(**arguments).push(notification(url, body))


def answer(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_a_push_arrives_with_its_headers_target_and_body():
    with servers.web() as server:
        url = f"http://127.0.0.1:{server.port}/notify?src=mns"
        assert push(url, "消息") == delivery.Outcome(status="204", detail="No Content")
        [got] = server.got
        expected = render(notification(url, "消息"), notification(url).subscription.attributes.target)
        assert (got.target, got.body) == ("/notify?src=mns", expected.body)
        assert dict(got.headers) == expected.headers
        assert [name for name, _ in got.headers if name == "host"] == ["host"]


@pytest.mark.parametrize(
    ("status", "success"),
    [("200 OK", True), ("201 Created", True), ("299 Fine", True), ("301 Moved", False), ("404 No", False)],
)
def test_any_status_of_the_two_hundreds_is_success_and_redirects_are_not_followed(status, success):
    with servers.web(answer(status, b"", b"Location: /elsewhere")) as server:
        outcome = push(f"http://127.0.0.1:{server.port}/")
        assert (outcome.status, outcome.is_success) == (status[:3], success)
        assert [got.target for got in server.got] == ["/"]


def test_a_connection_is_kept_for_the_next_push():
    with servers.web(answer("200 OK", b"thanks")) as server:
        channel = make()
        for _ in range(3):
            assert channel.push(notification(f"http://127.0.0.1:{server.port}/")).is_success
        assert len({got.peer for got in server.got}) == 1


@pytest.mark.parametrize("first", [answer("200 OK", b"", b"Connection: close"), answer("200 OK", b"x" * 20_000)])
def test_a_connection_that_is_closed_or_left_with_a_rest_is_not_kept(first):
    with servers.web(first) as server:
        channel = make()
        for _ in range(2):
            assert channel.push(notification(f"http://127.0.0.1:{server.port}/")).is_success
        assert len({got.peer for got in server.got}) == 2


def test_a_kept_connection_that_the_server_has_closed_is_replaced_unnoticed():
    with servers.web(lambda handler: handler.wfile.write(answer("200 OK")) and handler.connection.close()) as server:
        channel = make()
        for _ in range(2):
            assert channel.push(notification(f"http://127.0.0.1:{server.port}/")).is_success
            time.sleep(0.05)
        assert len(server.got) == 2


def test_a_kept_connection_is_too_old_after_a_while():
    with servers.web(answer("200 OK")) as server:
        channel = make(clock=Hurried())
        for _ in range(2):
            assert channel.push(notification(f"http://127.0.0.1:{server.port}/")).is_success
            time.sleep(limits.PUSH_IDLE_SECONDS / 10 + 0.05)
        assert len({got.peer for got in server.got}) == 2


def test_loopback_is_reached_by_those_deployments_only_that_allow_it():
    with servers.web() as server:
        outcome = push(f"http://127.0.0.1:{server.port}/", allowed="")
        assert outcome == delivery.Outcome(status="InvalidHost", detail="127.0.0.1 has no address that may be reached")
        assert server.got == []


def test_the_address_that_was_checked_is_the_one_that_is_connected_to():
    with servers.web() as server:
        asked = []

        def resolve(host, port, type):  # noqa: A002  # as socket.getaddrinfo
            asked.append(host)
            return [(socket.AF_INET, type, 6, "", ("127.0.0.1", server.port))]

        assert push("http://example.test:99/x", resolve=resolve).is_success
        assert asked == ["example.test"]
        assert dict(server.got[0].headers)["host"] == "example.test:99"


def test_the_next_address_is_tried_when_the_first_refuses():
    with servers.web() as server:
        found = [(socket.AF_INET, 1, 6, "", (host, server.port)) for host in ("127.9.9.9", "127.0.0.1")]
        assert push("http://example.test/", resolve=lambda *_, **__: found).is_success


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_there_is_a_failure_to_connect():
    outcome = push(f"http://127.0.0.1:{free_port()}/")
    assert outcome.status == "ConnectFailure"
    assert "refused" in outcome.detail


def drip(handler):
    """Send a byte at a time, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x-header: y\r\n" * 1000:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def test_the_time_that_an_endpoint_has_is_five_seconds():
    assert limits.PUSH_SECONDS == 5


@pytest.mark.parametrize("behave", [lambda handler: time.sleep(2), drip])
def test_who_does_not_answer_in_time_has_not_answered(behave):
    with servers.web(behave) as server:
        started = time.monotonic()
        assert push(f"http://127.0.0.1:{server.port}/", seconds=0.3).status == "ConnectTimeout"
        assert time.monotonic() - started < 1


def test_a_body_that_does_not_end_does_not_matter_when_the_status_is_there():
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            handler.wfile.write(b"5\r\nhello\r\n")

    with servers.web(endless) as server:
        started = time.monotonic()
        assert push(f"http://127.0.0.1:{server.port}/").is_success
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("nonsense", [b"nonsense\r\n\r\n", b"HTTP/1.1 99999 x\r\n\r\n", b"", b"x" * 100_000])
def test_an_answer_that_is_no_http_is_a_failure(nonsense):
    with servers.web(nonsense + b"close") as server:
        assert push(f"http://127.0.0.1:{server.port}/").status == "ConnectFailure"


def test_a_tag_that_is_not_ascii_goes_out_in_utf_8():
    with servers.web() as server:
        bare = subscription.Format.SIMPLIFIED
        to = notification(f"http://127.0.0.1:{server.port}/", tag="重要", content_format=bare)
        assert make().push(to).is_success
        assert dict(server.got[0].headers)["x-mns-message-tag"].encode("latin-1").decode() == "重要"


def certificate(tmp_path, *names):
    """A self-signed certificate for these names; the server's context, and the file to trust."""
    key = rsa.generate_private_key(65_537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, str(path)


def test_https_is_verified_by_the_name_of_the_endpoint_and_not_by_the_address(tmp_path):
    context, ca_file = certificate(tmp_path, "example.test")
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with servers.web(answer("200 OK"), context) as server:

        def resolve(host, port, type):  # noqa: A002  # as socket.getaddrinfo
            return [(socket.AF_INET, type, 6, "", ("127.0.0.1", server.port))]

        channel = make(resolve=resolve, ca_file=ca_file)
        for _ in range(2):
            assert channel.push(notification("https://example.test/")).is_success
        assert names == ["example.test"]
        outcome = channel.push(notification("https://other.test/"))
        assert (outcome.status, "certificate" in outcome.detail.lower()) == ("ConnectFailure", True)
        assert len(server.got) == 2


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path):
    context, _ = certificate(tmp_path, "127.0.0.1")
    with servers.web(answer("200 OK"), context) as server:
        outcome = push(f"https://127.0.0.1:{server.port}/")
        assert (outcome.status, server.got) == ("ConnectFailure", [])
        assert "self-signed" in outcome.detail


def test_slow_answers_over_tls_end_in_time_too(tmp_path):
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    with servers.web(drip, context) as server:
        outcome = push(f"https://127.0.0.1:{server.port}/", seconds=0.3, ca_file=ca_file)
        assert outcome.status == "ConnectTimeout"


def test_a_tls_handshake_that_does_not_come_ends_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = push(f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.3)
        assert outcome.status == "ConnectTimeout"


def test_a_handshake_has_only_the_time_that_the_connection_has_left(monkeypatch):
    connect = http._Socket.connect

    def slowly(self, address):
        time.sleep(0.8)
        connect(self, address)

    monkeypatch.setattr(http._Socket, "connect", slowly, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert push(f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=1).status == "ConnectTimeout"
        assert time.monotonic() - started < 1.6


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_write_has_only_the_time_that_is_left(tmp_path, scheme):
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    with servers.web(answer("200 OK"), context if scheme == "https" else None) as server:
        channel = make(ca_file=ca_file)
        to = notification(f"{scheme}://127.0.0.1:{server.port}/").subscription.attributes.target
        made = channel._connect(to, socket.AF_INET, ("127.0.0.1", server.port), SystemClock().now() + 5_000)
        made.remaining = iter([0.3, None]).__next__
        made.sendall(b"POST / HTTP/1.1\r\n")
        assert made.gettimeout() == 0.3
        with pytest.raises(TimeoutError):
            made.sendall(b"\r\n")
        made.close()


def test_many_pushes_at_once_share_nothing_but_the_channel():
    with servers.web(answer("200 OK", b"thanks")) as server:
        channel = make()
        outcomes = []
        threads = [
            threading.Thread(
                target=lambda: outcomes.extend(
                    channel.push(notification(f"http://127.0.0.1:{server.port}/")).status for _ in range(5)
                )
            )
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert outcomes == ["200"] * 80
