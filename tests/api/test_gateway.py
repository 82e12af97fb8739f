"""The deployed door: API Gateway's events through the Chalice app, which know less than the client signed."""

import base64
import json

import pytest

import app as deployed
from chalicelib.api import gateway
from chalicelib.wire import http
from tests import gateways
from tests.api import signing
from tests.api.signing import signed, texts
from tests.conftest import NOW


def event(request: http.Request, *, now: int = NOW, stage: str = "", encode: bool = False) -> dict:
    """The event of a REST API; with `encode` the body in base64, as of a type that the API takes for binary."""
    target = f"/{stage}{request.target}" if stage else request.target
    sent = gateways.Sent(method=request.method, target=target, headers=list(request.headers.items()), body=request.body)
    made = gateways.rest_event(sent, now=now, stage=stage)
    return made | {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True} if encode else made


@pytest.fixture
def invoke(application, clock):
    def run(method: str, target: str, *, stage: str = "", encode: bool = False, **arguments) -> dict:
        request = signed(method, target, now=clock.now(), **arguments)
        return deployed.app(event(request, now=clock.now(), stage=stage, encode=encode), None)

    return run


def test_a_session_through_the_deployed_app(invoke):
    created = invoke("PUT", "/queues/demo", body="<Queue/>")
    assert (created["statusCode"], created["headers"]["Location"]) == (201, f"http://{signing.HOST}/queues/demo")
    invoke("POST", "/queues/demo/messages", body="<Message><MessageBody>hi</MessageBody></Message>", encode=True)
    received = invoke("GET", "/queues/demo/messages?numOfMessages=1&waitseconds=5")
    handle = texts(http.Response(status=200, body=received["body"].encode()))["ReceiptHandle"]
    postponed = invoke("PUT", f"/queues/demo/messages?ReceiptHandle={handle}&VisibilityTimeout=60")
    handle = texts(http.Response(status=200, body=postponed["body"].encode()))["ReceiptHandle"]
    body = f"<ReceiptHandles><ReceiptHandle>{handle}</ReceiptHandle></ReceiptHandles>"
    assert invoke("DELETE", "/queues/demo/messages", body=body)["statusCode"] == 204
    assert invoke("GET", "/?accountmeta=true")["statusCode"] == 200


@pytest.mark.parametrize("headers", [{}, {"content-md5": ""}])
@pytest.mark.parametrize("target", ["/queues/demo?metaoverride=true", "/queues/demo?metaOverride=true"])
def test_a_digest_that_the_gateway_dropped_is_made_up_for(invoke, headers, target):
    invoke("PUT", "/queues/demo", body="<Queue/>")
    assert invoke("PUT", target, body="<Queue/>", headers=headers)["statusCode"] == 204


def test_a_percent_encoded_or_raw_value_and_any_order_of_the_query_verify(invoke):
    invoke("PUT", "/queues/demo", body="<Queue/>")
    for target in (
        "/queues/demo/messages?VisibilityTimeout=60&ReceiptHandle=a%3D%2F%2Bb",
        "/queues/demo/messages?ReceiptHandle=a=/b&VisibilityTimeout=60",
    ):
        answer = invoke("PUT", target)
        assert (answer["statusCode"], "ReceiptHandleError" in answer["body"]) == (400, True)


def test_a_wrong_signature_is_still_refused(invoke):
    answer = invoke("GET", "/queues?a=b", secret="wrong")
    assert (answer["statusCode"], "SignatureDoesNotMatch" in answer["body"]) == (403, True)


