"""The RPC dialect through the whole application: signatures, parameters, errors, nonces and client tokens."""

import base64
import json
from urllib import parse

import pytest

import app as deployed
from chalicelib.model import errors
from chalicelib.wire import http
from tests.api import rpc_signing, signing
from tests.api.rpc_signing import acs3, answer, outcome, v1
from tests.api.test_gateway import event

SIGNERS = [
    pytest.param(v1, id="V1"),
    pytest.param(lambda *given, **more: v1(*given, method="GET", **more), id="V1-GET"),
    pytest.param(lambda *given, **more: v1(*given, form=True, **more), id="V1-form"),
    pytest.param(acs3, id="ACS3"),
    pytest.param(lambda *given, **more: acs3(*given, method="GET", **more), id="ACS3-GET"),
    pytest.param(lambda *given, **more: acs3(*given, form=True, **more), id="ACS3-form"),
]
SPECIAL = {"QueueName": "demo", "Tag.1.Key": "k+ey ~*'%2F=&?", "Tag.1.Value": "ü 订单 +/"}


@pytest.fixture
def ask(application):
    return application.door.run


@pytest.fixture
def through_the_gateway(application):
    def run(request: http.Request, *, stage: str = "") -> http.Response:
        got = deployed.app(event(request, stage=stage), None)
        return http.Response(status=got["statusCode"], headers=got["headers"], body=got["body"].encode())

    return run


@pytest.mark.parametrize("sign", SIGNERS)
def test_a_call_is_answered_however_it_is_signed_and_wherever_its_parameters_are(ask, clock, sign):
    made = ask(sign("CreateQueue", SPECIAL, now=clock.now()))
    assert (made.status, answer(made)) == (
        200,
        {
            "RequestId": made.headers["x-acs-request-id"],
            "Code": 200,
            "Status": "Success",
            "Message": "operation success",
            "Success": True,
            "Data": {"Code": 201, "Message": "operation success", "Success": True},
        },
    )
    assert made.headers["Content-Type"] == "application/json;charset=utf-8"
    got = answer(ask(sign("GetQueueAttributes", {"QueueName": "demo"}, now=clock.now())))["Data"]
    assert got["Tags"] == [{"TagKey": "k+ey ~*'%2F=&?", "TagValue": "ü 订单 +/"}]


@pytest.mark.parametrize("sign", SIGNERS)
@pytest.mark.parametrize("stage", ["", "/prod"])
def test_a_call_is_answered_behind_the_gateway_too(through_the_gateway, clock, sign, stage):
    made = through_the_gateway(sign("CreateQueue", SPECIAL, now=clock.now()), stage=stage)
    assert (made.status, answer(made)["Data"]["Code"]) == (200, 201)
    listed = through_the_gateway(sign("ListQueue", {}, now=clock.now()), stage=stage)
    [entry] = answer(listed)["Data"]["PageData"]
    assert (entry["QueueName"], entry["Tags"][0]["TagValue"]) == ("demo", "ü 订单 +/")


def test_the_queue_is_the_one_of_the_xml_api(ask, call, clock):
    ask(acs3("CreateQueue", {"QueueName": "demo", "DelaySeconds": "5"}, now=clock.now()))
    assert signing.texts(call("GET", "/queues/demo"))["DelaySeconds"] == "5"
    assert (
        call("PUT", "/queues/demo?metaoverride=true", body="<Queue><DelaySeconds>7</DelaySeconds></Queue>").status
        == 204
    )
    got = answer(ask(acs3("GetQueueAttributes", {"QueueName": "demo"}, now=clock.now())))
    assert got["Data"]["DelaySeconds"] == 7


def test_the_account_operations_of_the_xml_api_stay_where_they_are(call):
    assert call("GET", "/?accountmeta=true").status == 200
    assert call("PUT", "/?accountmeta=true", body="<Account/>").status == 204


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("mns-open.cn-shanghai.aliyuncs.com", "cn-shanghai"),
        ("mns-open-vpc.cn-shanghai.aliyuncs.com", "cn-shanghai"),
        (f"{signing.ACCOUNT}.mns.cn-shanghai.example.test", "cn-shanghai"),
        ("127.0.0.1:8000", "cn-hangzhou"),
        ("a1b2.execute-api.us-east-1.amazonaws.com", "cn-hangzhou"),
    ],
)
def test_the_host_says_the_region(ask, call, clock, host, region):
    ask(v1("CreateQueue", {"QueueName": "demo"}, now=clock.now(), host=host))
    assert call("GET", "/queues/demo", host=f"{signing.ACCOUNT}.mns.{region}.aliyuncs.com").status == 200


