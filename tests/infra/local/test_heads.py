"""Requests read without the parser: what is accepted is what the parser makes of it; the rest is left to it."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local import heads

PLAIN = b"GET /queues/q/messages?waitseconds=0 HTTP/1.1\r\nHost: local\r\nDate: today\r\n\r\n"
SENT = b"POST /queues/q/messages HTTP/1.1\r\nHost: local\r\nContent-Length: 5\r\n\r\nhello"

# Pieces of requests, such as they are and such as smugglers like them.
PIECES = [
    *(b"GET ", b"POST ", b"DELETE ", b"HEAD ", b"get ", b"/queues", b"/", b"?a=b", b"#top", b" ", b"  ", b"\t", b"\0"),
    *(b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.10", b"HTTP/1.1", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n "),
    *(b"Host: a", b"host: b", b"Host:a", b"Host : a", b"Host:  a", b"Host: a ", b": a", b"Empty:", b"Empty: "),
    *(
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 0",
    ),
    *(b"content-length: 4", b"Content-Length: 5 ", b"Content_Length: 5", b"Transfer-Encoding: chunked"),
    *(b"Transfer-Encoding: identity", b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade"),
    *(b"Upgrade: h2c", b"Expect: 100-continue", b"Proxy-Connection: close", b"X: \xe9", b"X: \x7f", b"hello", b"0"),
]


OLD = heads.Reader()  # has read all that the others have


@pytest.fixture(autouse=True, scope="module")
def as_many_makes_as_there_are():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "MAKES", 1_000_000)
        yield


def read(data: bytes) -> tuple[str, str, dict[str, str], bytes] | None:
    found = heads.Reader().read(data, address="192.0.2.1", arrived_at=7)
    for _ in range(2):
        assert OLD.read(data, address="192.0.2.1", arrived_at=7) == found
    if found is None:
        return None
    assert (found.address, found.arrived_at) == ("192.0.2.1", 7)
    return found.method, found.target, dict(found.headers), found.body


class Parsed:
    """What the parser makes of some bytes."""

    def __init__(self) -> None:
        self.url, self.body = b"", b""
        self.headers: list[tuple[str, str]] = []
        self.ended = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode().lower(), value.decode()))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


def assert_parsed_alike(data: bytes, accepted: tuple[str, str, dict[str, str], bytes]) -> None:
    """The parser finds the same request in it, whole, with nothing behind it, on a connection that goes on."""
    found = Parsed()
    parser = httptools.HttpRequestParser(found)
    parser.feed_data(data)
    assert found.ended == 1
    assert (parser.get_method().decode(), found.url.decode(), dict(found.headers), found.body) == accepted
    assert len(found.headers) == len(accepted[2])
    assert (parser.get_http_version(), parser.should_keep_alive(), parser.should_upgrade()) == ("1.1", True, False)
    parser.feed_data(PLAIN)
    assert found.ended == 2


@given(
    st.sampled_from([PLAIN, SENT]),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3),
)
def test_what_is_accepted_is_what_the_parser_makes_of_it(request_, changes):
    for at, length, piece in changes:
        request_ = request_[:at] + piece + request_[at + length :]
    accepted = read(request_)
    if accepted is not None:
        assert_parsed_alike(request_, accepted)


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_that_holds_of_any_mixture_of_pieces(pieces):
    for data in (b"".join(pieces), b"GET / HTTP/1.1\r\n" + b"\r\n".join(pieces) + b"\r\n\r\n"):
        accepted = read(data)
        if accepted is not None:
            assert_parsed_alike(data, accepted)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        SENT,
        PLAIN.replace(b"GET", b"DELETE"),
        SENT.replace(b"POST", b"PUT"),
        SENT.replace(b"POST", b"PUT").replace(b"5\r\n\r\nhello", b"0\r\n\r\n"),
        PLAIN.replace(b"Date", b"Connection: Keep-Alive\r\nDate"),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_plain_requests_are_read(data):
    accepted = read(data)
    assert accepted is not None
    assert_parsed_alike(data, accepted)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN[:-2],
        PLAIN + PLAIN,
        PLAIN + b"x",
        SENT[:-1],
        SENT[:-5],
        SENT.replace(b"5\r\n\r\nhello", b"0\r\n\r\n"),
        SENT + b"!",
        PLAIN.replace(b"GET", b"HEAD"),
        PLAIN.replace(b"GET", b"get"),
        PLAIN.replace(b"/queues", b"http://local/queues"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"\r\nDate", b"\nDate"),
        PLAIN.replace(b"Date: ", b"Date:"),
        PLAIN.replace(b"Date: ", b"Date:  "),
        PLAIN.replace(b"Date: ", b"Date : "),
        PLAIN.replace(b"Date: ", b"Date:\t"),
        PLAIN.replace(b"today", b"today "),
        PLAIN.replace(b"today", b"to\r\n day"),
        PLAIN.replace(b"today", b"\xc3\xa9"),
        PLAIN.replace(b"today", b""),
        PLAIN.replace(b"Date", b"host"),
        PLAIN.replace(b"Date", b"Da_te"),
        PLAIN.replace(b"waitseconds=0", b"a#b"),
        PLAIN.replace(b"Date: today", b"Connection: close"),
        PLAIN.replace(b"Date: today", b"Connection: keep-alive, upgrade"),
        PLAIN.replace(b"Date: today", b"Upgrade: h2c"),
        PLAIN.replace(b"Date: today", b"Expect: 100-continue"),
        PLAIN.replace(b"Date: today", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"Date: today", b"Content-Length: 1"),
        PLAIN.replace(b"Date: today", b"Content-Length: 1") + b"x",
        SENT.replace(b": 5", b": 05"),
        SENT.replace(b": 5", b": 5\r\nContent-Length: 5"),
        SENT.replace(b": 5", b": 5\r\nTransfer-Encoding: chunked"),
        SENT.replace(b"Content-Length: 5", b"Host-Length: 5"),
        SENT[:-5].replace(b": 5", b": 70000") + b"x" * 70_000,
    ],
)
def test_everything_else_is_left_to_the_parser(data):
    assert read(data) is None


def test_a_request_that_comes_again_is_another_one_with_what_is_known_of_it():
    first = heads.Reader().read(PLAIN, address="192.0.2.1", arrived_at=1)
    again = heads.Reader().read(PLAIN, address="192.0.2.2", arrived_at=2)
    assert first.parameters == {"waitseconds": "0"}
    assert again.known is first.known
    assert [(each.address, each.arrived_at) for each in (first, again)] == [("192.0.2.1", 1), ("192.0.2.2", 2)]


@pytest.mark.parametrize(
    "other",
    [
        SENT,
        PLAIN.replace(b"GET", b"DELETE"),
        PLAIN.replace(b"today", b"x" * 4096),
    ],
    ids=["a send", "a delete", "a long one"],
)
def test_of_others_nothing_is_kept(other):
    reader = heads.Reader()
    first, again = (reader.read(other, address="", arrived_at=0) for _ in range(2))
    assert again.known is not first.known


def test_what_follows_is_read_by_its_own_expression_and_is_another_request():
    reader = heads.Reader()
    sent = [
        SENT.replace(b"local", host).replace(b"hello", body) for host, body in ((b"a", b"hello"), (b"b c", b"world"))
    ]
    found = [reader.read(data, address="", arrived_at=0) for data in (*sent, *sent)]
    assert [(each.headers["host"], each.body) for each in found] == [("a", b"hello"), ("b c", b"world")] * 2


@pytest.mark.parametrize(
    "follows",
    [
        SENT.replace(b"Host: local", b"Host: local\r\nX: "),
        SENT.replace(b"local", b"local "),
        SENT.replace(b"Length: 5", b"Length: 6"),
        SENT.replace(b"Host", b"Transfer-Encoding"),
        SENT.replace(b"local", b"local\r\nHost: b"),
        SENT[:-5],
        SENT + b"POST",
        SENT.replace(b"POST", b"PATCH"),
    ],
)
def test_what_is_left_to_the_parser_is_so_behind_a_plain_request(follows):
    reader = heads.Reader()
    for data in (SENT, SENT):
        assert reader.read(data, address="", arrived_at=0) is not None
    assert reader.read(follows, address="", arrived_at=0) is None


def test_only_some_makes_get_an_expression_and_others_are_read_too(monkeypatch):
    monkeypatch.setattr(heads, "MAKES", len(heads._makes) + 1)  # how many there are
    reader = heads.Reader()
    for number in range(3):
        data = SENT.replace(b"Host", b"Host: a\r\nName%d" % number)
        found = [reader.read(data, address="", arrived_at=0) for _ in range(2)]
        assert [each.headers[f"name{number}"] for each in found] == ["local"] * 2
    assert len(heads._makes) == heads.MAKES


def test_long_names_get_no_expression(monkeypatch):
    monkeypatch.setattr(heads, "MAKES", len(heads._makes) + 1)
    data = SENT.replace(b"Host", b"Host: a\r\n" + b"N" * 2000)
    assert heads.Reader().read(data, address="", arrived_at=0) is not None
    assert len(heads._makes) == heads.MAKES - 1
