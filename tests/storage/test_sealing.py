"""Encryption of payloads: what is bound to what, what stays readable, and what it costs."""

import importlib.util
import os
from dataclasses import dataclass, field

import pytest

from chalicelib.model import errors, resource
from chalicelib.storage import errors as gates
from chalicelib.storage import sealing, vault
from infra.local import vault as local

PAYLOAD = {"body": {"S": "消息\r\n "}, "user": {"S": "[]"}}
ON = resource.Encryption(enabled=True)


@dataclass
class Noting:
    """A vault that notes what is asked of it."""

    inner: local.KeyVault = field(default_factory=local.in_memory)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def seal(self, plain, *, context, key_id=""):
        self.calls.append(("seal", key_id))
        return self.inner.seal(plain, context=context, key_id=key_id)

    def open(self, sealed, *, context):
        self.calls.append(("open", ""))
        return self.inner.open(sealed, context=context)


@pytest.fixture
def noting():
    return Noting()


@pytest.fixture
def process(stores, noting):
    """Makes a process of its own on the tables."""

    def make(vault=noting):
        gate = gates.Gate(stores.recorder)
        return sealing.Sealing(gate=gate, prefix=stores.prefix, vault=vault, draw=os.urandom)

    return make


def test_what_was_sealed_opens_in_every_process(process):
    sealed = process().seal(PAYLOAD, of="q1", message_id="M1", by="")
    assert process().open(sealed, of="q1", message_id="M1") == PAYLOAD
    assert sealed.keys() == {"sealed", "sealed_by"}


def test_what_is_not_sealed_is_passed_through_without_a_call(process, stores, noting):
    assert process().open(PAYLOAD, of="q1", message_id="M1") is PAYLOAD
    assert (stores.recorder.calls, noting.calls) == ([], [])


def test_a_seal_opens_for_no_other_message_and_no_other_queue(process):
    one = process()
    sealed = one.seal(PAYLOAD, of="q1", message_id="M1", by="")
    one.prepare("q2", ON)
    for of, message_id in (("q1", "M2"), ("q2", "M1")):
        with pytest.raises(errors.InternalError, match=f"The message {message_id} cannot be decrypted"):
            one.open(sealed, of=of, message_id=message_id)


def test_the_same_payload_is_sealed_differently_each_time_and_cannot_be_read(process):
    one = process()
    first, second = (one.seal(PAYLOAD, of="q1", message_id="M1", by="")["sealed"]["B"] for _ in range(2))
    assert first != second
    assert "消息".encode() not in first + second


def test_a_process_asks_for_a_queue_s_key_once(process, stores, noting):
    one, another = process(), process()
    for number in range(10):
        sealed = one.seal(PAYLOAD, of="q1", message_id=f"M{number}", by="")
        another.open(sealed, of="q1", message_id=f"M{number}")
    assert noting.calls == [("seal", ""), ("open", "")]
    assert stores.recorder.calls == ["get_item", "put_item", "get_item"]


def test_by_whatever_key_a_message_was_sealed_it_stays_readable(process):
    one = process()
    sealed = [one.seal(PAYLOAD, of="q1", message_id=key, by=key) for key in ("", "alias/a", "alias/b", "alias/a")]
    assert [item["sealed_by"]["S"] for item in sealed] == ["", "alias/a", "alias/b", "alias/a"]
    another = process()
    assert all(another.open(item, of="q1", message_id=item["sealed_by"]["S"]) == PAYLOAD for item in sealed)


def test_the_key_that_is_named_is_the_one_that_the_vault_is_asked_for(process, noting):
    process().prepare("q1", resource.Encryption(enabled=True, sse_type="KMS", key_id="alias/mine"))
    assert noting.calls == [("seal", "alias/mine")]


def test_processes_that_make_a_key_at_once_agree_on_one(process, stores, noting):
    one, another = process(), process()
    sealed = None

    class Racing(Noting):
        def seal(self, plain, *, context, key_id=""):
            nonlocal sealed
            sealed = one.seal(PAYLOAD, of="q1", message_id="M1", by="")  # between the other's look and its write
            return self.inner.seal(plain, context=context, key_id=key_id)

    another = process(Racing(inner=noting.inner))
    own = another.seal(PAYLOAD, of="q1", message_id="M2", by="")
    assert another.open(sealed, of="q1", message_id="M1") == PAYLOAD
    assert one.open(own, of="q1", message_id="M2") == PAYLOAD


def test_a_key_that_an_engine_lost_with_a_transaction_is_not_used_once_forgotten(process, stores):
    one = process()
    lost = one.seal(PAYLOAD, of="q1", message_id="M1", by="")
    one.delete("q1")  # as if the transaction had come to nothing
    one.forget()
    again = one.seal(PAYLOAD, of="q1", message_id="M1", by="")
    assert process().open(again, of="q1", message_id="M1") == PAYLOAD
    with pytest.raises(errors.InternalError):
        process().open(lost, of="q1", message_id="M1")


def test_nothing_is_prepared_where_nothing_is_to_be_encrypted(process, stores, noting):
    process().prepare("q1", resource.Encryption())
    assert (stores.recorder.calls, noting.calls) == ([], [])


def test_without_the_library_it_is_refused_with_what_is_missing(process, monkeypatch, noting):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(errors.InvalidArgument, match="EnableSSE needs the Python package cryptography"):
        process().prepare("q1", ON)
    assert noting.calls == []


def test_another_deployment_s_vault_opens_no_key(process):
    sealed = process().seal(PAYLOAD, of="q1", message_id="M1", by="")
    with pytest.raises(errors.InternalError, match="cannot be opened by this deployment's key"):
        process(local.in_memory()).open(sealed, of="q1", message_id="M1")


# --- By KMS -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kms(moto_engine, clock):
    import boto3  # noqa: PLC0415  # as the engine is

    client = boto3.client("kms", region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    return client, vault.KmsVault(client=lambda: client, key_id=key, clock=clock, draw=os.urandom)


def test_by_kms_with_a_key_of_the_account(process, kms):
    client, by_kms = kms
    own = client.create_key()["KeyMetadata"]["Arn"]
    one = process(by_kms)
    one.prepare("q1", resource.Encryption(enabled=True, sse_type="KMS", key_id=own))
    sealed = [one.seal(PAYLOAD, of="q1", message_id="M1", by=by) for by in ("", own)]
    assert [process(by_kms).open(item, of="q1", message_id="M1") for item in sealed] == [PAYLOAD] * 2


def test_a_key_that_kms_does_not_know_is_refused_by_its_name(process, kms):
    wanted = resource.Encryption(enabled=True, sse_type="KMS", key_id="alias/nobody")
    with pytest.raises(errors.InvalidArgument, match="KmsKeyId alias/nobody cannot be used: NotFoundException"):
        process(kms[1]).prepare("q1", wanted)