def test_a_region_that_is_named_goes_before_the_host(ask, call, clock):
    ask(v1("CreateQueue", {"QueueName": "demo"}, now=clock.now(), common={"RegionId": "cn-beijing"}))
    assert call("GET", "/queues/demo", host=f"{signing.ACCOUNT}.mns.cn-beijing.aliyuncs.com").status == 200
    refused = ask(v1("ListQueue", now=clock.now(), common={"RegionId": "cn_bei#jing"}))
    assert outcome(refused) == (400, "InvalidParameter")


# --- What is refused --------------------------------------------------------------------------------------------------


def test_an_error_has_the_shape_that_all_products_share(ask, clock):
    refused = ask(v1("GetQueueAttributes", {"QueueName": "nope"}, now=clock.now()))
    request_id = refused.headers["x-acs-request-id"]
    assert (refused.status, answer(refused)) == (
        404,
        {
            "RequestId": request_id,
            "HostId": rpc_signing.HOST,
            "Code": "QueueNotExist",
            "Message": "The queue name you provided is not exist.",
            "Recommend": f"https://api.aliyun.com/troubleshoot?q=QueueNotExist&requestId={request_id}",
        },
    )


@pytest.mark.parametrize("sign", SIGNERS)
def test_a_wrong_secret_and_an_unknown_key_are_told_apart(ask, clock, sign):
    wrong = ask(sign("CreateQueue", SPECIAL, now=clock.now(), secret="wrong"))
    assert outcome(wrong) == (400, "SignatureDoesNotMatch")
    assert "The server built this string to sign: " in answer(wrong)["Message"]
    assert outcome(ask(sign("CreateQueue", SPECIAL, now=clock.now(), key="nobody"))) == (
        404,
        "InvalidAccessKeyId.NotFound",
    )
    assert answer(ask(sign("ListQueue", now=clock.now())))["Data"]["Total"] == 0


@pytest.mark.parametrize("sign", SIGNERS)
@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_call_of_another_time_is_refused(ask, clock, sign, minutes):
    stale = ask(sign("ListQueue", now=clock.now() + minutes * 60_000))
    assert outcome(stale) == (400, "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("sign", SIGNERS)
def test_a_call_is_taken_once(ask, clock, sign):
    request = sign("CreateQueue", SPECIAL, now=clock.now())
    assert ask(request).status == 200
    clock.advance(10 * 60)
    assert outcome(ask(request)) == (400, "SignatureNonceUsed")
    clock.advance(6 * 60)
    assert outcome(ask(request)) == (400, "InvalidTimeStamp.Expired")


def test_a_call_of_the_near_future_cannot_be_replayed_while_it_is_fresh(ask, clock):
    request = v1("ListQueue", now=clock.now() + 14 * 60_000)
    assert ask(request).status == 200
    clock.advance(28 * 60)
    assert outcome(ask(request)) == (400, "SignatureNonceUsed")


def test_a_nonce_that_was_sent_with_a_wrong_signature_is_still_good(ask, clock):
    nonce = {"SignatureNonce": "mine"}
    assert ask(v1("ListQueue", now=clock.now(), common=nonce, secret="wrong")).status == 400
    assert ask(v1("ListQueue", now=clock.now(), common=nonce)).status == 200
    assert (
        ask(v1("ListQueue", now=clock.now(), common=nonce, key=signing.OTHER_KEY, secret=signing.OTHER_SECRET)).status
        == 200
    )


@pytest.mark.parametrize(
    ("common", "expected"),
    [
        ({"Action": None}, (400, "MissingAction")),
        ({"Action": "Nonsense"}, (404, "InvalidAction.NotFound")),
        ({"Action": "createqueue"}, (404, "InvalidAction.NotFound")),
        ({"Version": None}, (400, "MissingVersion")),
        ({"Version": "2015-06-06"}, (400, "InvalidVersion")),
        ({"Format": "XML"}, (400, "InvalidParameter")),
        ({"AccessKeyId": None}, (400, "MissingAccessKeyId")),
        ({"SignatureNonce": None}, (400, "MissingSignatureNonce")),
        ({"SignatureNonce": "n" * 129}, (400, "InvalidParameter")),
        ({"SignatureNonce": "a b"}, (400, "InvalidParameter")),
        ({"Timestamp": None}, (400, "MissingTimestamp")),
        ({"Timestamp": "yesterday"}, (400, "InvalidTimeStamp.Format")),
        ({"SignatureMethod": "HMAC-MD5"}, (400, "InvalidSignatureMethod")),
        ({"SignatureVersion": "2.0"}, (400, "InvalidSignatureMethod")),
        ({"Format": None}, (200, None)),
        ({"Format": "json"}, (200, None)),
    ],
)
def test_what_every_call_must_say(ask, clock, common, expected):
    response = ask(v1("ListQueue", now=clock.now(), common=common))
    status, code = expected
    assert (response.status, answer(response).get("Code")) == (status, code or 200)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-acs-content-sha256": "0" * 64}, (400, "IncompleteSignature")),
        ({"x-acs-date": "now"}, (400, "InvalidTimeStamp.Format")),
        ({"x-acs-date": ""}, (400, "Missingx-acs-date")),
        ({"x-acs-signature-nonce": ""}, (400, "Missingx-acs-signature-nonce")),
        ({"x-acs-content-sha256": ""}, (400, "Missingx-acs-content-sha256")),
        ({"x-acs-version": "2022-01-20"}, (400, "InvalidVersion")),
    ],
)
def test_what_the_headers_of_acs3_must_say(ask, clock, headers, expected):
    assert outcome(ask(acs3("ListQueue", now=clock.now(), headers=headers))) == expected


