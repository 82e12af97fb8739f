"""`mns migrate` between two servers of ours, with the official SDK on both sides."""

import collections
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mns import account as sdk
from mns.message_property import MessagePropertyValue
from mns.mns_exception import MNSServerException
from mns.queue import Message, QueueMeta
from mns.subscription import SubscriptionMeta
from mns.topic import TopicMeta

from infra.cli import main
from infra.migration import dump, service, steps
from tests import live

ACCOUNT = "1234567890123456"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("source", "target")]
    with (
        live.serving(folders[0], "--port", "0", "--memory") as source,
        live.serving(folders[1], "--port", "0", "--memory") as target,
    ):
        yield source, target


class Side:
    """One of the two services, as a client sees it; what a test has made is deleted at its end."""

    def __init__(self, server: live.Server) -> None:
        self.server = server
        self.endpoint = server.endpoint
        self.account = sdk.Account(server.endpoint, live.OWNER.access_key_id, live.OWNER.secret)

    def queue(self, name, **attributes):
        made = self.account.get_queue(name)
        made.create(QueueMeta(**attributes))
        return made

    def attributes(self, name):
        return self.server.ask("GET", f"/queues/{name}").fields

    def clean(self):
        for url in self.account.list_queue()[0]:
            self.account.get_queue(url.rpartition("/")[2]).delete()
        for url in self.account.list_topic()[0]:
            self.account.get_topic(url.rpartition("/")[2]).delete()
        self.account.get_client().close_connection()

    def receive(self, name):
        """Everything that is there, deleted."""
        queue = self.account.get_queue(name)
        queue.set_encoding(False)
        found = []
        while True:
            try:
                batch = queue.batch_receive_message(16, 0)
            except MNSServerException as error:
                if error.type == "MessageNotExist":
                    return found
                raise
            found += batch
            queue.batch_delete_message([item.receipt_handle for item in batch])

    def pass_time(self, seconds):
        live_clock = json.dumps({"advance": seconds}).encode()
        with self.server.connect() as connection:
            connection.send(
                live.raw(
                    "POST",
                    "/_local/clock",
                    [("Host", self.server.host), ("Content-Type", "application/json")],
                    live_clock,
                )
            )
            assert connection.read().status == 200


@pytest.fixture
def source(servers):
    side = Side(servers[0])
    yield side
    side.clean()


@pytest.fixture
def target(servers):
    side = Side(servers[1])
    yield side
    side.clean()


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for prefix in ("ALIBABA_CLOUD", "OPENMNS"):
        monkeypatch.setenv(f"{prefix}_ACCESS_KEY_ID", live.OWNER.access_key_id)
        monkeypatch.setenv(f"{prefix}_ACCESS_KEY_SECRET", live.OWNER.secret)


