"""Accounts that share: through the official clients alone, against live servers."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import live

if not os.environ.get("CI"):
    pytest.importorskip("alibabacloud_ram20150501")
    pytest.importorskip("alibabacloud_sts20150401")
    pytest.importorskip("mns")

from mns.account import Account
from mns.mns_exception import MNSExceptionBase
from mns.queue import Message, QueueMeta
from mns.subscription import SubscriptionMeta
from mns.topic import TopicMessage, TopicMeta

from tests.sdk import ram
from tests.sdk.ram import allow, document, trust

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated .*:DeprecationWarning")
FIRST, SECOND = live.OWNER, live.OTHER
either = pytest.mark.parametrize("server", ["memory", "workers"], indirect=True)


@pytest.fixture
def server(tmp_path, request):
    """One process with its state in memory, or two on a folder."""
    (tmp_path / "openmns.toml").write_text(live.TWO_ACCOUNTS)
    flags = ["--workers", "2"] if getattr(request, "param", "memory") == "workers" else ["--memory"]
    with live.serving(tmp_path, "--port", "0", *flags) as running:
        yield running
        assert live.stopped_cleanly(running) == (0, "")


@pytest.fixture(autouse=True)
def _closing():
    """The client of MNS keeps its connection open until it is told not to."""
    yield
    while opened:
        opened.pop().get_client().close_connection()


opened = []


def account(server, who):
    who = who if isinstance(who, ram.Credentials) else ram.Credentials.of(who)
    opened.append(Account(server.endpoint, who.access_key_id, who.secret, who.token))
    return opened[-1]


def queue(server, who, name="orders"):
    return account(server, who).get_queue(name)


def refused(call, *arguments):
    with pytest.raises(MNSExceptionBase) as raised:
        call(*arguments)
    return raised.value.type


@either
def test_two_networks_exchange_messages_by_a_queue_of_one_of_them(server):
    """The first network owns the queue. Of the second one, a producer may send to it and a consumer may take from it,
    each by a role; the first network's own consumer works beside it."""
    queue(server, FIRST).create(QueueMeta())
    outside = f"acs:ram::{SECOND.account_id}"
    resource = f"acs:mns:*:{FIRST.account_id}:/queues/orders/messages"
    here = {"IpAddress": {"acs:SourceIp": ["127.0.0.0/8", "::1/128"]}}
    taking = ("mns:ReceiveMessage", "mns:DeleteMessage", "mns:ChangeMessageVisibility")
    producer_name, producer = ram.make_user(server, SECOND, allow("sts:AssumeRole"))
    _, consumer = ram.make_user(server, SECOND, allow("sts:AssumeRole"))
    _, sender = ram.make_role(
        server, FIRST, trust(f"{outside}:user/{producer_name}"), allow("mns:SendMessage", resource=resource, **here)
    )
    _, taker = ram.make_role(server, FIRST, trust(f"{outside}:root"), allow(*taking, resource=resource, **here))
    _, distant = ram.make_role(
        server,
        FIRST,
        trust(f"{outside}:root"),
        allow("mns:*", IpAddress={"acs:SourceIp": "203.0.113.0/24"}),
    )
    _, own = ram.make_user(server, FIRST, allow(*taking, "mns:SendMessage", resource=resource))

    sending = ram.assume(server, producer, sender)
    taking_part = ram.assume(server, consumer, taker)
    assert ram.connect_sts(server, consumer).refused("assume_role", role_arn=sender, role_session_name="eve") == (
        *(403, "NoPermission"),
    )
    for number in range(4):
        queue(server, sending).send_message(Message(f"order {number}"))
    assert refused(queue(server, sending).receive_message, 0) == "AccessDenied"
    assert refused(queue(server, taking_part).send_message, Message("no")) == "AccessDenied"
    assert refused(queue(server, ram.assume(server, consumer, distant)).receive_message, 0) == "AccessDenied"
    taken = []
    for who in (taking_part, own) * 2:
        message = queue(server, who).receive_message(0)
        taken.append(message.message_body)
        queue(server, who).delete_message(message.receipt_handle)
    assert sorted(taken) == [b"order 0", b"order 1", b"order 2", b"order 3"]
    assert refused(queue(server, own).receive_message, 0) == "MessageNotExist"
    for key in (SECOND, consumer):  # in its own account, the second one's name means another queue
        assert refused(queue(server, key).receive_message, 0) in {"QueueNotExist", "AccessDenied"}