@pytest.mark.parametrize(
    "name", ["x-acs-action", "x-acs-date", "x-acs-signature-nonce", "host", "x-acs-security-token"]
)
def test_acs3_must_cover_the_headers_that_say_what_is_called(ask, clock, name):
    request = acs3("ListQueue", now=clock.now(), headers={"x-acs-security-token": "t"}, unsigned=(name,))
    assert outcome(ask(request)) == (400, "IncompleteSignature")


@pytest.mark.parametrize(
    "header", ["ACS3-HMAC-SHA256", "MNS a:b", "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=xyz"]
)
def test_an_authorization_of_another_form_is_incomplete(ask, clock, header):
    request = acs3("ListQueue", now=clock.now())
    broken = http.Request(method="POST", path="/", headers={**request.headers, "authorization": header})
    assert outcome(ask(broken)) == (400, "IncompleteSignature")


def changed(request: http.Request, **parts) -> http.Request:
    return http.Request(
        **{
            "method": request.method,
            "path": "/",
            "query": request.query,
            "headers": request.headers,
            "body": request.body,
        }
        | parts
    )


@pytest.mark.parametrize("sign", SIGNERS)
def test_nothing_of_a_signed_call_can_be_changed(ask, clock, sign):
    request = sign("DeleteQueue", {"QueueName": "demo"}, now=clock.now())
    for change in (
        {"query": request.query.replace("QueueName=demo", "QueueName=other")}
        if "QueueName" in request.query
        else {"body": b"QueueName=other"},
        {"query": f"{request.query}&Force=1".lstrip("&")},
        {
            "query": request.query.replace("DeleteQueue", "CreateQueue"),
            "headers": {
                **request.headers,
                **({"x-acs-action": "CreateQueue"} if "x-acs-action" in request.headers else {}),
            },
        },
        {"method": "GET" if request.method == "POST" else "POST"},
    ):
        assert outcome(ask(changed(request, **change)))[1] in (
            "SignatureDoesNotMatch",
            "IncompleteSignature",
        )


def test_a_header_and_a_parameter_may_not_name_two_actions(ask, clock):
    request = v1("ListQueue", now=clock.now())
    assert ask(changed(request, headers={**request.headers, "x-acs-action": "ListQueue"})).status == 200
    other = v1("ListQueue", now=clock.now())
    refused = ask(changed(other, headers={**other.headers, "x-acs-action": "DeleteQueue"}))
    assert outcome(refused) == (400, "InvalidParameter")


