"""Types, tags and policies: what they may be."""

import dataclasses

import pytest

from chalicelib.model import errors, resource, retry, subscription, topic


def refused(make) -> str:
    with pytest.raises(errors.InvalidArgument) as raised:
        make()
    return raised.value.message


def test_every_policy_is_off_when_nobody_asks_for_it():
    assert [policy.enabled for policy in (resource.DeadLetter(), resource.RateLimit(), resource.Encryption())] == [
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("count", [1, 1000])
def test_dead_letters_take_a_receive_count_of_1_to_1000(count):
    made = resource.DeadLetter(enabled=True, target="dead", max_receive_count=count)
    assert dataclasses.asdict(made) == {"enabled": True, "target": "dead", "max_receive_count": count}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: resource.DeadLetter(enabled=True),
            "The DlqPolicy is enabled, but names no DeadLetterTargetQueue.",
        ),
        (
            lambda: resource.DeadLetter(max_receive_count=0),
            "The value of MaxReceiveCount should between 1 and 1000.",
        ),
        (
            lambda: resource.RateLimit(max_receives_per_second=0),
            "The value of MaxReceivesPerSecond should between 1 and 20000.",
        ),
        (lambda: resource.Encryption(sse_type="OSS"), "The value of SseType should be one of SMQ, KMS."),
        (lambda: resource.Encryption(algorithm="SM4"), "The value of SseAlgorithm should be one of AES-256-GCM."),
        (lambda: resource.Encryption(key_id="key-1"), "A KmsKeyId goes with the SseType KMS only."),
        (
            lambda: resource.Encryption(sse_type="KMS", key_id="a b"),
            "The value of KmsKeyId is not the id of a key.",
        ),
        (
            lambda: resource.Encryption(sse_type="KMS", key_id="k" * 257),
            "The value of KmsKeyId is not the id of a key.",
        ),
        (lambda: resource.Tag(key=""), "The length of Tag.Key should between 1 and 128."),
        (lambda: resource.Tag(key="k" * 129), "The length of Tag.Key should between 1 and 128."),
        (lambda: resource.Tag(key="k", value="v" * 129), "The length of Tag.Value should between 0 and 128."),
        (lambda: resource.Tag(key="Aliyun-x"), 'The value of Tag.Key should not begin with "aliyun" or "acs:".'),
        (lambda: resource.Tag(key="k", value="see HTTP://x"), 'A Tag should not hold "http://" or "https://".'),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, message):
    assert refused(make) == message


def test_tags_are_ordered_by_key_and_each_key_is_there_once():
    team, stage = resource.Tag(key="team", value="a"), resource.Tag(key="stage")
    assert resource.check_tags([team, stage]) == (stage, team)
    assert refused(lambda: resource.check_tags([team, stage, team])) == "A Tag.Key should be named once only."


def test_a_resource_has_20_tags_at_most():
    tags = [resource.Tag(key=f"k{number:02}") for number in range(21)]
    assert resource.check_tags(tags[:20]) == tuple(tags[:20])
    assert refused(lambda: resource.check_tags(tags)) == "There are 21 tags, but 20 is most."


def test_a_topic_created_again_is_compared_without_an_encryption_that_is_not_named():
    sealed = topic.TopicAttributes(encryption=resource.Encryption(enabled=True))
    assert sealed.answers(topic.TopicChange())
    assert not sealed.answers(topic.TopicChange(encryption=resource.Encryption()))
    assert not sealed.answers(topic.TopicChange(maximum_message_size=1024))


def test_a_subscription_made_again_is_compared_without_the_policies_it_leaves_off():
    there = subscription.SubscriptionAttributes(
        endpoint="http://example.test/",
        dead_letter_queue="dead",
        rate_limit=resource.RateLimit(enabled=True, max_receives_per_second=5),
    )
    plain = subscription.SubscriptionAttributes(endpoint="http://example.test/")
    assert there.answers(plain)
    assert there.answers(there)
    assert not plain.answers(there)
    assert not there.answers(dataclasses.replace(plain, dead_letter_queue="other"))
    assert not there.answers(dataclasses.replace(plain, strategy=retry.Strategy.EXPONENTIAL_DECAY_RETRY))


TAGS = (resource.Tag(key="stage", value="prod"), resource.Tag(key="team", value=""))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (resource.Filter(), True),
        (resource.Filter(name="rder"), True),
        (resource.Filter(name="Order"), False),
        (resource.Filter(type=resource.Type.FIFO), True),
        (resource.Filter(type=resource.Type.NORMAL), False),
        (resource.Filter(tags={"stage": None}), True),
        (resource.Filter(tags={"stage": "prod", "team": None}), True),
        (resource.Filter(tags={"stage": "dev"}), False),
        (resource.Filter(tags={"owner": None}), False),
    ],
)
def test_a_resource_is_wanted_if_all_that_is_named_fits(wanted, expected):
    assert wanted.takes("orders", resource.Type.FIFO, TAGS) is expected


def test_a_page_is_a_part_of_the_whole_by_its_number():
    pages = [resource.Window(number=number, size=2).of("abcde") for number in (1, 2, 3, 4)]
    assert pages == ["ab", "cd", "e", ""]
    assert [resource.Window(number=1, size=2).pages(total) for total in (0, 1, 2, 3)] == [0, 1, 1, 2]