def test_a_user_may_publish_and_nothing_else(server):
    owner = account(server, FIRST)
    owner.get_queue("inbox").create(QueueMeta())
    news = owner.get_topic("news")
    news.create(TopicMeta())
    endpoint = f"acs:mns:cn-hangzhou:{FIRST.account_id}:queues/inbox"
    news.get_subscription("inbox").subscribe(SubscriptionMeta(endpoint, notify_content_format="SIMPLIFIED"))
    _, who = ram.make_user(server, FIRST, allow("mns:PublishMessage", resource="acs:mns:*:*:/topics/news/messages"))
    theirs = account(server, who)
    theirs.get_topic("news").publish_message(TopicMessage("extra"))
    assert refused(theirs.get_topic("other").publish_message, TopicMessage("x")) == "AccessDenied"
    assert refused(theirs.get_topic("news").get_attributes) == "AccessDenied"
    assert refused(theirs.list_queue) == "AccessDenied"
    inbox = owner.get_queue("inbox")
    inbox.set_encoding(False)
    assert inbox.receive_message(5).message_body == "extra"


def test_a_temporary_key_ends_when_its_time_is_over(server):
    queue(server, FIRST).create(QueueMeta())
    _, who = ram.make_user(server, FIRST, allow("sts:AssumeRole"))
    _, arn = ram.make_role(server, FIRST, trust(f"acs:ram::{FIRST.account_id}:root"), allow("mns:*"))
    only_sending = document(allow("mns:SendMessage"))
    session = ram.assume(server, who, arn, duration_seconds=900, policy=only_sending)
    queue(server, session).send_message(Message("in time"))
    assert refused(queue(server, session).receive_message, 0) == "AccessDenied"
    request = urllib.request.Request(
        f"{server.endpoint}/_local/clock",
        method="POST",
        data=json.dumps({"advance": 900}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()
    assert refused(queue(server, session).send_message, Message("too late")) == "AccessDenied"
    assert queue(server, FIRST).receive_message(0).message_body == b"in time"


@either
def test_what_is_taken_away_is_gone_at_once_in_one_process_and_soon_in_all(server):
    queue(server, FIRST).create(QueueMeta())
    name, who = ram.make_user(server, FIRST, allow("mns:SendMessage"))
    for _ in range(6):
        queue(server, who).send_message(Message("x"))
    api = ram.connect_ram(server)
    api("update_access_key", user_name=name, user_access_key_id=who.access_key_id, status="Inactive")
    live.eventually(lambda: refused(queue(server, who).send_message, Message("x")) == "InvalidAccessKeyId")
    api("update_access_key", user_name=name, user_access_key_id=who.access_key_id, status="Active")
    api("detach_policy_from_user", user_name=name, policy_type="Custom", policy_name=name)
    assert [refused(queue(server, who).send_message, Message("x")) for _ in range(6)] == ["AccessDenied"] * 6


def test_users_roles_and_keys_outlive_the_server_and_no_secret_is_written_in_the_open(tmp_path):
    with live.serving(tmp_path, "--port", "0") as server:
        queue(server, FIRST).create(QueueMeta())
        _, who = ram.make_user(server, FIRST, allow("mns:*", "sts:*"))
        _, arn = ram.make_role(server, FIRST, trust(f"acs:ram::{FIRST.account_id}:root"), allow("mns:*"))
        session = ram.assume(server, who, arn)
        server.process.kill()
        server.process.wait()
    with live.serving(tmp_path, "--port", "0") as server:
        queue(server, who).send_message(Message("x"))
        assert queue(server, session).receive_message(0).message_body == b"x"
        assert live.stopped_cleanly(server) == (0, "")
    folder = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "openmns.key" for path in folder)
    for path in folder:  # the database, its journal, and what the server printed
        written = path.read_bytes()
        for secret in (who.secret, session.secret, session.token):
            assert secret.encode() not in written, path


def test_the_readme_shows_how_a_second_account_gets_a_queue_it_may_only_read(tmp_path):
    readme = (live.ROOT / "README.md").read_text()
    section = readme.partition("## A second account gets a queue it may only read")[2].partition("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    [accounts] = re.findall(r"^(\[\[accounts\]\].*?)\n\n", readme, re.DOTALL | re.MULTILINE)
    (tmp_path / "openmns.toml").write_text(accounts)
    with live.serving(tmp_path, "--port", "0", "--memory") as server:
        more = """
for call in (lambda: theirs.get_queue("orders").send_message(Message("x")), theirs.get_queue("other").receive_message):
    try:
        call()
    except Exception as error:
        print(error.type)
"""
        program = Path(tmp_path / "program.py")
        program.write_text(code.replace("127.0.0.1:8000", server.host) + more)
        done = subprocess.run([sys.executable, "-W", "ignore", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.stdout, done.stderr) == ("b'hello, neighbour'\nAccessDenied\nAccessDenied\n", "")