def form(body: bytes, content_type: str = "application/x-www-form-urlencoded") -> http.Request:
    return http.Request(method="POST", path="/", headers={"content-type": content_type}, body=body)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (form(b""), (400, "MissingAction")),
        (form(b"Action=ListQueue&Action=DeleteQueue"), (400, "InvalidParameter")),
        (form(b"Action=%FF"), (400, "InvalidParameter")),
        (form("Action=ü".encode()), (400, "InvalidParameter")),
        (form(b"&".join(b"a%d=1" % number for number in range(501))), (400, "InvalidParameter")),
        (form(b'{"Action":"ListQueue"}', "application/json"), (415, "InvalidContentType")),
        (form(b"<Queue/>", "text/xml"), (415, "InvalidContentType")),
        (form(b"Action=ListQueue&Version=2022-01-19"), (400, "MissingAccessKeyId")),
        (form(b"Action=" + b"x" * 200_000 + b"&Version=2022-01-19"), (404, "InvalidAction.NotFound")),
        (form(b"Action=" + b"x" * 300_000 + b"&Version=2022-01-19"), (400, "InvalidParameter")),
    ],
)
def test_what_is_no_call_is_told_so(ask, request_, expected):
    assert outcome(ask(request_)) == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DelaySeconds", "soon", "it should be a whole number."),
        ("DelaySeconds", "1" * 19, "it should be a whole number."),
        ("EnableLogging", "maybe", "it should be true or false."),
        ("DlqPolicy", "{", "it should be JSON."),
        ("DlqPolicy", "[" * 60_000, "it should be JSON."),
        ("DlqPolicy", "[]", "it should be a JSON object."),
        ("DlqPolicy", '{"Enabled":"\\ud800"}', "it should be JSON."),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(ask, clock, name, value, message):
    refused = ask(v1("CreateQueue", {"QueueName": "demo", name: value}, now=clock.now(), form=True))
    assert (outcome(refused), answer(refused)["Message"]) == (
        (400, "InvalidParameter"),
        f"The specified value of parameter {name} is not valid: {message}",
    )


def test_a_parameter_that_is_missing_is_named(ask, clock):
    refused = ask(v1("CreateQueue", now=clock.now()))
    assert (outcome(refused), answer(refused)["Message"]) == (
        (400, "MissingQueueName"),
        "QueueName is mandatory for this action.",
    )


def test_what_goes_wrong_inside_is_an_internal_error_in_json(ask, application, clock, monkeypatch):
    def broken(**_arguments):
        raise OSError

    monkeypatch.setattr(application.verbs.queues._store._resources._gate, "put_item", broken)
    refused = ask(v1("CreateQueue", {"QueueName": "demo"}, now=clock.now()))
    assert outcome(refused) == (500, "InternalError")


# --- Client tokens ----------------------------------------------------------------------------------------------------


def once(token: str, **parameters: str) -> dict[str, str]:
    return {"QueueName": "demo", "ClientToken": token, **parameters}


def test_a_call_with_the_token_of_another_is_answered_like_it_and_not_made_again(ask, call, clock):
    first = answer(ask(v1("CreateQueue", once("t-1"), now=clock.now())))
    assert call("DELETE", "/queues/demo").status == 204
    clock.advance(600)
    again = answer(ask(acs3("CreateQueue", once("t-1"), now=clock.now())))
    assert again["Data"] == first["Data"] == {"Code": 201, "Message": "operation success", "Success": True}
    assert again["RequestId"] != first["RequestId"]
    assert call("GET", "/queues/demo").status == 404
    clock.advance(24 * 3600)
    assert answer(ask(v1("CreateQueue", once("t-1"), now=clock.now())))["Data"]["Code"] == 201
    assert call("GET", "/queues/demo").status == 200


def test_a_token_stands_for_one_call_of_one_account_with_its_parameters(ask, clock):
    assert ask(v1("CreateQueue", once("t-1"), now=clock.now())).status == 200
    differs = ask(v1("CreateQueue", once("t-1", DelaySeconds="1"), now=clock.now()))
    assert outcome(differs) == (400, "IdempotentParameterMismatch")
    for request in (
        v1("CreateQueue", once("t-2"), now=clock.now()),
        v1("DeleteQueue", once("t-1"), now=clock.now()),
        v1("CreateQueue", once("t-1"), now=clock.now(), key=signing.OTHER_KEY, secret=signing.OTHER_SECRET),
    ):
        assert ask(request).status == 200


