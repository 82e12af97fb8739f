"""What is particular to each front: stages in paths, encoded bodies, lost bytes, errors of its own."""

from collections.abc import Callable

import pytest

from infra.bench import lambdas
from tests import live
from tests.bundle import fronts
from tests.bundle.conftest import Server

XML = ("Content-Type", "text/xml;charset=UTF-8")


@pytest.fixture
def staged(functions: dict[str, lambdas.Function], opened: Callable[[fronts.Respond], Server], front: str) -> Server:
    """A front called by its own host name, which has the stage before the path."""
    if front == "REST API":
        return opened(fronts.rest(functions[front], stage="prod"))
    return opened(fronts.http_api(functions[front], stage="prod"))


def send(server: Server, target: str, signed: str, *, method: str = "PUT", body: bytes = b"<Queue/>") -> live.Reply:
    """A request whose signature is of another target than where it goes."""
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06"), XML]
    with server.connect() as connection:
        authorization = ("Authorization", live.sign_v2(method, signed, headers, live.OWNER))
        connection.send(live.raw(method, target, [*headers, authorization], body))
        return connection.read()


@pytest.mark.parametrize("front", ["REST API", "HTTP API"])
@pytest.mark.parametrize("prefix", ["", "/prod"], ids=["signed without it", "signed with it"])
def test_a_stage_is_no_part_of_the_api_but_of_the_urls_in_answers(staged, front, prefix, name):
    created = send(staged, f"/prod/queues/{name}", f"{prefix}/queues/{name}")
    assert (created.status, created.spelled["Location"]) == (201, f"{staged.endpoint}/prod/queues/{name}")
    target = f"/queues/{name}?metaoverride=true"
    assert send(staged, f"/prod{target}", f"{prefix}{target}").status == 204
    listed = send(staged, "/prod/queues", f"{prefix}/queues", method="GET", body=b"")
    assert f"<QueueURL>{staged.endpoint}/prod/queues/{name}</QueueURL>".encode() in listed.body
    account = send(staged, "/prod/?accountmeta=true", f"{prefix}/?accountmeta=true", method="GET", body=b"")
    assert account.status == 200


@pytest.mark.parametrize("signer", ["v2", "v4"])
@pytest.mark.parametrize("content_type", ["text/xml", "application/octet-stream", "made/up", None])
def test_both_signatures_and_any_content_type_pass_every_front(server, name, signer, content_type):
    arguments = {"signer": signer, "content_type": content_type}
    assert server.ask("PUT", f"/queues/{name}", body="<Queue/>", **arguments).status == 201
    digest = ("Content-MD5", live.hex_md5_header(b"<Queue/>"))
    reply = server.ask("PUT", f"/queues/{name}?metaoverride=true", body="<Queue/>", headers=[digest], **arguments)
    assert reply.status == 204
    assert server.ask("GET", f"/queues/{name}", **arguments).status == 200


def test_a_body_in_chunks_arrives_whole(server, name):
    body = b"<Queue><VisibilityTimeout>77</VisibilityTimeout></Queue>"
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06"), XML]
    authorization = ("Authorization", live.sign_v2("PUT", f"/queues/{name}", headers, live.OWNER))
    head = live.raw("PUT", f"/queues/{name}", [*headers, authorization, ("Transfer-Encoding", "chunked")])
    head = head.replace(b"Content-Length: 0\r\n", b"")
    with server.connect() as connection:
        connection.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert connection.read().status == 201
    assert server.ask("GET", f"/queues/{name}").fields["VisibilityTimeout"] == "77"


def test_no_header_of_ours_is_one_that_a_gateway_renames_or_takes(server, name):
    replies = [
        server.ask("PUT", f"/queues/{name}", body="<Queue/>"),
        server.ask("GET", f"/queues/{name}"),
        server.ask("GET", "/nothing"),
        server.ask("DELETE", f"/queues/{name}"),
    ]
    assert [reply.status for reply in replies] == [201, 200, 400, 204]
    for reply in replies:
        assert not [key for key, _ in reply.headers if key.lower().startswith("x-amzn-remapped")]
        assert reply.header("x-mns-request-id")


@pytest.mark.parametrize("depth", [8, 9])
def test_an_unknown_path_gets_an_mns_error_unless_it_is_too_deep_for_the_routes_of_a_rest_api(server, door, depth):
    reply = server.ask("GET", "/" + "/".join("abcdefghi"[:depth]))
    if (door, depth) == ("REST API", 9):
        assert (reply.status, b"Missing Authentication Token" in reply.body) == (403, True)
    else:
        assert reply.outcome == (400, "InvalidRequestURL")


def test_bytes_that_are_no_text_are_refused_where_their_digest_is_signed(server, door, queue):
    """A REST API and an HTTP API make text of them, so that neither the digest nor the signature is right."""
    body = b"<Message><MessageBody>\xff\xfe</MessageBody></Message>"
    digest = ("Content-MD5", live.hex_md5_header(body))
    reply = server.ask("POST", f"/queues/{queue}/messages", body=body, headers=[digest])
    assert reply.code == ("InvalidDegist" if door == "function URL" else "SignatureDoesNotMatch")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_is_answered_to_everybody(server, method):
    with server.connect() as connection:
        connection.send(live.raw(method, "/health", [("Host", server.host)]))
        reply = connection.read(has_body=method == "GET")
    assert (reply.status, reply.body) == (200, b'{"status": "ok"}' if method == "GET" else b"")


def test_a_function_that_fails_outright_is_a_gateways_error(deployed, opened, tmp_path):
    variables = {"OPENMNS_LONGEST_WAIT": "for ever"}
    function = deployed.another("misled", {"handler": "app.app"}, variables=variables, log=tmp_path / "log")
    assert opened(fronts.rest(function)).ask("GET", "/queues").status == 502
    assert "OPENMNS_LONGEST_WAIT should be of type float" in (tmp_path / "log").read_text()
