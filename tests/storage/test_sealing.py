"""Encryption of payloads: what is bound to what, what stays readable, and what it costs."""

import base64
import importlib.util
import json
import os
from dataclasses import dataclass, field

import pytest

from chalicelib.model import account, dead_letter, errors, message, queue, resource
from chalicelib.storage import errors as gates
from chalicelib.storage import sealing, vault
from infra.embedded.engine import EmbeddedEngine
from infra.local import vault as local
from tests.conftest import NOW
from tests.storage.test_messages import claim, make_message, make_queue
from tests.storage.test_topics import FULL, make_publication, records

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")

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


# --- Messages and publications ----------------------------------------------------------------------------------------

SECRET = "geheim"


def encrypted(of: queue.Queue, by: str = "") -> queue.Queue:
    policy = resource.Encryption(enabled=True, sse_type="KMS" if by else "SMQ", key_id=by)
    return of.evolve(attributes=queue.QueueAttributes(encryption=policy))


def written(stores, *tables: str) -> str:
    """Everything in some tables and their streams."""
    found = [stores.engine.scan(TableName=stores.prefix + table)["Items"] for table in tables]
    return repr(found) + repr([records(stores, table) for table in tables if table != "bodies"])


@pytest.mark.parametrize("length", [6, 600, 20_000])
@pytest.mark.parametrize("kind", list(resource.Type))
def test_a_message_of_an_encrypted_queue_lies_nowhere_in_plain_text(stores, length, kind):
    of = encrypted(make_queue()).evolve(type=kind)
    secret = message.Property(name="who", value=SECRET, type=message.PropertyType.STRING)
    new = make_message((SECRET * length)[:length], group_id="g", user_properties=(secret,))
    stores.messages.put(of, new)
    [peeked] = stores.messages.peek(of, limit=1, now=NOW, dead=None)
    [claimed] = claim(stores, of)
    assert [(item.body, item.user_properties) for item in (peeked, claimed)] == [(new.body, (secret,))] * 2
    assert SECRET not in written(stores, "messages", "bodies")


def test_a_batch_with_bodies_of_all_sizes_is_encrypted_too(stores):
    of = encrypted(make_queue())
    new = [make_message(SECRET * length) for length in (1, 100, 5_000)]
    assert stores.messages.put_all(of, new) == frozenset()
    assert [item.body for item in claim(stores, of, limit=16)] == [item.body for item in new]
    assert SECRET not in written(stores, "messages", "bodies")


def test_what_a_queue_does_next_concerns_new_messages_only(stores):
    plain = make_queue()
    for body, of in (("a", plain), ("b", encrypted(plain)), ("c", encrypted(plain, "alias/k")), ("d", plain)):
        stores.messages.put(of, make_message(body))
    assert [item.body for item in claim(stores, plain, limit=16)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", list(resource.Type))
@pytest.mark.parametrize(("source", "target"), [(False, True), (True, False), (True, True)])
def test_dead_letters_move_between_queues_whatever_either_is_encrypted_by(stores, kind, source, target):
    from_queue, to_queue = (
        (encrypted(made) if on else made).evolve(type=kind, name=name)
        for made, on, name in ((make_queue(), source, "live"), (make_queue(), target, "dead"))
    )
    stores.queues.create(HERE, to_queue)
    route = dead_letter.Route(namespace=HERE, source=from_queue, target=to_queue, max_receive_count=1)
    stores.messages.put(from_queue, make_message(SECRET * 1000, group_id="g"))
    claim(stores, from_queue, seconds=1)
    again = stores.messages.claim(from_queue, limit=1, now=NOW + 2_000, visible_at=NOW + 3_000, dead=route)
    assert again.messages == ()
    [letter] = claim(stores, to_queue, now=NOW + 2_000)
    assert letter.body == SECRET * 1000
    if source and target:
        assert SECRET not in written(stores, "messages", "bodies")


def test_an_encrypted_send_and_receive_cost_what_others_cost(stores):
    of = encrypted(make_queue())
    stores.sealing.prepare(of.queue_id, of.attributes.encryption)
    stores.recorder.reset()
    stores.messages.put(of, make_message("x" * 400))
    claim(stores, of)
    assert stores.recorder.rounds <= 1 + 3
    if isinstance(stores.engine, EmbeddedEngine):  # moto says 1.0 to everything
        assert (stores.recorder.write_units, stores.recorder.read_units) == (5, 2)


def test_a_publication_of_an_encrypted_topic_lies_nowhere_in_plain_text_and_is_read_from_its_stream(stores):
    new = make_publication(draft=FULL, sealed_by="")
    stores.publications.put(new)
    told = records(stores, "publications")
    as_lambda_has_it = json.loads(
        json.dumps(told, default=lambda held: base64.b64encode(held).decode() if type(held) is bytes else str(held))
    )
    for each in (told, as_lambda_has_it):
        assert [item for _, item in stores.publications.read_new(each)] == [new]
    assert stores.publications.get_all([("t1", 1, new.message_id)]) == {("t1", 1, new.message_id): new}
    for secret in (FULL.body.strip(), "主题", "13800138000"):
        assert secret not in written(stores, "publications")


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