@pytest.fixture
def run(capsys):
    """Run the command; its status and what it printed."""

    def call(*arguments):
        status = main.main(["migrate", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out.splitlines() or written.err.splitlines()

    return call


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "dump.json"


def furnish(side: Side) -> None:
    side.queue("orders", vis_timeout=45, max_msg_size=2_048, msg_ttl=3_600, delay_sec=7, polling_wait_sec=9)
    side.queue("logged", logging_enabled=True)
    news = side.account.get_topic("news")
    news.create(TopicMeta(maximum_message_size=4_096, logging_enabled=True))
    news.get_subscription("into-orders").subscribe(
        SubscriptionMeta(f"acs:mns:cn-hangzhou:{ACCOUNT}:queues/logged", "EXPONENTIAL_DECAY_RETRY", "JSON", "tag-1")
    )
    news.get_subscription("web").subscribe(SubscriptionMeta("http://127.0.0.1:9/push"))


def test_what_was_exported_is_made_with_every_attribute_and_making_it_again_changes_nothing(run, source, target, file):
    furnish(source)
    assert run("export", "--endpoint", source.endpoint, "--out", file) == (
        0,
        [f"{file}: 2 queues, 1 topics, 2 subscriptions"],
    )
    importing = ("import", file, "--endpoint", target.endpoint)
    assert run(*importing) == (
        0,
        [
            "queue logged: created",
            "queue orders: created",
            "topic news: created",
            "subscription news/into-orders: created",
            "subscription news/web: created",
            "5 created",
        ],
    )
    made = target.attributes("orders")
    assert [
        made[name]
        for name in (
            "VisibilityTimeout",
            "MaximumMessageSize",
            "MessageRetentionPeriod",
            "DelaySeconds",
            "PollingWaitSeconds",
        )
    ] == ["45", "2048", "3600", "7", "9"]
    assert target.attributes("logged")["LoggingEnabled"] == "True"
    subscribed = target.account.get_subscription("news", "into-orders").get_attributes()
    assert (
        subscribed.endpoint,
        subscribed.notify_strategy,
        subscribed.notify_content_format,
        subscribed.filter_tag,
    ) == (
        f"acs:mns:cn-hangzhou:{ACCOUNT}:queues/logged",
        "EXPONENTIAL_DECAY_RETRY",
        "JSON",
        "tag-1",
    )
    assert run(*importing)[1][-1] == "5 same"
    again = file.with_name("again.json")
    run("export", "--endpoint", target.endpoint, "--out", again)
    assert json.loads(again.read_text()) | {"source": ""} == json.loads(file.read_text()) | {"source": ""}


def test_a_dry_run_shows_what_is_missing_and_makes_nothing(run, source, target, file):
    furnish(source)
    run("export", "--endpoint", source.endpoint, "--out", file)
    status, lines = run("import", file, "--endpoint", target.endpoint, "--dry-run")
    assert (status, lines[0], lines[-1]) == (1, "queue logged: missing", "5 missing")
    assert target.account.list_queue()[0] == []


def test_what_differs_is_told_and_changed_only_when_asked_to(run, source, target, file):
    source.queue("orders", vis_timeout=45)
    target.queue("orders", vis_timeout=30)
    run("export", "--endpoint", source.endpoint, "--out", file)
    importing = ("import", file, "--endpoint", target.endpoint)
    told = "queue orders: different: visibility_timeout is 30, wanted 45"
    assert run(*importing) == (1, [told, "1 different"])
    assert run(*importing, "--update", "--dry-run") == (1, [told, "1 different"])
    assert target.attributes("orders")["VisibilityTimeout"] == "30"
    assert run(*importing, "--update") == (0, [told.replace("different", "updated"), "1 updated"])
    assert target.attributes("orders")["VisibilityTimeout"] == "45"


def test_a_subscription_to_another_endpoint_is_left_alone(run, source, target, file):
    furnish(source)
    furnish(target)
    there = target.account.get_subscription("news", "web")
    there.unsubscribe()
    there.subscribe(SubscriptionMeta("http://127.0.0.1:9/other"))
    run("export", "--endpoint", source.endpoint, "--out", file)
    status, lines = run("import", file, "--endpoint", target.endpoint, "--update")
    assert status == 1
    assert (
        "subscription news/web: different: endpoint is http://127.0.0.1:9/other, wanted http://127.0.0.1:9/push:"
        " endpoint cannot be changed: unsubscribe it first" in lines
    )
    assert there.get_attributes().endpoint == "http://127.0.0.1:9/other"


def test_queues_that_subscriptions_name_move_with_the_account(file):
    wanted = dump.Subscription(name="s", attributes={"endpoint": "acs:mns:cn-beijing:1:queues/q"})
    adapted = steps.Place(account_id="2", region="us-east-1").adapt(wanted)
    assert adapted.attributes["endpoint"] == "acs:mns:us-east-1:2:queues/q"
    web = dump.Subscription(name="s", attributes={"endpoint": "http://host:1/a:b"})
    assert steps.Place(account_id="2").adapt(web) == web


def test_lists_of_any_length_are_read_page_by_page(source):
    names = [f"queue-{number}" for number in range(7)]
    for name in names:
        source.queue(name)
    key = service.Credentials(access_key_id=live.OWNER.access_key_id, access_key_secret=live.OWNER.secret)
    with contextlib.closing(service.Service(source.endpoint, key, page=3)) as paged:
        assert [item.name for item in paged.queues()] == names


def test_messages_keep_body_priority_group_and_properties_and_are_received_at_once(run, source, target, file):
    queue = source.queue("orders")
    queue.set_encoding(False)
    sent = Message(" é <b>\n\t", priority=3)
    sent.set_message_group_id("customer-42")
    sent.add_user_property("city", MessagePropertyValue.create_string("杭州"))
    queue.send_message(sent)
    target.queue("orders", delay_sec=600)
    run("export", "--endpoint", source.endpoint, "--out", file)
    run("import", file, "--endpoint", target.endpoint, "--messages", 5)
    [received] = target.receive("orders")
    assert (received.message_body, received.priority, received.message_group_id) == (" é <b>\n\t", 3, "customer-42")
    assert received.get_user_properties()["city"].get_raw_value() == "杭州"
    assert source.receive("orders") == []


def test_no_more_messages_are_moved_than_asked_for(run, source, target, file):
    fill(source, "orders", 40)
    run("export", "--endpoint", source.endpoint, "--out", file)
    status, lines = run("import", file, "--endpoint", target.endpoint, "--messages", 20)
    assert (status, lines[-2]) == (0, "messages of orders: 20 moved")
    assert len(target.receive("orders")) == 20
    assert len(source.receive("orders")) == 20


def test_a_message_that_the_target_refuses_stays_where_it_is(run, source, target, file):
    queue = source.queue("orders", vis_timeout=1)
    queue.set_encoding(False)
    for body in ("small", "x" * 2_000):
        queue.send_message(Message(body))
    target.queue("orders", max_msg_size=1_024, vis_timeout=1)
    run("export", "--endpoint", source.endpoint, "--out", file)
    status, lines = run("import", file, "--endpoint", target.endpoint, "--drain")
    assert status == 1
    assert lines[-2].startswith("messages of orders: 1 moved, 1 kept (")
    source.pass_time(2)
    assert [item.message_body for item in source.receive("orders")] == ["x" * 2_000]
    assert [item.message_body for item in target.receive("orders")] == ["small"]


def test_thousands_of_messages_survive_a_kill_in_the_middle(run, source, target, file):
    bodies = fill(source, "orders", 3_000, vis_timeout=1)
    run("export", "--endpoint", source.endpoint, "--out", file)
    arguments = ("migrate", "import", str(file), "--endpoint", target.endpoint, "--drain")
    kills = 0
    for wanted in (300, 1_500):
        process = subprocess.Popen([live.mns_command(), *arguments], stdout=subprocess.DEVNULL)  # noqa: S603  # ours
        while process.poll() is None and held(target, "orders") < wanted:
            time.sleep(0.005)
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills > 0
    source.pass_time(2)  # what was in hand is visible again
    status, lines = run(*arguments[1:])
    assert (status, lines[-1]) == (0, f"1 same, {lines[-2].split()[3]} messages moved")
    arrived = collections.Counter(item.message_body for item in target.receive("orders"))
    assert set(arrived) == set(bodies)
    assert sum(arrived.values()) - len(arrived) <= 16 * kills  # those in hand when it was killed
    assert source.receive("orders") == []


def test_the_outcome_is_json_for_machines(run, source, target, file):
    fill(source, "orders", 3)
    assert json.loads(run("export", "--endpoint", source.endpoint, "--out", file, "--json")[1][0]) == {
        "file": str(file),
        "queues": 1,
        "topics": 0,
        "subscriptions": 0,
    }
    status, lines = run("import", file, "--endpoint", target.endpoint, "--drain", "--json")
    assert (status, json.loads("\n".join(lines))) == (
        0,
        {
            "steps": [{"kind": "queue", "name": "orders", "outcome": "created", "differences": {}, "detail": ""}],
            "messages": [{"queue": "orders", "moved": 3, "kept": 0, "detail": ""}],
        },
    )


def test_the_file_holds_no_secret(run, source, file):
    furnish(source)
    run("export", "--endpoint", source.endpoint, "--out", file)
    assert live.OWNER.secret not in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["dump.json"]


def test_wrong_credentials_end_with_what_the_service_says_and_status_2(run, source, file, monkeypatch):
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
    status, [line, *_] = run("export", "--endpoint", source.endpoint, "--out", file)
    assert status == 2
    assert line.startswith(f"mns: {source.endpoint}: SignatureDoesNotMatch")
    assert not file.exists()


def test_missing_credentials_are_named(run, source, file, monkeypatch):
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    status, [line] = run("export", "--endpoint", source.endpoint, "--out", file)
    assert status == 2
    assert "--access-key-id" in line
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in line


def test_nobody_there_is_one_line_and_status_2(run, file):
    status, [line] = run("export", "--endpoint", f"http://127.0.0.1:{live.free_port()}", "--out", file)
    assert status == 2
    assert "refused" in line


@pytest.mark.parametrize("text", ["", "[]", '{"format": 0}', '{"format": 1, "source": "", "queues": [{}]}'])
def test_a_file_that_is_no_dump_is_refused_and_changes_nothing(run, target, file, text):
    file.write_text(text)
    status, [line] = run("import", file, "--endpoint", target.endpoint)
    assert (status, target.account.list_queue()[0]) == (2, [])
    assert str(file) in line


def test_without_the_sdk_it_says_how_to_get_it(run, file, monkeypatch):
    monkeypatch.setitem(sys.modules, "mns", None)
    status, [line] = run("export", "--endpoint", "http://127.0.0.1:9", "--out", file)
    assert status == 2
    assert "pip install aliyun-mns-sdk" in line


def test_a_number_of_messages_that_cannot_be_is_refused(run, file, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("import", file, "--endpoint", "http://127.0.0.1:9", "--messages", "0")
    assert "--messages: should be above 0, not 0" in capsys.readouterr().err


def test_messages_do_not_go_round_in_circles(run, source, file):
    fill(source, "orders", 1)
    run("export", "--endpoint", source.endpoint, "--out", file)
    status, [line] = run("import", file, "--endpoint", source.endpoint, "--drain")
    assert status == 2
    assert "same endpoint" in line


def fill(side: Side, name: str, count: int, **attributes) -> list[str]:
    queue = side.queue(name, **attributes)
    queue.set_encoding(False)
    bodies = [f"message {number}" for number in range(count)]
    for start in range(0, count, 16):
        queue.batch_send_message([Message(body) for body in bodies[start : start + 16]])
    return bodies


def held(side: Side, name: str) -> int:
    """How many messages are there, as far as is told."""
    reply = side.server.ask("GET", f"/queues/{name}")
    return int(reply.fields.get("ActiveMessages", 0))
