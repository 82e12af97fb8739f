"""HTTP as it comes over the wire: connections, bodies, and what is not HTTP at all."""

import socket

import pytest

from tests import live

MESSAGE = b"<Message><MessageBody>hello</MessageBody></Message>"


def signed(server: live.Server, method: str, target: str, **arguments: object) -> bytes:
    return live.request(method, target, host=server.host, **arguments)


def chunked(request: bytes, *sizes: int) -> bytes:
    """A request with its body in chunks of these sizes, the rest in a last one."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    chunks, start = [], 0
    for size in [*sizes, len(body) - sum(sizes)]:
        part = body[start : start + size]
        chunks.append(b"%x\r\n%s\r\n" % (len(part), part))
        start += size
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + b"".join(chunks) + b"0\r\n\r\n"


def closes(connection: live.Connection) -> bool:
    """Whether the server ends the connection within two seconds, politely or not."""
    connection.socket.settimeout(2)
    try:
        return connection.at_end()
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


# --- Connections -----------------------------------------------------------------------------------------------------


def test_a_connection_is_kept_alive_for_request_after_request(server, queue):
    with server.connect() as connection:
        statuses = []
        for _ in range(3):
            statuses.append(connection.ask("POST", f"/queues/{queue}/messages", body=MESSAGE).status)
            handle = connection.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]
            statuses.append(connection.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={handle}").status)
            statuses.append(connection.ask("GET", f"/queues/{queue}/messages").status)
        assert statuses == [201, 204, 404] * 3


def test_pipelined_requests_are_answered_in_their_order(server, queue):
    requests = [
        signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE),
        signed(server, "GET", "/nope"),
        signed(server, "GET", f"/queues/{queue}/messages?peekonly=true"),
        signed(server, "DELETE", f"/queues/{queue}"),
        signed(server, "GET", f"/queues/{queue}"),
    ]
    with server.connect() as connection:
        connection.send(b"".join(requests))
        assert [connection.read().status for _ in requests] == [201, 400, 200, 204, 404]


def test_a_request_behind_a_parked_poll_is_answered_after_it(server, queue):
    with server.connect() as connection:
        connection.send(
            signed(server, "GET", f"/queues/{queue}/messages?waitseconds=1") + signed(server, "GET", f"/queues/{queue}")
        )
        assert [connection.read().status for _ in range(2)] == [404, 200]


def test_connection_close_is_honoured(server):
    with server.connect() as connection:
        connection.send(b"GET /health HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
        assert connection.read().status == 200
        assert connection.at_end()


def test_http_1_0_is_answered_and_the_connection_closed(server):
    with server.connect() as connection:
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert (connection.read().body, connection.at_end()) == (b'{"status": "ok"}', True)


def test_a_signed_request_in_http_1_0_is_served(server, queue):
    request = signed(server, "GET", f"/queues/{queue}").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with server.connect() as connection:
        connection.send(request)
        assert connection.read().fields["QueueName"] == queue


def test_a_request_that_trickles_in_byte_by_byte_is_served(server, queue):
    with server.connect() as connection:
        for byte in signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE):
            connection.send(bytes([byte]))
        assert connection.read().status == 201


def test_the_same_bytes_again_are_another_request(server, queue):
    receive = signed(server, "GET", f"/queues/{queue}/messages?waitseconds=0")
    with server.connect() as one, server.connect() as other:
        got = []
        for number, connection in enumerate((one, other, one, one)):
            if number != 3:
                server.ask("POST", f"/queues/{queue}/messages", body=MESSAGE.replace(b"hello", b"%d" % number))
            connection.send(receive)
            got.append(connection.read())
    assert [reply.fields.get("MessageBody", reply.status) for reply in got] == ["0", "1", "2", 404]
    assert len({reply.spelled["x-mns-request-id"] for reply in got}) == 4


# --- Health ----------------------------------------------------------------------------------------------------------


def test_get_health_answers_ok_without_a_signature(server):
    with server.connect() as connection:
        connection.send(b"GET /health HTTP/1.1\r\nHost: local\r\n\r\n")
        reply = connection.read()
    assert (reply.status, reply.header("Content-Type"), reply.body) == (200, "application/json", b'{"status": "ok"}')


def test_head_health_answers_without_a_body_and_the_connection_goes_on(server):
    with server.connect() as connection:
        for _ in range(2):
            connection.send(b"HEAD /health HTTP/1.1\r\nHost: local\r\n\r\n")
            assert connection.read(has_body=False).status == 200
        connection.send(b"GET /health HTTP/1.1\r\nHost: local\r\n\r\n")
        assert connection.read().status == 200


# --- Bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(), (1,), (7, 13)])
def test_a_chunked_body_is_read_and_the_connection_stays_in_step(server, queue, sizes):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE)
    with server.connect() as connection:
        connection.send(chunked(request, *sizes) * 2)
        assert [connection.read().status for _ in range(2)] == [201, 201]
        got = connection.ask("GET", f"/queues/{queue}/messages?numOfMessages=16")
    assert [entry["MessageBody"] for entry in got.entries] == ["hello", "hello"]


def test_expect_100_continue_is_answered_before_the_body_is_sent(server, queue):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE, headers=[("Expect", "100-continue")])
    head, _, body = request.partition(b"\r\n\r\n")
    with server.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        assert connection.read().status == 100
        connection.send(body)
        assert connection.read().status == 201


def test_a_body_that_is_sent_without_waiting_for_100_continue_is_taken_too(server, queue):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE, headers=[("Expect", "100-continue")])
    with server.connect() as connection:
        connection.send(request)
        statuses = [connection.read().status]
        if statuses == [100]:
            statuses.append(connection.read().status)
    assert statuses[-1] == 201


@pytest.mark.parametrize("in_chunks", [False, True], ids=["with a length", "in chunks"])
def test_a_body_over_the_limit_gets_an_mns_error_and_the_server_goes_on(server, queue, in_chunks):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=b"x" * 1_048_577)
    with server.connect() as connection:
        connection.send(chunked(request, 500_000) if in_chunks else request)
        reply = connection.read()
        assert reply.outcome == (400, "InvalidArgument")
        assert reply.fields["Message"] == "The request may have 1048576 bytes of body and 65536 of headers."
    assert server.ask("GET", f"/queues/{queue}").status == 200


def test_the_connection_of_a_body_over_the_limit_is_closed_as_its_answer_says(server, queue):
    with server.connect() as connection:
        connection.send(signed(server, "POST", f"/queues/{queue}/messages", body=b"x" * 1_048_577))
        assert (connection.read().header("Connection"), closes(connection)) == ("close", True)


def test_a_body_of_just_the_limit_is_looked_into(server, queue):
    body = MESSAGE + b" " * (1_048_576 - len(MESSAGE))
    assert server.ask("POST", f"/queues/{queue}/messages", body=body).status == 201


def test_a_body_without_end_is_cut_off(server, queue):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=b"x")
    head = request.partition(b"\r\n\r\n")[0].replace(b"Content-Length: 1", b"Content-Length: 99999999999")
    with server.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012  # whenever the server has enough
            for _ in range(1024):  # 64 MB
                connection.send(b"x" * 65_536)


def test_a_client_that_leaves_in_the_middle_of_its_body_changes_nothing(server, queue):
    request = signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE)
    with server.connect() as connection:
        connection.send(request[:-10])
    assert server.ask("GET", f"/queues/{queue}").fields["ActiveMessages"] == "0"


def test_too_many_bytes_of_headers_get_an_mns_error(server):
    headers = [(f"x-long-{number}", "x" * 8000) for number in range(10)]
    with server.connect() as connection:
        connection.send(signed(server, "GET", "/queues", headers=headers))
        assert connection.read().outcome == (400, "InvalidArgument")
    assert server.ask("GET", "/queues").status == 200


def test_a_204_has_neither_body_nor_length(server, queue):
    reply = server.ask("DELETE", f"/queues/{queue}")
    assert (reply.status, reply.header("Content-Length"), reply.header("Transfer-Encoding"), reply.body) == (
        204,
        None,
        None,
        b"",
    )


# --- What is no operation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/nope"),
        ("GET", "/"),
        ("POST", "/queues"),
        ("PATCH", "/queues"),
        ("OPTIONS", "/queues"),
        ("TRACE", "/queues"),
        ("DELETE", "/health"),
        ("PUT", "/queues/a/b/c/d/e/f/g/h/i/j"),
        ("GET", "/queues//messages"),
        ("GET", "/queues/q/messages/"),
        ("GET", "/%00/%ff"),
        ("GET", "/?accountmeta=false"),
    ],
)
def test_an_unknown_path_or_method_gets_an_mns_error(server, method, target):
    reply = server.ask(method, target)
    known = target == "/queues/q/messages/"  # a slash at the end is no part of the name
    assert reply.outcome == ((404, "QueueNotExist") if known else (400, "InvalidRequestURL"))
    assert reply.root == "{http://mns.aliyuncs.com/doc/v1}Error"
    assert reply.fields["RequestId"] == reply.spelled["x-mns-request-id"]
    assert reply.fields["HostId"] == server.endpoint


def test_a_head_request_to_an_unknown_path_gets_the_status_and_no_body(server):
    with server.connect() as connection:
        assert connection.ask("HEAD", "/nope").status == 400
        assert connection.ask("GET", "/queues").status == 200


def test_a_parameter_given_twice_is_refused(server, queue):
    reply = server.ask("GET", f"/queues/{queue}/messages?waitseconds=1&WaitSeconds=2")
    assert reply.outcome == (400, "InvalidQueryString")


@pytest.mark.parametrize(
    "garbage",
    [
        b"this is no HTTP\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /queues HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,  # a TLS greeting
        b"POST /queues/q/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot-a-size\r\n\r\n",
        b"POST /queues/q/messages HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_400_and_the_server_goes_on(server, garbage):
    with server.connect() as connection:
        connection.send(garbage)
        assert connection.read().status == 400
        assert closes(connection)
    assert server.ask("GET", "/queues").status == 200


def test_a_request_with_both_a_length_and_chunks_is_not_served(server, queue):
    """Two lengths are how requests are smuggled past a proxy."""
    request = chunked(signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE))
    with server.connect() as connection:
        connection.send(request.replace(b"Transfer-Encoding", b"Content-Length: 5\r\nTransfer-Encoding", 1))
        assert connection.read().status == 400
    assert server.ask("GET", f"/queues/{queue}").fields["ActiveMessages"] == "0"


def test_a_connection_that_says_nothing_harms_nobody(server, queue):
    with socket.create_connection(server.address, timeout=5):
        assert server.ask("GET", f"/queues/{queue}").status == 200


def test_a_request_with_a_body_that_asks_for_an_upgrade_is_refused_and_changes_nothing(server):
    """The HTTP parser takes what follows such a header for another protocol: the body would be lost."""
    name = live.unique()
    body = b"<Queue><DelaySeconds>77</DelaySeconds></Queue>"
    asked = live.request("PUT", f"/queues/{name}", host=server.host, body=body)
    asked = asked.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 1)
    with server.connect() as connection:
        connection.send(asked)
        assert connection.read().outcome == (400, "InvalidArgument")
    assert server.ask("GET", f"/queues/{name}").outcome == (404, "QueueNotExist")


def test_hundreds_of_pipelined_requests_behind_one_that_takes_its_time_are_answered_in_order(server, queue):
    health = b"GET /health HTTP/1.1\r\nHost: local\r\n\r\n"
    with server.connect() as connection:
        connection.send(signed(server, "GET", f"/queues/{queue}/messages?waitseconds=1") + health * 1000)
        assert [connection.read().status for _ in range(1001)] == [404] + [200] * 1000


def test_what_follows_a_chunked_body_is_no_header(server, queue):
    request = chunked(signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE))
    unsigned = b"\r\n".join(line for line in request.split(b"\r\n") if not line.startswith(b"Authorization"))
    [authorization] = [line for line in request.split(b"\r\n") if line.startswith(b"Authorization")]
    with server.connect() as connection:
        connection.send(unsigned.removesuffix(b"\r\n") + authorization + b"\r\n\r\n")
        assert connection.read().outcome == (400, "MissingAuthorizationHeader")


def test_a_trailer_without_end_is_cut_off(server, queue):
    request = chunked(signed(server, "POST", f"/queues/{queue}/messages", body=MESSAGE))
    with server.connect() as connection:
        connection.send(request.removesuffix(b"\r\n") + b"X-Long: ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012  # whenever the server has enough
            for _ in range(1024):  # 64 MB
                connection.send(b"x" * 65_536)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("openmns:8000", 200),
        ("a.mns.localhost", 200),
        ("evil.test", 403),
        ("evil.test:8000", 403),
        ("127.0.0.1.evil.test", 403),
        ("[::1", 403),
    ],
)
def test_the_local_helpers_are_served_to_names_of_this_machine_only(server, host, status):
    """A web page may have its own name mean this machine, but not another one."""
    with server.connect() as connection:
        connection.send(f"GET /_local/clock HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert connection.read().status == status


def test_a_helper_that_is_asked_wrongly_says_so(server):
    with server.connect() as connection:
        connection.send(b"GET /_local/deliveries?limit=1&limit=2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.read().status == 400
        connection.send(
            b"POST /_local/object-events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000
        )
        assert connection.read().status == 400