@pytest.mark.parametrize("path", ["/x", "/x/y", "/x/y/z/z/y/x/w/v"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "OPTIONS", "DELETE"])
def test_unknown_paths_get_mns_errors_and_no_json(invoke, path, method):
    answer = invoke(method, path)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (400, "text/xml;charset=utf-8")
    assert "<Code>InvalidRequestURL</Code>" in answer["body"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_through_the_app(application, method):
    answer = deployed.app(event(http.Request(method=method, path="/health")), None)
    assert answer["statusCode"] == 200
    assert answer["body"] == ("" if method == "HEAD" else json.dumps({"status": "ok"}))


def test_a_stage_before_the_path_may_be_signed(application, clock):
    request = signed("GET", "/api/queues", now=clock.now())
    behind = http.Request(method="GET", path="/queues", headers=request.headers)
    assert deployed.app(event(behind, stage="api"), None)["statusCode"] == 200


def test_a_long_poll_sleeps_between_looks_and_meets_what_is_due(invoke, clock):
    invoke("PUT", "/queues/demo", body="<Queue/>")
    body = "<Message><MessageBody>x</MessageBody><DelaySeconds>7</DelaySeconds></Message>"
    invoke("POST", "/queues/demo/messages", body=body)
    began = clock.now()
    assert invoke("GET", "/queues/demo/messages?waitseconds=20")["statusCode"] == 200
    assert clock.now() == began + 7_000
    assert invoke("GET", "/queues/demo/messages?waitseconds=20")["statusCode"] == 404
    assert clock.now() == began + 27_000


def test_a_name_or_value_that_a_gateway_decoded_cannot_pass_for_two_parameters(invoke, application, clock):
    invoke("PUT", "/queues/demo", body="<Queue/>")
    good = signed("GET", "/queues/demo/messages?peekonly=true&numOfMessages=16", now=clock.now())
    for query in ("peekonly=true%26numOfMessages=16", "peekonly%3Dtrue%26numOfMessages=16"):
        bad = http.Request(method="GET", path=good.path, query=query, headers=good.headers)
        assert "SignatureDoesNotMatch" in deployed.app(event(bad), None)["body"]


@pytest.mark.parametrize(
    ("full", "resource", "base", "path"),
    [
        ("/queues/demo", "/{s0}/{s1}", "", "/queues/demo"),
        ("/prod/queues/demo", "/{s0}/{s1}", "/prod", "/queues/demo"),
        ("/mns/v1/queues", "/{s0}", "/mns/v1", "/queues"),
        ("/prod/queues/", "/{s0}", "/prod", "/queues/"),
        ("/prod", "/", "/prod", "/"),
        ("/prod/", "/", "/prod", "/"),
        ("/", "/", "", "/"),
        ("/queues//", "/{s0}/{s1}", "", "/queues//"),
        ("/queues//messages", "/{s0}/{s1}/{s2}", "", "/queues//messages"),
        ("/prod/queues/a%2Fb", "/{s0}/{s1}", "/prod", "/queues/a%2Fb"),
    ],
)
def test_a_stage_or_base_path_is_told_from_the_path_by_the_resource(full, resource, base, path):
    """Behind a custom domain both of the event's paths have the base path, only the resource has not."""
    made = event(http.Request(method="GET", path=full)) | {"resource": resource, "path": full}
    request = gateway.read_event(made)
    assert (request.base, request.path) == (base, path)
    assert request.host_url == f"http://localhost{base}"


@pytest.mark.parametrize(
    ("raw", "stage", "base", "path"),
    [
        ("/queues", "$default", "", "/queues"),
        ("/prod/queues", "prod", "/prod", "/queues"),
        ("/prod", "prod", "/prod", "/"),
        ("/products", "prod", "", "/products"),
        ("", "$default", "", "/"),
    ],
)
def test_the_stage_of_an_http_api_is_no_part_of_the_path(raw, stage, base, path):
    sent = gateways.Sent(method="GET", target=raw, headers=[("Host", "mns.test")])
    request = gateway.read_event(gateways.http_event(sent, now=NOW, stage=stage, scheme="https"))
    assert (request.base, request.path, request.host_url) == (base, path, f"https://mns.test{base}")


def test_guesses_are_made_one_by_one_the_likeliest_first():
    """All of them cost more than all else of reading an event."""
    many = "&".join(f"{name}={name}" for name in "abcd")
    request = gateway.read_event(event(signed("PUT", f"/queues/demo?{many}", now=NOW, body="<Queue/>")))
    assert next(iter(request.targets())) == f"/queues/demo?{many}"
    assert next(iter(request.digests())) == ""
    assert (len(set(request.targets())), len(set(request.digests()))) == (24, 6)


def test_a_response_that_is_no_text_goes_in_base64():
    request = http.Request(method="GET", path="/")
    rendered = gateway.render(request, http.Response(status=200, headers={"a": "b"}, body=b"\xff\x00"))
    assert rendered == {"statusCode": 200, "headers": {"a": "b"}, "body": "/wA=", "isBase64Encoded": True}
