"""What the deployed functions do on their rarer ways, for each kind of queue and topic, as wholes.

With the other tests of this folder these are all the calls that the functions make of the engine and of other services:
tests/aws/test_policies.py derives from them what each function has to be granted.
"""

import pytest

from chalicelib import bootstrap, settings
from chalicelib.api import workers
from chalicelib.model import account, event_rule, limits, queue, resource, topic
from infra.local import certificates, outbox, vault
from tests.api import signing
from tests.api.signing import texts
from tests.api.test_workers import records, schedule
from tests.push import servers

HERE = account.Namespace(account_id=signing.ACCOUNT, region="cn-hangzhou")
LARGE = "x" * 20_000  # does not fit with the state
QUEUE = f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues"
SEALED = resource.Encryption(enabled=True)
FIFO = resource.Type.FIFO


@pytest.fixture
def sent():
    made = outbox.Outbox()
    yield made
    made.close()


@pytest.fixture
def application(engine, prefix, clock, sent):
    """One that reaches receivers on this machine, and mailboxes, phones and apps of moto."""
    made = bootstrap.build(
        settings.Settings(
            table_prefix=prefix, push_allow="127.0.0.0/8", bucket_owners=f"photos={signing.ACCOUNT}", longest_wait=0
        ),
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


@pytest.fixture(params=["normal", "fifo", "sealed", "sealed fifo"])
def kind(request) -> str:
    return request.param


@pytest.fixture
def make_queue(application, kind):
    """Make a queue of the kind, as an operator would."""

    def make(name: str = "demo", **changes) -> None:
        change = queue.QueueChange(encryption=SEALED if "sealed" in kind else None, **changes)
        application.verbs.queues.create(HERE, name, change, kind=FIFO if "fifo" in kind else None)

    return make


@pytest.fixture
def demo(make_queue) -> None:
    make_queue()


@pytest.fixture
def news(application, kind) -> None:
    change = topic.TopicChange(encryption=SEALED if "sealed" in kind else None)
    application.verbs.topics.create(HERE, "news", change, kind=FIFO if "fifo" in kind else None)


@pytest.fixture
def open_news(application) -> None:
    """A topic that takes every endpoint."""
    application.verbs.topics.create(HERE, "news", topic.TopicChange())


@pytest.fixture
def run(engine, prefix):
    """Hand a stream to its function, as it is by now."""
    streams = {"fan_out": "publications", "deliver": "deliveries"}

    def hand(name: str) -> None:
        told = records(engine, prefix + streams[name])
        assert getattr(workers, name)({"Records": told}, None) == {"batchItemFailures": []}

    return hand


def message(body: str, more: str = "") -> str:
    return f"<Message><MessageBody>{body}</MessageBody><MessageGroupId>g</MessageGroupId>{more}</Message>"


def send(call, body: str) -> None:
    assert call("POST", "/queues/demo/messages", body=body).status == 201


def receive(call, count: int = 1, queue: str = "demo") -> list[str]:
    """The handles of messages that are received, singly or in a batch."""
    answer = call("GET", f"/queues/{queue}/messages" + (f"?numOfMessages={count}" if count > 1 else ""))
    return [part.partition(b"<")[0].decode() for part in answer.body.split(b"<ReceiptHandle>")[1:]]


def body(call, queue: str = "demo") -> str:
    return texts(call("GET", f"/queues/{queue}/messages"))["MessageBody"]


def subscribe(call, endpoint: str, dead_letters: str = "") -> None:
    target = f"<DeadLetterTargetQueue>{dead_letters}</DeadLetterTargetQueue>"
    policy = f"<DlqPolicy><Enabled>true</Enabled>{target}</DlqPolicy>" if dead_letters else ""
    wanted = f"<Subscription><Endpoint>{endpoint}</Endpoint>{policy}</Subscription>"
    assert call("PUT", "/topics/news/subscriptions/sub", body=wanted).status == 201


def publish(call, text: str, attributes: str = "") -> None:
    assert call("POST", "/topics/news/messages", body=message(text, attributes)).status == 201


def redeliver(application, clock) -> None:
    clock.advance(limits.DELIVERY_LEASE_SECONDS)
    workers.redeliver(schedule(seconds=0), None)
    assert application.deliver.wait(10)


@pytest.mark.parametrize("text", ["small", LARGE])
def test_messages_live_and_go_singly_and_in_batches(call, demo, text):
    send(call, message(text))
    send(call, f"<Messages>{message(text)}{message(text)}</Messages>")
    assert call("GET", "/queues/demo/messages?peekonly=true&numOfMessages=3").body.count(text.encode()) == 3
    [handle, *others] = receive(call, 3)
    answer = call("PUT", f"/queues/demo/messages?ReceiptHandle={handle}&VisibilityTimeout=60")
    handle = texts(answer)["ReceiptHandle"]
    assert call("DELETE", f"/queues/demo/messages?ReceiptHandle={handle}").status == 204
    while others or (others := receive(call, 3)):
        listed = "".join(f"<ReceiptHandle>{other}</ReceiptHandle>" for other in others)
        assert call("DELETE", "/queues/demo/messages", body=f"<ReceiptHandles>{listed}</ReceiptHandles>").status == 204
        others = []
    assert call("GET", "/queues/demo/messages").status == 404


def test_what_is_beyond_its_retention_is_cleared_away_by_whoever_meets_it(call, make_queue, clock):
    make_queue(message_retention_period=60, visibility_timeout=90)
    for meet in (
        lambda: call("GET", "/queues/demo/messages?peekonly=true"),
        lambda: call("GET", "/queues/demo/messages"),
        lambda: workers.release(schedule(seconds=0), None),
    ):
        send(call, message("x"))
        receive(call)
        send(call, message("y"))
        clock.advance(91)
        meet()
        assert call("GET", "/queues/demo/messages").status == 404


@pytest.mark.parametrize("text", ["small", LARGE])
@pytest.mark.parametrize("by", ["receive", "peek", "release"])
def test_what_was_received_too_often_goes_to_the_queue_of_dead_letters(call, make_queue, clock, text, by):
    make_queue("dead")
    make_queue(dead_letter=resource.DeadLetter(enabled=True, target="dead", max_receive_count=1), visibility_timeout=5)
    send(call, message(text))
    assert len(receive(call)) == 1
    clock.advance(6)
    if by == "release":
        workers.release(schedule(seconds=0), None)
    target = "/queues/demo/messages?peekonly=true" if by == "peek" else "/queues/demo/messages"
    assert call("GET", target).status == 404
    assert body(call, "dead") == text


@pytest.mark.parametrize("text", ["small", LARGE])
def test_a_publication_goes_into_a_queue(call, demo, news, run, text):
    subscribe(call, f"{QUEUE}/demo")
    publish(call, text)
    run("fan_out")
    assert text in body(call)


def test_what_is_ordered_and_cannot_be_brought_is_a_dead_letter(call, make_queue, kind, news, run):
    make_queue("dead")
    subscribe(call, f"{QUEUE}/demo", dead_letters="dead")
    publish(call, LARGE)
    run("fan_out")
    assert bool(receive(call, queue="dead")) is ("fifo" in kind)


@pytest.mark.parametrize("kind", ["normal", "sealed"], indirect=True)
@pytest.mark.parametrize("by", ["deliver", "redeliver"])
def test_a_queue_that_was_not_there_gets_the_message_once_it_is(application, call, make_queue, news, run, clock, by):
    subscribe(call, f"{QUEUE}/demo")
    publish(call, LARGE)
    run("fan_out")
    make_queue()
    if by == "deliver":
        run("deliver")
    else:
        redeliver(application, clock)
    assert application.deliver.wait(10)
    assert LARGE in body(call)


@pytest.mark.parametrize("first", ["deliver", "redeliver"])
def test_a_push_is_signed_and_a_dead_letter_when_nobody_takes_it(
    application, call, demo, open_news, run, clock, receiver, first
):
    subscribe(call, f"http://127.0.0.1:{receiver.port}/", dead_letters="demo")
    publish(call, LARGE)
    run("fan_out")
    if first == "deliver":
        run("deliver")
    for _ in range(limits.BACKOFF_RETRIES + (first == "redeliver")):
        redeliver(application, clock)
    assert len(receiver.got) == 1 + limits.BACKOFF_RETRIES
    assert all("authorization" in {name.lower() for name, _ in got.headers} for got in receiver.got)
    assert body(call) == LARGE


def test_a_delivery_whose_stream_comes_after_the_retention_is_a_dead_letter_at_once(
    application, call, demo, open_news, run, clock
):
    subscribe(call, "http://127.0.0.1:1/", dead_letters="demo")
    publish(call, LARGE)
    run("fan_out")
    clock.advance(limits.TOPIC_RETENTION_SECONDS)
    run("deliver")
    assert [item.state.value for item in application.log.read(limit=1)] == ["dead"]


@pytest.mark.parametrize("kind", ["normal"], indirect=True)
@pytest.mark.parametrize(
    ("endpoint", "attributes", "where"),
    [
        ("mail:directmail:a@example.test", "", "mails"),
        ("sms:directsms:13800000000", "", "texts"),
        ("push:24680", '<MessageAttributes><Push>{"Target":"ALL"}</Push></MessageAttributes>', "pushes"),
    ],
)
@pytest.mark.parametrize("by", ["deliver", "redeliver"])
def test_mails_short_messages_and_mobile_pushes_go_out(  # noqa: PLR0917  # fixtures, and three columns
    application, call, news, run, clock, sent, endpoint, attributes, where, by
):
    sent.add_device("24680", "token", "user")
    subscribe(call, endpoint)
    publish(call, "hello", attributes)
    run("fan_out")
    if by == "deliver":
        run("deliver")
    else:
        redeliver(application, clock)
    assert application.deliver.wait(10)
    assert len(sent.show()[where]) == 1


@pytest.mark.parametrize("to", ["queue", "topic"])
def test_what_happens_to_objects_goes_where_its_rule_says(application, demo, news, call, run, to):
    receiver = event_rule.Endpoint(kind=event_rule.Receiver(to), name={"queue": "demo", "topic": "news"}[to])
    wanted = event_rule.EventRule(
        name="rule",
        product="oss",
        event_types=("ObjectCreated:*",),
        match_rules=((event_rule.Match(prefix="photos/"),),),
        endpoint=receiver,
        created_at=1,
    )
    application.verbs.event_rules.create(HERE, wanted)
    subscribe(call, f"{QUEUE}/demo")
    stored = {"key": "k" * 900, "size": 3, "eTag": "abc", "sequencer": "1"}
    happened = {"bucket": {"name": "photos"}, "object": stored}
    event = {"eventName": "ObjectCreated:Put", "eventTime": "2024-01-02T03:04:05.678Z", "s3": happened}
    assert workers.object_events({"Records": [event]}, None) == {"events": 1, "messages": 1}
    if to == "topic":
        run("fan_out")
    assert len(receive(call)) == 1


def test_a_purge_takes_messages_groups_and_keys(call, demo, news, engine, prefix):
    send(call, message("small"))
    publish(call, "small")
    call("DELETE", "/queues/demo")
    call("DELETE", "/topics/news")
    assert workers.purge({"Records": records(engine, prefix + "resources")}, None) == {"batchItemFailures": []}
    changes = [record["eventName"] for record in records(engine, prefix + "messages")]
    assert changes.count("REMOVE") == changes.count("INSERT") > 0
