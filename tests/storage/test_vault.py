"""The contract of a vault, on KMS (moto's) and on a key file; and what each does besides."""

import os
import stat
import threading

import pytest

from chalicelib.broker import ports
from chalicelib.model import errors, limits
from chalicelib.storage import vault
from infra.local import config
from infra.local import vault as local

SECRET = b"testSecretKey0123456789"
BODY = bytes(range(256)) * 256  # 64 KB


class Kms:
    """moto's KMS, each call noted."""

    def __init__(self, client):
        self.client = client
        self.calls = []

    def __getattr__(self, name):
        def call(**arguments):
            self.calls.append(name)
            return getattr(self.client, name)(**arguments)

        return call


@pytest.fixture(scope="session")
def moto_kms(moto_engine):
    import boto3  # noqa: PLC0415  # as the engine is

    client = boto3.client("kms", region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local")
    key = client.create_key()["KeyMetadata"]["KeyId"]
    client.create_alias(AliasName="alias/openmns", TargetKeyId=key)
    return client


@pytest.fixture
def kms(moto_kms):
    return Kms(moto_kms)


def on_kms(kms, clock, **arguments):
    return vault.KmsVault(client=lambda: kms, key_id="alias/openmns", clock=clock, draw=os.urandom, **arguments)


@pytest.fixture(params=["kms", "data keys", "key file", "memory"])
def sealing(request, tmp_path, clock):
    match request.param:
        case "kms":
            return on_kms(request.getfixturevalue("kms"), clock)
        case "data keys":
            return on_kms(request.getfixturevalue("kms"), clock, direct=0)
        case "key file":
            return local.in_folder(tmp_path)
    return local.in_memory()


@pytest.mark.parametrize("plain", [b"", b"x", SECRET, b"y" * limits.KMS_PLAIN_BYTES, BODY])
def test_what_was_sealed_opens_in_its_context(sealing, plain):
    assert sealing.open(sealing.seal(plain, context="key/A"), context="key/A") == plain


@pytest.mark.parametrize("plain", [SECRET, BODY])
def test_it_opens_in_no_other_context(sealing, plain):
    with pytest.raises(ports.SealBroken):
        sealing.open(sealing.seal(plain, context="key/A"), context="key/B")


@pytest.mark.parametrize("plain", [SECRET, BODY])
def test_what_is_damaged_does_not_open(sealing, plain):
    sealed = sealing.seal(plain, context="key/A")
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"", b"\x07" + sealed[1:], sealed[:1], sealed[:9]):
        with pytest.raises((ports.SealBroken, errors.InternalError)):
            sealing.open(damaged, context="key/A")


def test_the_same_thing_is_sealed_differently_each_time_and_cannot_be_read(sealing):
    first, second = (sealing.seal(SECRET, context="key/A") for _ in range(2))
    assert first != second
    assert SECRET not in first + second


def test_a_key_can_be_named(kms, clock):
    other = kms.client.create_key()["KeyMetadata"]["Arn"]
    for direct in (limits.KMS_PLAIN_BYTES, 0):
        sealing = on_kms(kms, clock, direct=direct)
        assert sealing.open(sealing.seal(SECRET, context="c", key_id=other), context="c") == SECRET
    with pytest.raises(errors.InternalError):
        sealing.seal(SECRET, context="c", key_id="alias/nobody")


@pytest.mark.parametrize("direct", [limits.KMS_PLAIN_BYTES, 0])
def test_what_has_to_be_by_the_own_key_does_not_open_if_it_is_by_another(kms, clock, direct):
    """Who owns a key that queues may name could seal a token by it, and be whoever it says."""
    other = kms.client.create_key()["KeyMetadata"]["Arn"]
    sealing = on_kms(kms, clock, direct=direct)
    forged = sealing.seal(SECRET, context="session/STS.A", key_id=other)
    assert sealing.open(forged, context="session/STS.A") == SECRET  # and remembers the data key
    with pytest.raises((ports.SealBroken, errors.InternalError)):  # KMS's IncorrectKeyException; moto has no such code
        sealing.open(forged, context="session/STS.A", own=True)
    assert sealing.open(sealing.seal(SECRET, context="session/STS.A"), context="session/STS.A", own=True) == SECRET


def test_many_seals_by_data_keys_cost_one_call_and_another_process_opens_them_with_one(kms, clock):
    sealing, another = on_kms(kms, clock, direct=0), on_kms(kms, clock, direct=0)
    sealed = [sealing.seal(BODY, context=f"queue/{number}") for number in range(50)]
    assert kms.calls == ["generate_data_key"]
    assert all(another.open(item, context=f"queue/{number}") == BODY for number, item in enumerate(sealed))
    assert kms.calls == ["generate_data_key", "decrypt"]


def test_a_data_key_is_used_for_an_hour(kms, clock):
    sealing = on_kms(kms, clock, direct=0)
    first = sealing.seal(BODY, context="c")
    clock.advance(limits.DATA_KEY_SECONDS - 1)
    sealing.seal(BODY, context="c")
    clock.advance(1)
    last = sealing.seal(BODY, context="c")
    assert kms.calls == ["generate_data_key"] * 2
    assert [sealing.open(sealed, context="c") for sealed in (first, last)] == [BODY, BODY]


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path):
    sealed = local.in_folder(tmp_path).seal(SECRET, context="c")
    path = tmp_path / local.FILE
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) == (0o600, 32)
    assert local.in_folder(tmp_path).open(sealed, context="c") == SECRET
    assert [item.name for item in tmp_path.iterdir()] == [local.FILE]


def test_processes_that_make_the_key_file_together_agree_on_one(tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(local.in_folder(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = found[0].seal(SECRET, context="c")
    assert [vault.open(sealed, context="c") for vault in found] == [SECRET] * 8


def test_a_key_file_that_is_none_is_refused(tmp_path):
    (tmp_path / local.FILE).write_bytes(b"short")
    with pytest.raises(config.ConfigError, match="should hold 32 bytes, not 5"):
        local.in_folder(tmp_path)


def test_another_key_file_does_not_open_it(tmp_path):
    with pytest.raises(ports.SealBroken):
        local.in_memory().open(local.in_folder(tmp_path).seal(SECRET, context="c"), context="c")
