"""What the deployed functions do on their rarer ways, as wholes; with test_workers.py every call that they make."""

import pytest

from chalicelib import bootstrap, settings
from chalicelib.api import workers
from chalicelib.model import account, limits
from infra.local import certificates, outbox, vault
from tests.api import signing
from tests.api.signing import texts
from tests.api.test_workers import records, schedule
from tests.push import servers

LARGE = "x" * 20_000  # does not fit with the state
QUEUE = f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues"


@pytest.fixture
def sent():
    made = outbox.Outbox()
    yield made
    made.close()


@pytest.fixture
def application(engine, prefix, clock, sent):
    """One that reaches receivers on this machine, and mailboxes, phones and apps of moto."""
    made = bootstrap.build(
        settings.Settings(table_prefix=prefix, push_allow="127.0.0.0/8"),
        engine=engine,
        clock=clock,
        services=sent.client,
        vault=vault.in_memory(),
    )
    bootstrap.install(made)
    made.verbs.identities.set_certificate(certificates.make())
    made.verbs.identities.add_key(
        account.AccessKey(access_key_id=signing.KEY, secret=signing.SECRET, account_id=signing.ACCOUNT)
    )
    yield made
    made.close()


@pytest.fixture
def receiver():
    with servers.web(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n") as made:
        yield made


def message(body: str) -> str:
    return f"<Message><MessageBody>{body}</MessageBody></Message>"


def subscribe(call, endpoint: str, dead_letters: str = "") -> None:
    policy = (
        f"<DlqPolicy><Enabled>true</Enabled><DeadLetterTargetQueue>{dead_letters}</DeadLetterTargetQueue></DlqPolicy>"
    )
    body = f"<Subscription><Endpoint>{endpoint}</Endpoint>{policy if dead_letters else ''}</Subscription>"
    assert call("PUT", "/topics/news/subscriptions/sub", body=body).status == 201


def publish(call, body: str, attributes: str = "") -> None:
    text = f"<Message><MessageBody>{body}</MessageBody>{attributes}</Message>"
    assert call("POST", "/topics/news/messages", body=text).status == 201


@pytest.fixture
def run(engine, prefix):
    """Hand a stream to its function, as it is by now."""
    streams = {"fan_out": "publications", "deliver": "deliveries"}

    def hand(name: str) -> None:
        told = records(engine, prefix + streams[name])
        assert getattr(workers, name)({"Records": told}, None) == {"batchItemFailures": []}

    return hand


@pytest.fixture
def demo(call) -> None:
    call("PUT", "/queues/demo", body="<Queue/>")


@pytest.fixture
def news(call) -> None:
    call("PUT", "/topics/news", body="<Topic/>")


def received(call) -> str:
    return texts(call("GET", "/queues/demo/messages"))["MessageBody"]


def test_large_messages_come_back_whole_singly_in_batches_and_at_a_glance(call, demo):
    call("POST", "/queues/demo/messages", body=message(LARGE))
    call("POST", "/queues/demo/messages", body=f"<Messages>{message(LARGE)}{message(LARGE)}</Messages>")
    assert call("GET", "/queues/demo/messages?peekonly=true&numOfMessages=3").body.count(LARGE.encode()) == 3
    assert call("GET", "/queues/demo/messages?numOfMessages=3").body.count(LARGE.encode()) == 3


def test_a_release_clears_away_what_is_beyond_its_retention(call, clock, engine, prefix):
    call("PUT", "/queues/demo", body="<Queue><MessageRetentionPeriod>60</MessageRetentionPeriod></Queue>")
    late = "<Message><MessageBody>x</MessageBody><DelaySeconds>90</DelaySeconds></Message>"
    call("POST", "/queues/demo/messages", body=late)
    clock.advance(90)
    workers.release(schedule(seconds=0), None)
    assert [record["eventName"] for record in records(engine, prefix + "messages")] == ["INSERT", "REMOVE"]


def test_a_large_publication_goes_into_a_queue(call, demo, news, run):
    subscribe(call, f"{QUEUE}/demo")
    publish(call, LARGE)
    run("fan_out")
    assert LARGE in received(call)


@pytest.mark.parametrize("by", ["deliver", "redeliver"])
def test_a_queue_that_was_not_there_gets_the_message_once_it_is(call, news, run, clock, by):
    subscribe(call, f"{QUEUE}/demo")
    publish(call, LARGE)
    run("fan_out")
    call("PUT", "/queues/demo", body="<Queue/>")
    if by == "deliver":
        run("deliver")
    else:
        clock.advance(limits.DELIVERY_LEASE_SECONDS)
        workers.redeliver(schedule(seconds=0), None)
        bootstrap.application().deliver.wait(5)
    assert LARGE in received(call)


@pytest.mark.parametrize("first", ["deliver", "redeliver"])
def test_a_push_is_signed_and_ends_in_the_dead_letter_queue_when_nobody_takes_it(
    application, call, demo, news, run, clock, receiver, first
):
    subscribe(call, f"http://127.0.0.1:{receiver.port}/", dead_letters="demo")
    publish(call, LARGE)
    run("fan_out")
    if first == "deliver":
        run("deliver")
    for _ in range(limits.BACKOFF_RETRIES + (first == "redeliver")):
        clock.advance(limits.DELIVERY_LEASE_SECONDS)
        workers.redeliver(schedule(seconds=0), None)
        assert application.deliver.wait(5)
    assert len(receiver.got) == 1 + limits.BACKOFF_RETRIES
    assert all("authorization" in {name.lower() for name, _ in got.headers} for got in receiver.got)
    assert received(call) == LARGE


def test_a_delivery_whose_stream_comes_after_the_retention_is_a_dead_letter_at_once(call, demo, news, run, clock):
    subscribe(call, "http://127.0.0.1:1/", dead_letters="demo")
    publish(call, LARGE)
    run("fan_out")
    clock.advance(limits.TOPIC_RETENTION_SECONDS)
    run("deliver")
    assert [item.state.value for item in bootstrap.application().log.read(limit=1)] == ["dead"]


@pytest.mark.parametrize(
    ("endpoint", "attributes", "kind"),
    [
        ("mail:directmail:a@example.test", "", "mails"),
        ("sms:directsms:13800000000", "", "texts"),
        ("push:24680", '<MessageAttributes><Push>{"Target":"ALL"}</Push></MessageAttributes>', "pushes"),
    ],
)
@pytest.mark.parametrize("by", ["deliver", "redeliver"])
def test_mails_short_messages_and_mobile_pushes_go_out(  # noqa: PLR0917  # fixtures, and three columns
    application, call, news, run, clock, sent, endpoint, attributes, kind, by
):
    sent.add_device("24680", "token", "user")
    subscribe(call, endpoint)
    publish(call, "hello", attributes)
    run("fan_out")
    if by == "deliver":
        run("deliver")
    else:
        clock.advance(limits.DELIVERY_LEASE_SECONDS)
        workers.redeliver(schedule(seconds=0), None)
    assert application.deliver.wait(10)
    assert len(sent.show()[kind]) == 1