def test_a_call_that_failed_may_be_made_again_with_its_token(ask, clock):
    wanted = once("t-1", DlqPolicy=json.dumps({"Enabled": True, "DeadLetterTargetQueue": "dead"}))
    assert outcome(ask(v1("CreateQueue", wanted, now=clock.now()))) == (400, "InvalidParameter")
    ask(v1("CreateQueue", {"QueueName": "dead"}, now=clock.now()))
    assert answer(ask(v1("CreateQueue", wanted, now=clock.now())))["Data"]["Code"] == 201


@pytest.mark.parametrize("token", ["t" * 65, "ü"])
def test_a_token_is_64_ascii_characters_at_most(ask, clock, token):
    assert outcome(ask(v1("CreateQueue", once(token), now=clock.now()))) == (400, "InvalidParameter")
    assert ask(v1("CreateQueue", once("t" * 64), now=clock.now())).status == 200


def test_a_gateway_may_hand_over_the_form_in_base64(application, clock):
    request = acs3("CreateQueue", {"QueueName": "demo"}, now=clock.now(), form=True)
    sent = event(request, encode=True)
    assert base64.b64decode(sent["body"]) == parse.urlencode({"QueueName": "demo"}).encode()
    assert deployed.app(sent, None)["statusCode"] == 200


# --- Access to the endpoint -------------------------------------------------------------------------------------------


def narrowed(ask, clock, *cidrs: str) -> None:
    parameters = {"EndpointType": "public", "AclStrategy": "allow", "CidrList": ",".join(cidrs)}
    assert ask(v1("AuthorizeEndpointAcl", parameters, now=clock.now())).status == 200


def test_the_address_of_a_client_behind_the_gateway_is_the_one_that_the_gateway_tells(application, ask, clock):
    request = signing.signed("GET", "/?accountmeta=true", now=clock.now(), headers={"x-forwarded-for": "10.0.0.1"})
    narrowed(ask, clock, "10.0.0.0/8")
    refused = deployed.app(event(request), None)
    assert refused["statusCode"] == 403
    assert "The address 127.0.0.1 is not in the access control list" in refused["body"]
    narrowed(ask, clock, "127.0.0.1")
    assert deployed.app(event(request), None)["statusCode"] == 200


def test_who_has_shut_himself_out_opens_the_door_again(ask, call, clock):
    narrowed(ask, clock, "10.0.0.0/8")
    assert ask(v1("DisableEndpoint", {"EndpointType": "public"}, now=clock.now())).status == 200
    for target in ("/queues", "/queues/demo", "/topics", "/?accountmeta=true"):
        assert (call("GET", target).status, signing.code(call("GET", target))) == (403, "AccessDenied")
    assert ask(v1("ListQueue", now=clock.now())).status == 200
    shut_off = {"EndpointType": "public", "AclStrategy": "allow", "CidrList": '["10.0.0.0/8"]'}
    assert ask(v1("EnableEndpoint", {"EndpointType": "public"}, now=clock.now())).status == 200
    assert ask(v1("RevokeEndpointAcl", shut_off, now=clock.now())).status == 200
    assert call("GET", "/queues").status == 200


def test_an_endpoint_that_is_shut_says_nothing_to_those_without_a_key(ask, call, clock):
    ask(v1("DisableEndpoint", {"EndpointType": "public"}, now=clock.now()))
    assert signing.code(call("GET", "/queues", secret="wrong")) == "SignatureDoesNotMatch"
    assert ask(http.Request(method="GET", path="/health")).status == 200
    assert call("GET", "/queues", key=signing.OTHER_KEY, secret=signing.OTHER_SECRET, host="localhost").status == 200


def test_a_request_too_large_for_a_call_is_refused_in_the_dialect_of_calls(application):
    refused = application.door.refuse(http.Request(method="POST", path="/"), errors.InvalidArgument("Too large."))
    assert (outcome(refused), answer(refused)["Message"]) == ((400, "InvalidParameter"), "Too large.")
