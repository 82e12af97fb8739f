"""A key of one queue or topic that cannot be used any more: nothing is lost, and nobody else notices."""

import pytest

from chalicelib import bootstrap, settings
from chalicelib.api import workers
from chalicelib.model import account, errors, limits, queue, resource, topic
from infra.local import certificates, vault
from tests.api import signing
from tests.api.test_workers import records, schedule
from tests.push import servers

HERE = account.Namespace(account_id=signing.ACCOUNT, region="cn-hangzhou")
THEIRS = resource.Encryption(enabled=True, sse_type="KMS", key_id="alias/theirs")


class Vault(vault.KeyVault):
    """One whose key of somebody else can be switched off."""

    is_off = False

    def seal(self, plain, *, context, key_id=""):
        self._check(context)
        return super().seal(plain, context=context, key_id=key_id)

    def open(self, sealed, *, context, own=False):
        self._check(context)
        return super().open(sealed, context=context, own=own)

    def _check(self, context):
        if self.is_off and context.endswith(THEIRS.key_id):
            raise errors.InternalError


@pytest.fixture
def keys():
    return Vault(b"k" * limits.DATA_KEY_BYTES)


@pytest.fixture
def start(engine, prefix, clock, keys):
    """Start a process, which has opened no key yet."""
    made = []

    def run():
        told = settings.Settings(table_prefix=prefix, push_allow="127.0.0.0/8", longest_wait=0)
        made.append(bootstrap.build(told, engine=engine, clock=clock, vault=keys))
        bootstrap.install(made[-1])
        return made[-1]

    yield run
    for each in made:
        each.close()


@pytest.fixture
def application(start):
    made = start()
    made.verbs.identities.set_certificate(certificates.make())
    made.verbs.identities.add_key(
        account.AccessKey(access_key_id=signing.KEY, secret=signing.SECRET, account_id=signing.ACCOUNT)
    )
    return made


@pytest.fixture
def receiver():
    with servers.web(b"HTTP/1.1 204 No Content\r\n\r\n") as made:
        yield made


@pytest.fixture
def hand(engine, prefix):
    """Hand a stream to its function, as it is by now."""
    streams = {"fan_out": "publications", "deliver": "deliveries"}

    def run(name):
        told = records(engine, prefix + streams[name])
        assert getattr(workers, name)({"Records": told}, None) == {"batchItemFailures": []}

    return run


def publish(call, application, receiver, names):
    for name in names:
        encryption = THEIRS if name == "theirs" else None
        application.verbs.topics.create(HERE, name, topic.TopicChange(encryption=encryption))
        wanted = f"<Subscription><Endpoint>http://127.0.0.1:{receiver.port}/{name}</Endpoint></Subscription>"
        assert call("PUT", f"/topics/{name}/subscriptions/sub", body=wanted).status == 201
        body = "<Message><MessageBody>hello</MessageBody></Message>"
        assert call("POST", f"/topics/{name}/messages", body=body).status == 201


def redeliver(application, clock, seconds):
    clock.advance(seconds)
    workers.redeliver(schedule(seconds=0), None)
    assert application.deliver.wait(10)


def pushed(receiver):
    return sorted(got.target for got in receiver.got)


@pytest.mark.parametrize("off_before", ["fan_out", "deliver"])
def test_pushes_of_other_topics_go_on_and_those_of_its_topic_come_when_it_can_be_used_again(
    clock, keys, start, application, call, receiver, hand, off_before
):
    publish(call, application, receiver, ["theirs", "ours"])
    keys.is_off = off_before == "fan_out"
    start()
    hand("fan_out")
    keys.is_off = True
    running = start()
    hand("deliver")
    assert running.deliver.wait(10)
    redeliver(running, clock, 3_600)
    assert pushed(receiver) == ["/ours"]
    keys.is_off = False
    redeliver(running, clock, limits.DELIVERY_SEALED_SECONDS)
    assert pushed(receiver) == ["/ours", "/theirs"]


def test_a_message_whose_key_stays_unusable_is_given_up_at_the_end_of_its_retention(
    clock, keys, start, application, call, receiver, hand
):
    publish(call, application, receiver, ["theirs"])
    keys.is_off = True
    running = start()
    hand("fan_out")
    redeliver(running, clock, limits.TOPIC_RETENTION_SECONDS)
    assert pushed(receiver) == []
    assert [(item.state.value, item.detail) for item in running.log.read(limit=9)] == [
        ("failed", "The message cannot be decrypted, or its queue cannot encrypt it.")
    ]


def test_what_goes_into_a_queue_whose_key_is_unusable_holds_nobody_up_and_comes_later(
    clock, keys, start, application, call, receiver, hand
):
    publish(call, application, receiver, ["ours"])
    application.verbs.queues.create(HERE, "sealed", queue.QueueChange(encryption=THEIRS))
    target = f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues/sealed"
    wanted = f"<Subscription><Endpoint>{target}</Endpoint></Subscription>"
    assert call("PUT", "/topics/ours/subscriptions/queue", body=wanted).status == 201
    keys.is_off = True
    running = start()
    hand("fan_out")
    redeliver(running, clock, 3_600)
    assert pushed(receiver) == ["/ours"]
    keys.is_off = False
    redeliver(running, clock, limits.DELIVERY_SEALED_SECONDS)
    assert call("GET", "/queues/sealed/messages").status == 200
