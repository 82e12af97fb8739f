"""RPC signatures: the examples that Alibaba Cloud publishes, and whatever clients may send, gateway or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api import gateway
from chalicelib.rpc import parameters, signatures
from chalicelib.wire import http
from tests.api import rpc_signing
from tests.api.test_gateway import event

NOW = 1_704_164_645_000
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OWN = st.dictionaries(TEXT.filter(lambda name: name and name not in parameters.COMMON), TEXT, max_size=6)


def test_the_published_example_of_v1():
    parameters = {
        "AccessKeyId": "testid",
        "Action": "DescribeRegions",
        "Format": "XML",
        "Signature": "OLeaidS1JvxuMvnyHOwuJ+uX5qY=",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "SignatureVersion": "1.0",
        "Timestamp": "2016-02-23T12:46:24Z",
        "Version": "2014-05-26",
    }
    request = http.Request(method="GET", path="/")
    proof = signatures.read(request, parameters)
    assert (proof.access_key_id, proof.signed_at) == ("testid", 1_456_231_584_000)
    assert signatures.verify(proof, request, parameters, "testsecret") is None
    assert signatures.verify(proof, request, parameters, "testSecret") == (
        "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26SignatureMethod%3DHMAC-SHA1"
        "%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0"
        "%26Timestamp%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26"
    )


def test_the_published_example_of_acs3():
    request = http.Request(
        method="POST",
        path="/",
        query="ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
        headers={
            "host": "ecs.cn-shanghai.aliyuncs.com",
            "x-acs-action": "RunInstances",
            "x-acs-version": "2014-05-26",
            "x-acs-date": "2023-10-26T10:22:32Z",
            "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
            "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "authorization": (
                "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"
                "x-acs-date;x-acs-signature-nonce;x-acs-version,"
                "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
            ),
        },
    )
    proof = signatures.read(request, {})
    assert (proof.access_key_id, proof.security_token) == ("YourAccessKeyId", "")
    assert signatures.verify(proof, request, {}, "YourAccessKeySecret") is None
    assert (signatures.verify(proof, request, {}, "another") or "").startswith(
        "ACS3-HMAC-SHA256\n7ea06492da5221eba5297e"
    )


@pytest.mark.parametrize("sign", [rpc_signing.v1, rpc_signing.acs3])
@given(own=OWN, method=st.sampled_from(["GET", "POST"]), form=st.booleans())
def test_whatever_a_client_sends_is_verified_as_sent_with_a_gateway_between_or_without(sign, own, method, form):
    form = form and method == "POST"
    request = sign("ListQueue", own, now=NOW, method=method, form=form)
    for arrived in (request, gateway.read_event(event(request, stage="/prod"))):
        found = parameters.read(arrived)
        assert {name: value for name, value in found.items() if name not in parameters.COMMON} == own
        proof = signatures.read(arrived, found)
        assert signatures.verify(proof, arrived, found, rpc_signing.SECRET) is None
        assert signatures.verify(proof, arrived, found, "another") is not None
