"""`mns account` and `mns key`: on a folder, beside a server that uses it, and on tables of AWS."""

import json
import subprocess

import pytest

from chalicelib import settings
from infra.cli import account
from infra.cli.main import main
from infra.local import engine as engines
from tests import live


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; its exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        status = main(list(arguments))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


@pytest.fixture
def ask(run):
    """Run a command for its JSON."""

    def command(*arguments):
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return command


def test_an_account_is_made_with_a_first_key(ask, run):
    made = ask("account", "create")
    assert set(made) == {"account", "access_key_id", "access_key_secret"}
    assert (len(made["account"]), made["access_key_id"][:4], len(made["access_key_secret"])) == (16, "LTAI", 30)
    [listed] = ask("account", "list")
    assert (listed["account"], listed["keys"]) == (made["account"], 1)
    [key] = ask("key", "list", "--account", made["account"])
    assert (key["access_key_id"], key["status"]) == (made["access_key_id"], "Active")
    status, out, _ = run("account", "list")
    assert (status, out.splitlines()[0].split(), out.splitlines()[1].split()[0]) == (
        *(0, ["account", "keys", "created"], made["account"]),
    )


def test_people_are_told_that_the_secret_is_shown_once(run):
    _, out, _ = run("account", "create", "--account", "42")
    lines = out.splitlines()
    assert lines[0].split() == ["account", "42"]
    assert lines[2].split()[0] == "access_key_secret"
    assert lines[-1] == "The secret is shown this once; it is kept encrypted, and nobody can read it again."
    _, out, _ = run("key", "list", "--account", "42")
    assert "access_key_secret" not in out


def test_keys_are_exchanged_and_disabled(ask):
    first = ask("account", "create", "--account", "42")
    second = ask("key", "rotate", first["access_key_id"])
    assert second["account"] == "42"
    assert ask("key", "disable", second["access_key_id"]) == [
        {"access_key_id": second["access_key_id"], "status": "Inactive"}
    ]
    third = ask("key", "create", "--account", "42")
    statuses = {key["access_key_id"]: key["status"] for key in ask("key", "list", "--account", "42")}
    assert statuses == {
        first["access_key_id"]: "Inactive",
        second["access_key_id"]: "Inactive",
        third["access_key_id"]: "Active",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["account", "create", "--account", "me"], "mns: an account id is made of digits, not 'me'\n"),
        (["key", "create", "--account", "42"], "mns: The account does not exist.\n"),
        (["key", "create", "--account", "42", "--user", "ann"], "mns: The user does not exist.\n"),
        (["key", "rotate", "nobody"], "mns: The user access key does not exist.\n"),
        (["key", "disable", "nobody"], "mns: The user access key does not exist.\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, arguments, message):
    assert run(*arguments) == (2, "", message)


def test_the_same_account_is_not_made_twice(run):
    run("account", "create", "--account", "42")
    assert run("account", "create", "--account", "42") == (2, "", "mns: The account does already exist.\n")


def test_nothing_secret_lies_in_the_folder_in_the_open(ask, tmp_path):
    secrets = [ask("account", "create")["access_key_secret"] for _ in range(3)]
    for path in (tmp_path / ".openmns").iterdir():
        assert not any(secret.encode() in path.read_bytes() for secret in secrets), path


def test_another_key_file_is_refused_before_anything_is_written(run, tmp_path):
    run("account", "create")
    (tmp_path / ".openmns" / "openmns.key").write_bytes(b"x" * 32)
    status, _, err = run("account", "create")
    assert (status, err) == (
        2,
        "mns: .openmns/openmns.key is not the key that the secrets in .openmns were sealed with: bring that one back\n",
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_running_server_knows_a_new_key_at_once(tmp_path, workers):
    def command(*arguments):
        done = subprocess.run(  # noqa: S603  # our own command
            [live.mns_command(), *arguments, "--json"],
            cwd=tmp_path,
            env=live.environment(),
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout)

    with live.serving(tmp_path, "--port", "0", "--workers", workers) as server:
        made = command("account", "create")
        key = live.Key(
            account_id=made["account"], access_key_id=made["access_key_id"], secret=made["access_key_secret"]
        )
        assert [server.ask("GET", "/queues", key=key).status for _ in range(4)] == [200] * 4
        assert {item["account"] for item in command("account", "list")} == {made["account"], live.OWNER.account_id}
        assert live.stopped_cleanly(server) == (0, "")
        assert key.secret not in server.banner


def test_on_aws_secrets_are_sealed_by_kms(monkeypatch, moto_engine, prefix, capsys):
    import boto3  # noqa: PLC0415  # as the engine is

    engines.make_tables(moto_engine, prefix)
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "OPENMNS_TABLE_PREFIX": prefix,
        "OPENMNS_KMS_KEY": "alias/commands",
    }.items():
        monkeypatch.setenv(name, value)
    kms = boto3.client("kms")
    kms.create_alias(AliasName="alias/commands", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    assert main(["account", "create", "--aws", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    item = moto_engine.get_item(TableName=prefix + "identities", Key={"pk": {"S": f"key#{made['access_key_id']}"}})[
        "Item"
    ]
    assert item["sealed"]["B"][:1] == b"\x01"  # by KMS itself
    assert made["access_key_secret"].encode() not in item["sealed"]["B"]
    deployed = account._on_aws(settings.read())
    assert deployed.verbs.identities.key(made["access_key_id"]).secret == made["access_key_secret"]


def test_what_is_in_memory_only_has_no_accounts(run, monkeypatch):
    monkeypatch.setenv("OPENMNS_MEMORY", "true")
    status, _, err = run("account", "list")
    assert (status, err) == (
        2,
        "mns: what is in memory only has no accounts to be found here: give --data, or --aws\n",
    )
