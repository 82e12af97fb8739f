"""Rates of an account: who calls too often is answered 429, and nobody else notices."""

import dataclasses

import pytest

from chalicelib import bootstrap, settings
from chalicelib.model import account
from infra.local import vault
from tests.api import signing
from tests.api.rpc_signing import acs3, outcome
from tests.api.signing import code, signed, texts

SEND = "<Message><MessageBody>hi</MessageBody></Message>"
BATCH = "<Messages>" + SEND * 3 + "</Messages>"


@pytest.fixture
def make(engine, prefix, clock):
    def build(**rates: int):
        told = settings.Settings(table_prefix=prefix, longest_wait=30, account_rate=0, metadata_rate=0)
        made = bootstrap.build(dataclasses.replace(told, **rates), engine=engine, clock=clock, vault=vault.in_memory())
        for key_id, secret, owner in (
            (signing.KEY, signing.SECRET, signing.ACCOUNT),
            (signing.OTHER_KEY, signing.OTHER_SECRET, signing.OTHER_ACCOUNT),
        ):
            made.verbs.identities.add_key(account.AccessKey(access_key_id=key_id, secret=secret, account_id=owner))

        def run(method: str, target: str, **arguments):
            return made.door.run(signed(method, target, now=clock.now(), **arguments))

        return run

    return build


def test_calls_beyond_the_rate_are_answered_too_many_requests_until_tokens_are_there_again(make, clock):
    call = make(account_rate=2)
    call("PUT", "/queues/demo", body="<Queue/>")
    sent = [call("POST", "/queues/demo/messages", body=SEND) for _ in range(3)]
    assert [answer.status for answer in sent] == [201, 201, 429]
    assert texts(sent[2])["Message"] == "Too many requests at this moment; slow down and try again."
    assert code(sent[2]) == "TooManyRequests"
    clock.advance(0.5)
    assert [call("POST", "/queues/demo/messages", body=SEND).status for _ in range(2)] == [201, 429]


def test_what_was_refused_has_changed_nothing(make, clock):
    call = make(account_rate=1)
    call("PUT", "/queues/demo", body="<Queue/>")
    for _ in range(5):
        call("POST", "/queues/demo/messages", body=SEND)
    clock.advance(1)
    assert call("GET", "/queues/demo/messages").status == 200
    clock.advance(1)
    assert code(call("GET", "/queues/demo/messages")) == "MessageNotExist"


def test_calls_on_messages_and_other_calls_have_a_rate_each(make):
    call = make(account_rate=1, metadata_rate=2)
    assert call("PUT", "/queues/demo", body="<Queue/>").status == 201
    assert [call("GET", "/queues").status for _ in range(2)] == [200, 429]
    assert [call("POST", "/queues/demo/messages", body=SEND).status for _ in range(2)] == [201, 429]


def test_a_batch_counts_as_its_messages(make, clock):
    call = make(account_rate=5)
    call("PUT", "/queues/demo", body="<Queue/>")
    assert call("POST", "/queues/demo/messages", body=BATCH).status == 201
    assert call("GET", "/queues/demo/messages?numOfMessages=16").status == 200  # three, one more than are left
    assert call("GET", "/queues/demo/messages").status == 429
    clock.advance(0.2)
    assert call("GET", "/queues/demo/messages").status == 429
    clock.advance(0.2)
    assert call("GET", "/queues/demo/messages").status == 404


def test_one_account_or_region_does_not_use_up_the_rate_of_another(make):
    call = make(metadata_rate=1)
    elsewhere = f"{signing.ACCOUNT}.mns.cn-beijing.aliyuncs.com"
    other = {"key": signing.OTHER_KEY, "secret": signing.OTHER_SECRET}
    host = f"{signing.OTHER_ACCOUNT}.mns.cn-hangzhou.aliyuncs.com"
    assert [call("GET", "/queues").status for _ in range(2)] == [200, 429]
    assert call("GET", "/queues", host=elsewhere).status == 200
    assert call("GET", "/queues", host=host, **other).status == 200


def test_inventing_regions_makes_no_more_calls(make):
    call = make(metadata_rate=1)
    hosts = [f"{signing.ACCOUNT}.mns.cn-invented-{number}.aliyuncs.com" for number in range(3)]
    assert [call("GET", "/queues", host=host).status for host in hosts] == [200, 429, 429]


def test_who_is_not_authenticated_uses_up_nobody_s_rate(make):
    call = make(metadata_rate=1)
    assert [call("GET", "/queues", secret="wrong").status for _ in range(3)] == [403] * 3
    assert call("GET", "/queues").status == 200


def test_a_rate_of_zero_is_none(make):
    call = make()
    assert {call("GET", "/queues").status for _ in range(300)} == {200}


def test_calls_of_the_rpc_apis_count_as_metadata_and_are_refused_in_their_shape(engine, prefix, clock):
    told = settings.Settings(table_prefix=prefix, account_rate=0, metadata_rate=2)
    made = bootstrap.build(told, engine=engine, clock=clock, vault=vault.in_memory())
    key = account.AccessKey(access_key_id=signing.KEY, secret=signing.SECRET, account_id=signing.ACCOUNT)
    made.verbs.identities.add_key(key)
    assert made.door.run(signed("GET", "/queues", now=clock.now())).status == 200
    answers = [made.door.run(acs3("ListQueue", {}, now=clock.now())) for _ in range(2)]
    assert (answers[0].status, outcome(answers[1])) == (200, (429, "Throttling.User"))
    clock.advance(0.5)
    assert made.door.run(acs3("ListQueue", {}, now=clock.now())).status == 200
