"""The load generator's HTTP: where a response ends, and the bytes of requests."""

import math
import os
import time

import pytest

from infra.bench import dialects, exchange, machine, tally
from tests import live

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"


def test_a_response_is_cut_at_its_length():
    assert exchange.cut(CREATED) == (exchange.Response(201, b"hello"), False)


@pytest.mark.parametrize("length", [0, 10, len(CREATED) - 6, len(CREATED) - 1])
def test_a_response_that_is_not_complete_is_not_cut(length):
    assert exchange.cut(CREATED[:length]) is None


def test_a_response_without_a_body_ends_with_its_headers():
    assert exchange.cut(b"HTTP/1.1 204 No Content\r\n\r\n") == (exchange.Response(204, b""), False)


@pytest.mark.parametrize("raw", [CREATED.replace(b"X: y", b"connection: Close"), CREATED.replace(b"1.1", b"1.0")])
def test_a_server_that_hangs_up_after_its_response_is_noticed(raw):
    assert exchange.cut(raw) == (exchange.Response(201, b"hello"), True)


def test_a_response_in_chunks_is_refused():
    with pytest.raises(exchange.BrokenError):
        exchange.cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_a_delete_is_signed_as_the_other_requests_are():
    mns = dialects.Mns(dialects.Endpoint(dialect="mns", port=8000), "q")
    request = mns.delete([b"handle"]).decode()
    line, *headers = request.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = line.split()
    pairs = [tuple(header.split(": ", 1)) for header in headers]
    assert dict(pairs)["Authorization"] == live.sign_v2(method, target, pairs, live.OWNER)
    assert (method, target) == ("DELETE", "/queues/q/messages?ReceiptHandle=handle")


def test_a_send_is_signed_with_its_type_and_checksum():
    mns = dialects.Mns(dialects.Endpoint(dialect="mns", port=8000), "q")
    head, _, body = mns.send(16).decode().partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, target, _ = line.split()
    pairs = [tuple(header.split(": ", 1)) for header in headers]
    sent = dict(pairs)
    assert sent["Authorization"] == live.sign_v2(method, target, pairs, live.OWNER)
    assert (sent["Content-Length"], sent["Content-MD5"]) == (str(len(body)), live.hex_md5_header(body.encode()))
    assert body.count(dialects.BODY) == 16


@pytest.mark.parametrize(
    ("status", "payload", "empty"),
    [
        (200, b"<ReceiveMessageResult/>", True),
        (404, b"<Error><Code>MessageNotExist</Code></Error>", True),
        (404, b"<Error><Code>QueueNotExist</Code></Error>", False),
        (500, b"", False),
    ],
)
def test_only_an_answer_that_there_is_no_message_is_empty(status, payload, empty):
    assert dialects.is_empty(status, payload) is empty


def test_what_is_done_before_the_window_opens_is_not_counted():
    window = tally.Window.opening(warm=60, seconds=1, limit=1)
    counts = tally.Tally(window=window)
    counts.add(1, counts.start(1))
    assert (counts.done, counts.counted, counts.wants_more) == (1, 0, True)


def test_the_rate_is_what_was_counted_over_the_time_to_the_last_one():
    now = time.perf_counter()
    window = tally.Window(counts_from=now - 2, ends=now + 60, limit=100)
    counts = tally.Tally(window=window, counted=10, last=now, latencies=[0.001, 0.003])
    found = tally.summary([counts])
    assert (found["rate"], found["p50_ms"], found["p99_ms"]) == pytest.approx((5, 1, 3))


def test_nothing_counted_is_a_rate_of_zero():
    counts = tally.Tally(window=tally.Window.opening(warm=0, seconds=1, limit=1))
    assert tally.summary([counts]) == {"messages": 0, "seconds": 0, "rate": 0, "failures": 0}


def test_the_name_of_a_process_may_hold_anything():
    assert machine.parse_stat("42 (a) b (c) S 1 42\n") == ["S", "1", "42"]


def test_this_process_has_memory_and_time():
    assert machine.memory_bytes(os.getpid()) > 1_000_000
    assert machine.cpu_seconds(os.getpid()) > 0
    assert math.isfinite(machine.run_seconds(os.getpid()))
