"""Temporary keys: what is in a token, who gets one, how long it is good."""

import json
import os
import random

import pytest

from chalicelib.broker import sessions
from chalicelib.model import account, errors, limits, policy, ram
from chalicelib.storage import vault
from tests.broker.fakes import NOW

OWNER, GUEST = "1234567890123456", "6543210987654321"
ARN = f"acs:ram::{OWNER}:role/reader"
ANN = account.Caller(account_id=GUEST, access_key_id="LTAI", user="ann")


def trust(*principals, **condition):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(principals)}}
    return json.dumps({"Version": "1", "Statement": statement | ({"Condition": condition} if condition else {})})


@pytest.fixture
def make(process):
    """Make the role."""

    def run(trusted=None, **fields):
        trusted = trusted or trust(f"acs:ram::{GUEST}:root")
        new = ram.Role(name="reader", role_id="7", trust=trusted, created_at=NOW, updated_at=NOW, **fields)
        process.directory.create(OWNER, new, most=1000)

    return run


def test_a_token_tells_any_process_who_calls_and_until_when(process, make, clock):
    make()
    made = process.sessions.assume(ANN, ARN, "ann", seconds=900)
    assert (made.access_key_id[:4], made.expires_at) == ("STS.", NOW + 900_000)
    known = process.another().identities.known(made.access_key_id, made.token)
    assert known == made
    assert known.caller == account.Caller(
        account_id=OWNER, access_key_id=made.access_key_id, role="reader", role_id="7", session="ann"
    )
    assert (known.caller.arn, known.caller.principal) == (
        f"acs:ram::{OWNER}:assumed-role/reader/ann",
        f"acs:ram::{OWNER}:role/reader",
    )
    clock.advance(900)
    with pytest.raises(errors.ExpiredSecurityToken):
        process.identities.known(made.access_key_id, made.token)


def test_a_key_shows_neither_its_secret_nor_its_token(process, make):
    make()
    made = process.sessions.assume(ANN, ARN, "ann")
    assert made.secret not in repr(made)
    assert made.token not in repr(made)


def test_the_token_carries_the_policy_that_narrows_the_session(process, make):
    make()
    document = '{"Version": "1", "Statement": {"Effect": "Allow", "Action": "mns:List*", "Resource": "*"}}'
    made = process.sessions.assume(ANN, ARN, "ann", document=document)
    within = process.another().identities.known(made.access_key_id, made.token).caller.within
    asked = policy.Asked(actions=("mns:ListQueue",), resource="acs:mns:r:1:/queues")
    assert within.judge(asked) is policy.Effect.ALLOW


def test_the_longest_policy_fits_into_what_kms_encrypts_itself(process, make, clock):
    class Measuring:
        def seal(self, plain, *, context, key_id=""):
            assert len(plain) <= limits.KMS_PLAIN_BYTES
            return plain

    make()
    name = os.urandom(900).hex()  # nothing that can be made much shorter
    document = json.dumps(
        {"Version": "1", "Statement": {"Effect": "Allow", "Action": "mns:*", "Resource": f"acs:mns:*:*:{name}"}}
    )
    assert 1_800 < len(document) <= limits.SESSION_POLICY_LENGTH
    measuring = sessions.Sessions(store=process.tables.directory, vault=Measuring(), clock=clock, ids=process.ids)
    assert measuring.assume(ANN, ARN, "x" * limits.SESSION_NAME_LENGTH, document=document).token


def test_a_policy_that_is_longer_in_bytes_than_a_token_holds_is_refused(process, make):
    make()
    drawn = random.Random(1)  # noqa: S311  # nothing that can be made much shorter
    name = "".join(chr(drawn.randrange(0x10000, 0x20000)) for _ in range(1_800))
    statement = {"Effect": "Allow", "Action": "mns:*", "Resource": f"acs:mns:*:*:{name}"}
    document = json.dumps({"Version": "1", "Statement": statement}, ensure_ascii=False)
    assert len(document) <= limits.SESSION_POLICY_LENGTH
    with pytest.raises(errors.InvalidParameter) as raised:
        process.sessions.assume(ANN, ARN, "ann", document=document)
    assert raised.value.code == "InvalidParameter.PolicySize"


def test_a_role_may_allow_longer_sessions(process, make):
    make(max_session_seconds=7_200)
    assert process.sessions.assume(ANN, ARN, "ann").expires_at == NOW + 3_600_000
    assert process.sessions.assume(ANN, ARN, "ann", seconds=7_200).expires_at == NOW + 7_200_000
    with pytest.raises(errors.InvalidParameter):
        process.sessions.assume(ANN, ARN, "ann", seconds=7_201)


def test_the_conditions_of_trust_are_asked(process, make):
    make(trust(f"acs:ram::{GUEST}:root", StringEquals={"sts:ExternalId": "friend"}))
    with pytest.raises(errors.NoPermission):
        process.sessions.assume(ANN, ARN, "ann")
    told = {"sts:externalid": ["friend"]}
    assert process.sessions.assume(ANN, ARN, "ann", values=lambda key: told.get(key, ()))


def test_a_role_can_be_assumed_by_another_role(process, make):
    make(trust(f"acs:ram::{GUEST}:role/worker"))
    worker = account.Caller(account_id=GUEST, access_key_id="STS.x", role="worker", role_id="9", session="s")
    assert process.sessions.assume(worker, ARN, "ann").caller.role == "reader"
    with pytest.raises(errors.NoPermission):
        process.sessions.assume(ANN, ARN, "ann")


def test_kms_is_asked_once_for_a_key_and_once_in_each_process_that_uses_it(process, make, clock):
    calls = []

    class Kms:
        def encrypt(self, *, KeyId, Plaintext, EncryptionContext):  # noqa: N803  # boto3's
            calls.append("encrypt")
            return {"CiphertextBlob": Plaintext}

        def decrypt(self, *, CiphertextBlob, EncryptionContext, KeyId):  # noqa: N803  # boto3's
            assert KeyId == "k"  # or whoever owns another key could seal tokens
            calls.append("decrypt")
            return {"Plaintext": CiphertextBlob}

    def on_kms():
        sealing = vault.KmsVault(client=Kms, key_id="k", clock=clock, draw=os.urandom)
        return sessions.Sessions(store=process.tables.directory, vault=sealing, clock=clock, ids=process.ids)

    make()
    made = on_kms().assume(ANN, ARN, "ann")
    user = on_kms()
    assert [user.known(made.access_key_id, made.token).caller.role for _ in range(9)] == ["reader"] * 9
    assert calls == ["encrypt", "decrypt"]
