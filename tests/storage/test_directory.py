"""Entities of RAM, and secrets at rest, on every engine."""

import dataclasses

import pytest

from chalicelib.broker import ports
from chalicelib.model import account, certificate, ram
from chalicelib.storage import errors, identities
from infra.local import vault
from tests.conftest import NOW

USER = ram.User(name="ann", user_id="1", created_at=NOW, updated_at=NOW, groups={"team": 1}, policies={"Custom:p": 2})
VERSION = ram.PolicyVersion(version_id="v1", document='{"Version": "1"}', created_at=NOW)
POLICY = ram.ManagedPolicy(name="ann", versions=(VERSION,), holders={"User:ann": 3}, created_at=NOW, updated_at=NOW)
ENTITIES = [
    ram.Account(name="1", created_at=NOW, updated_at=NOW, keys={"LTAI": 1}),
    USER,
    ram.Group(name="ann", group_id="2", created_at=NOW, updated_at=NOW, users={"ann": 1}),
    ram.Role(name="ann", role_id="3", trust="{}", created_at=NOW, updated_at=NOW),
    POLICY,
    ram.SystemAttachments(name="ann", created_at=NOW, updated_at=NOW, holders={"Role:ann": 1}),
]
SECRET = "testSecretKey0123456789"
KEY = account.AccessKey(access_key_id="AK", secret=SECRET, account_id="1", user="ann", created_at=NOW)


def stored(entity, times=1):
    return dataclasses.replace(entity, revision=NOW + times)


def test_entities_come_back_as_they_were_each_kind_for_itself(stores):
    for entity in ENTITIES:
        assert stores.directory.get("1", entity.KIND, entity.name) is None
        assert stores.directory.put("1", entity)
    for entity in ENTITIES:
        assert stores.directory.get("1", entity.KIND, entity.name) == stored(entity)
        assert stores.directory.get("2", entity.KIND, entity.name) is None


def test_of_two_changes_to_one_revision_one_is_made(stores):
    assert stores.directory.put("1", USER)
    assert not stores.directory.put("1", USER)  # it is there
    read = stores.directory.get("1", "User", "ann")
    assert stores.directory.put("1", dataclasses.replace(read, comments="first"))
    assert not stores.directory.put("1", dataclasses.replace(read, comments="second"))
    assert stores.directory.get("1", "User", "ann") == stored(dataclasses.replace(USER, comments="first"), 2)


def test_what_changed_meanwhile_is_not_deleted(stores):
    stores.directory.put("1", USER)
    read = stores.directory.get("1", "User", "ann")
    stores.directory.put("1", read)
    assert not stores.directory.delete("1", read)
    assert stores.directory.delete("1", stores.directory.get("1", "User", "ann"))
    assert stores.directory.get("1", "User", "ann") is None
    assert not stores.directory.delete("1", read)


def test_a_change_of_what_was_deleted_does_not_meet_what_was_made_anew(stores):
    role = ram.Role(name="reader", role_id="1", trust="{}", created_at=NOW, updated_at=NOW)
    stores.directory.put("1", role)
    read = stores.directory.get("1", "Role", "reader")
    stores.directory.delete("1", read)
    assert not stores.directory.put("1", read)
    anew = dataclasses.replace(role, role_id="2", created_at=NOW + 1)
    stores.directory.put("1", anew)
    assert not stores.directory.put("1", read)  # or who had assumed the former role would have the new one
    assert not stores.directory.delete("1", read)
    assert stores.directory.get("1", "Role", "reader").role_id == "2"


def test_lists_are_ascending_and_come_in_pages(stores):
    names = [f"u{number}" for number in (3, 1, 2, 5, 4)]
    for name in names:
        stores.directory.put("1", dataclasses.replace(USER, name=name))
    stores.directory.put("1", POLICY)
    stores.directory.put("2", USER)
    found = stores.directory.list("1", "User", after=None, limit=None)
    assert ([entity.name for entity in found.entities], found.marker) == (sorted(names), None)
    page = stores.directory.list("1", "User", after=None, limit=2)
    assert ([entity.name for entity in page.entities], page.marker) == (["u1", "u2"], "u2")
    page = stores.directory.list("1", "User", after="u2", limit=3)
    assert ([entity.name for entity in page.entities], page.marker) == (["u3", "u4", "u5"], None)


