"""Where a setting comes from, what it may be, and what is said of one that cannot be."""

from pathlib import Path

import pytest

from chalicelib.model import account, queue
from infra.local import config

DEFAULT_KEY = account.AccessKey(access_key_id="openmns", secret="openmns-secret", account_id="1234567890123456")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(document: str = "", flags: dict | None = None, environment: dict | None = None) -> config.LocalConfig:
    if document:
        Path("openmns.toml").write_text(document)
    return config.load(flags or {}, environment or {})


def complaint(document: str = "", flags: dict | None = None, environment: dict | None = None) -> str:
    with pytest.raises(config.ConfigError) as refused:
        load(document, flags, environment)
    return str(refused.value)


def test_with_nothing_said_the_defaults_hold():
    assert load() == config.LocalConfig(
        host="127.0.0.1",
        port=8000,
        region="cn-hangzhou",
        data=Path(".openmns"),
        engine="embedded",
        durability="normal",
        workers=0,
        keys=(DEFAULT_KEY,),
        queues=(),
    )


def test_a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default():
    document = 'port = 1\nregion = "of-the-file"\nhost = "of-the-file"\n'
    environment = {"OPENMNS_PORT": "2", "OPENMNS_REGION": "of-the-environment"}
    told = load(document, {"port": 3, "region": None}, environment)
    assert (told.port, told.region, told.host, told.engine) == (3, "of-the-environment", "of-the-file", "embedded")


def test_every_setting_can_come_from_the_environment():
    told = load(
        environment={
            "OPENMNS_HOST": "0.0.0.0",  # noqa: S104  # read, not bound
            "OPENMNS_PORT": "0",
            "OPENMNS_REGION": "cn-beijing",
            "OPENMNS_DATA": "kept",
            "OPENMNS_MEMORY": "false",
            "OPENMNS_ENGINE": "embedded",
            "OPENMNS_DURABILITY": "full",
            "OPENMNS_WORKERS": "3",
            "OPENMNS_ACCOUNT": "42",
            "OPENMNS_ACCESS_KEY_ID": "key",
            "OPENMNS_ACCESS_KEY_SECRET": "secret",
        }
    )
    assert told == config.LocalConfig(
        host="0.0.0.0",  # noqa: S104  # the same
        port=0,
        region="cn-beijing",
        data=Path("kept"),
        engine="embedded",
        durability="full",
        workers=3,
        push_allow="",
        keys=(account.AccessKey(access_key_id="key", secret="secret", account_id="42"),),
    )


@pytest.mark.parametrize("flags", [{"memory": True}, {"engine": "moto"}])
def test_what_keeps_everything_in_memory_has_no_data_folder_and_one_process(flags):
    assert (load(flags=flags).data, config.usual_workers(load(flags=flags))) == (None, 1)


@pytest.mark.parametrize(("cores", "workers"), [(None, 1), (1, 1), (2, 2), (64, 2)])
def test_two_processes_serve_where_there_are_cores_for_them(monkeypatch, cores, workers):
    monkeypatch.setattr(config.os, "cpu_count", lambda: cores)
    assert config.usual_workers(load()) == workers


@pytest.mark.parametrize("name", ["OPENMNS_ACCOUNT_RATE", "OPENMNS_METADATA_RATE"])
def test_one_process_serves_where_an_account_has_a_rate(monkeypatch, name):
    monkeypatch.setattr(config.os, "cpu_count", lambda: 2)
    assert config.usual_workers(load(environment={name: "9"})) == 1


@pytest.mark.parametrize("workers", [0, -1, 65])
def test_a_number_of_workers_that_cannot_be_is_told_so(workers):
    assert complaint(flags={"workers": workers}) == f"workers should be 1 to 64, not {workers}"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("127.0.0.1", config.LOOPBACK), ("localhost", config.LOOPBACK), ("0.0.0.0", "")],  # noqa: S104  # not bound
)
def test_pushes_reach_what_the_machine_serves_to_itself_only_where_others_cannot_subscribe(host, allowed):
    assert load(flags={"host": host}).push_allow == allowed
    assert load(flags={"host": host}, environment={"OPENMNS_PUSH_ALLOW": "10.0.0.0/8"}).push_allow == "10.0.0.0/8"


def test_several_workers_want_a_folder_to_share():
    assert complaint(flags={"workers": 2, "memory": True}).startswith("several workers share a file")


def test_an_empty_variable_counts_as_not_set():
    assert load(environment={"OPENMNS_PORT": "", "OPENMNS_CONFIG": ""}).port == 8000


def test_the_file_may_be_another_one_named_by_flag_or_variable(folder):
    (folder / "a.toml").write_text("port = 1")
    (folder / "b.toml").write_text("port = 2")
    environment = {"OPENMNS_CONFIG": "a.toml"}
    assert load(environment=environment).port == 1
    assert load(flags={"config": "b.toml"}, environment=environment).port == 2


def test_further_accounts_and_queues_at_start_come_from_the_file():
    told = load(
        """
        [[accounts]]
        id = "2222222222222222"
        access_key_id = "second"
        access_key_secret = "of the second"

        [[queues]]
        name = "orders"
        visibility_timeout = 60
        logging_enabled = true

        [[queues]]
        name = "theirs"
        account = "2222222222222222"
        """
    )
    second = account.AccessKey(access_key_id="second", secret="of the second", account_id="2222222222222222")
    assert told.keys == (DEFAULT_KEY, second)
    assert told.queues == (
        config.QueueAtStart(
            name="orders",
            account_id="1234567890123456",
            change=queue.QueueChange(visibility_timeout=60, logging_enabled=True),
        ),
        config.QueueAtStart(name="theirs", account_id="2222222222222222", change=queue.QueueChange()),
    )