def test_several_are_read_at_once(stores):
    for entity in ENTITIES:
        stores.directory.put("1", entity)
    stores.recorder.reset()
    wanted = [("User", "ann"), ("Policy", "ann"), ("Group", "nobody"), ("User", "ann")]
    assert stores.directory.get_all("1", wanted) == {
        ("User", "ann"): stored(USER),
        ("Policy", "ann"): stored(POLICY),
    }
    assert stores.recorder.calls == ["batch_get_item"]


# --- Secrets at rest -------------------------------------------------------------------------------------------------


def item_of(stores, key):
    return stores.engine.get_item(TableName=stores.prefix + "identities", Key={"pk": {"S": key}})["Item"]


def test_a_secret_is_sealed_and_comes_back(stores):
    stores.identities.put_key(KEY)
    assert stores.identities.key("AK") == KEY
    assert SECRET not in str(item_of(stores, "key#AK"))


def test_keys_are_enabled_disabled_and_deleted(stores):
    stores.identities.put_key(KEY)
    assert stores.identities.enable_key("AK", enabled=False)
    assert stores.identities.key("AK") == dataclasses.replace(KEY, enabled=False)
    assert stores.identities.enable_key("AK", enabled=True)
    assert stores.identities.key("AK") == KEY
    stores.identities.delete_key("AK")
    stores.identities.delete_key("AK")
    assert stores.identities.key("AK") is None
    assert not stores.identities.enable_key("AK", enabled=True)
    assert stores.identities.key("AK") is None


def test_a_plain_item_of_an_older_version_is_read_and_sealed_when_it_is_written(stores):
    table = stores.prefix + "identities"
    plain = {"secret": {"S": SECRET}, "account_id": {"S": "1"}, "enabled": {"BOOL": True}}
    stores.engine.put_item(TableName=table, Item={"pk": {"S": "key#AK"}} | plain)
    old = account.AccessKey(access_key_id="AK", secret=SECRET, account_id="1")
    assert stores.identities.key("AK") == old
    stores.identities.put_key(old)
    assert SECRET not in str(item_of(stores, "key#AK"))
    assert stores.identities.key("AK") == old


def test_the_key_of_the_certificate_is_sealed_too(stores):
    table = stores.prefix + "identities"
    plain = {"key": {"S": "PRIVATE"}, "certificate": {"S": "public"}}
    stores.engine.put_item(TableName=table, Item={"pk": {"S": "certificate"}} | plain)
    found = stores.identities.certificate()
    assert found == certificate.Certificate(key_pem="PRIVATE", certificate_pem="public")
    stores.identities.put_certificate(found)
    assert "PRIVATE" not in str(item_of(stores, "certificate"))
    assert stores.identities.certificate() == found


def test_the_seal_of_one_key_does_not_open_as_anothers(stores):
    stores.identities.put_key(KEY)
    moved = item_of(stores, "key#AK") | {"pk": {"S": "key#OTHER"}}
    stores.engine.put_item(TableName=stores.prefix + "identities", Item=moved)
    with pytest.raises(ports.SealBroken):
        stores.identities.key("OTHER")


def test_a_secret_is_opened_once_however_often_it_is_read(stores):
    class Counting(vault.KeyVault):
        opened = 0

        def open(self, sealed, **named):
            Counting.opened += 1
            return super().open(sealed, **named)

    gate = errors.Gate(stores.engine)
    store = identities.Identities(gate=gate, prefix=stores.prefix, vault=Counting(b"k" * 32))
    store.put_key(KEY)
    assert [store.key("AK") for _ in range(3)] == [KEY] * 3
    assert Counting.opened == 1