def test_a_secret_is_not_shown_where_a_configuration_is_printed():
    assert "openmns-secret" not in repr(load())


SECOND = '[[accounts]]\nid = "2"\naccess_key_id = "{}"\naccess_key_secret = "x"\n'


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("port = true", "port should be of type int, not True"),
        ("port = -1", "port should be 0 to 65535, not -1"),
        ("memory = 1", "memory should be of type bool, not 1"),
        ("host = 1", "host should be of type str, not 1"),
        ('engine = "paper"', "engine should be one of embedded, moto, not 'paper'"),
        ('durability = "some"', "durability should be one of normal, full, not 'some'"),
        ('data = "d"\nmemory = true', "data and memory exclude each other: give the one or the other"),
        (SECOND.format("openmns"), "an access key id is given twice: openmns, openmns"),
        (SECOND.format("a:b"), "an access key id has no blanks, colons, commas or slashes, not 'a:b'"),
        ('[[accounts]]\nid = "2"', "an account has the texts access_key_id, access_key_secret, id, not id"),
        ('account = "me"', "an account id is made of digits, not 'me'"),
        (
            '[[queues]]\nname = "q"\naccount = "9"',
            "the queue q is of the account '9', which is not declared",
        ),
        ('[[queues]]\nname = "q"\ndelay_seconds = "1"', "delay_seconds of the queue q cannot be '1'"),
        ('[[queues]]\nname = "q"\nlogging_enabled = 1', "logging_enabled of the queue q cannot be 1"),
        ('[[queues]]\nname = "q"\ndelay_seconds = true', "delay_seconds of the queue q cannot be True"),
        (
            '[[queues]]\nname = "q"\ndelay_seconds = -1',
            "the queue 'q': The value of DelaySeconds should between 0 and 604800.",
        ),
        (
            '[[queues]]\nname = "a b"',
            (
                "the queue 'a b': The queue name should hold letters, digits and hyphens only and begin with a letter"
                " or a digit."
            ),
        ),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_would_do(document, told):
    assert complaint(document) == told


@pytest.mark.parametrize(
    "document",
    ["[[queues]]\nvisibility_timeout = 60", '[[queues]]\nname = "q"\nvisibility = 60', "[[queues]]\nname = 1"],
)
def test_a_queue_without_a_name_or_with_something_unknown_is_told_what_it_may_have(document):
    assert complaint(document).startswith(
        "a queue has a name and may have account, delay_seconds, logging_enabled, maximum_message_size,"
        " message_retention_period, polling_wait_seconds, visibility_timeout; not {"
    )


@pytest.mark.parametrize("name", ["accounts", "queues"])
@pytest.mark.parametrize("document", ["{} = 5", "{} = ['']", "{} = ['q']", "[{}]\nname = 'q'"])
def test_accounts_and_queues_that_are_no_lists_of_tables_are_told_so(name, document):
    assert complaint(document.format(name)) == f"{name} should be a list of tables, each begun by [[{name}]]"


def test_a_name_that_is_no_setting_is_told_with_those_that_are():
    assert complaint("prot = 8000") == (
        "prot is not a setting; the settings are: host, port, region, data, memory, engine, durability, workers,"
        " s3_port, bucket_owners, account_rate, metadata_rate, account, access_key_id, access_key_secret, public_url,"
        " push_allow, push_ca_file, smtp_url, mail_sender, signing_key, signing_certificate, accounts, queues"
    )


def test_a_file_that_is_named_but_not_there_is_told_and_the_usual_one_may_be_missing():
    assert complaint(flags={"config": "mine.toml"}) == "there is no file mine.toml"
    assert load().source == "defaults"


def test_a_file_that_is_a_folder_is_told(folder):
    (folder / "openmns.toml").mkdir()
    assert complaint() == "cannot read openmns.toml: Is a directory"


def test_a_file_that_is_not_utf_8_is_told(folder):
    (folder / "openmns.toml").write_bytes(b'host = "\xff"')
    assert complaint().startswith("openmns.toml is not TOML: ")


def test_a_later_source_wins_over_what_it_excludes_in_a_former_one(folder):
    (folder / "openmns.toml").write_text('data = "kept"\n')
    assert config.load({}, {}).data == Path("kept")
    assert config.load({"memory": True}, {}).data is None
    assert config.load({}, {"OPENMNS_MEMORY": "YES"}).data is None
    assert config.load({"engine": "moto"}, {"OPENMNS_DATA": "x"}).data is None
    assert config.load({"data": "mine"}, {"OPENMNS_MEMORY": "true"}).data == Path("mine")


def test_nobody_is_throttled_unless_told_so():
    assert (load().account_rate, load().metadata_rate) == (0, 0)
    told = load("account_rate = 20000", environment={"OPENMNS_METADATA_RATE": "200"})
    assert (told.account_rate, told.metadata_rate) == (20_000, 200)


def test_a_rate_that_cannot_be_is_told_so():
    assert complaint("metadata_rate = -1").startswith("metadata_rate should be 0 (no limit) to")


def test_an_object_store_is_served_where_told_so_for_the_owners_of_its_buckets():
    told = load("s3_port = 9000", environment={"OPENMNS_BUCKET_OWNERS": "photos=42"})
    assert (told.s3_port, told.bucket_owners, load().s3_port) == (9000, "photos=42", 9000)
    assert complaint(flags={"s3_port": -1}) == "s3_port should be 0 to 65535, not -1"
    assert complaint("bucket_owners = 'photos'") == "bucket_owners: 'photos' should be of the form bucket=account id"
