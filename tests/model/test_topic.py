"""Topics, subscriptions and publications: names, ranges and rules."""

import pytest

from chalicelib.model import account, delivery, endpoint, errors, message, publication, retry, subscription, topic

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
NOW = 1_704_164_645_000
HTTP = "http://example.test/"


def make_topic(**attributes):
    return topic.Topic(
        name="demo",
        topic_id="t1",
        shards=2,
        attributes=topic.TopicAttributes(**attributes),
        created_at=NOW,
        modified_at=NOW,
    )


def make_subscription(name="sub", **attributes):
    return subscription.Subscription(
        name=name,
        subscription_id=f"id-of-{name}",
        namespace=HERE,
        topic_name="demo",
        topic_id="t1",
        attributes=subscription.SubscriptionAttributes(**{"endpoint": HTTP} | attributes),
        created_at=NOW,
        modified_at=NOW,
    )


def make_publication(body="hello", **changes):
    draft = publication.Draft(body=body, tag=changes.pop("tag", ""))
    made = publication.accept(draft, make_topic(), HERE, message_id=f"{NOW:012X}{7:020X}", shard=1, now=NOW)
    return made.evolve(**changes)


@pytest.mark.parametrize("name", ["a", "1", "demo-topic", "A" * 120])
def test_a_topic_may_be_called_so(name):
    assert topic.check_name(name) == name
    assert topic.is_name(name)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", errors.TopicNameLengthError),
        ("a" * 121, errors.TopicNameLengthError),
        ("-a", errors.TopicNameInvalid),
        ("a_b", errors.TopicNameInvalid),
        ("a#b", errors.TopicNameInvalid),
        ("名", errors.TopicNameInvalid),
    ],
)
def test_no_topic_may_be_called_so(name, error):
    with pytest.raises(error):
        topic.check_name(name)
    assert not topic.is_name(name)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", errors.SubscriptionNameLengthError),
        ("a" * 256, errors.SubscriptionNameLengthError),
        ("-a", errors.SubscriptionNameInvalid),
        ("a/b", errors.SubscriptionNameInvalid),
    ],
)
def test_no_subscription_may_be_called_so(name, error):
    with pytest.raises(error):
        subscription.check_name(name)
    assert not subscription.is_name(name)
    assert subscription.check_name("a" * 255) == "a" * 255


@pytest.mark.parametrize("size", [1_023, 65_537])
def test_a_topic_takes_messages_of_1_to_64_kilobytes(size):
    with pytest.raises(errors.InvalidArgument):
        topic.TopicAttributes(maximum_message_size=size)


def test_a_change_of_a_topic_touches_only_what_it_names():
    attributes = topic.TopicAttributes(maximum_message_size=2_048)
    changed = attributes.evolve(topic.TopicChange(logging_enabled=True))
    assert changed == topic.TopicAttributes(maximum_message_size=2_048, logging_enabled=True)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"endpoint": "nonsense"}, errors.EndpointInvalid),
        ({"filter_tag": "x" * 17}, errors.InvalidArgument),
        ({"filter_tag": "a\nb"}, errors.InvalidArgument),
        ({"dead_letter_queue": "not a name"}, errors.InvalidArgument),
        (
            {"endpoint": "acs:mns:cn-hangzhou:1:queues/demo", "dead_letter_queue": "demo"},
            errors.InvalidArgument,
        ),
    ],
)
def test_no_subscription_may_be_like_this(given, error):
    with pytest.raises(error):
        make_subscription(**given)


def test_a_change_of_a_subscription_touches_only_what_it_names():
    attributes = make_subscription(filter_tag="a", dead_letter_queue="dead").attributes
    decay = retry.Strategy.EXPONENTIAL_DECAY_RETRY
    assert attributes.evolve(subscription.SubscriptionChange(strategy=decay)) == subscription.SubscriptionAttributes(
        endpoint=HTTP, filter_tag="a", strategy=decay, dead_letter_queue="dead"
    )
    nothing = subscription.SubscriptionChange(filter_tag="", dead_letter_queue="")
    assert attributes.evolve(nothing) == subscription.SubscriptionAttributes(endpoint=HTTP)


@pytest.mark.parametrize(
    ("wanted", "tag", "takes"),
    [("", "", True), ("", "a", True), ("a", "a", True), ("a", "", False), ("a", "A", False), ("a", "ab", False)],
)
def test_a_filter_wants_just_its_tag_and_none_wants_everything(wanted, tag, takes):
    assert make_subscription(filter_tag=wanted).takes(tag) is takes


@pytest.mark.parametrize("tag", ["x" * 17, "a\r\nb"])
def test_a_tag_is_one_line_of_sixteen_characters(tag):
    with pytest.raises(errors.InvalidArgument):
        publication.Draft(body="x", tag=tag)


def test_a_publication_has_the_rules_of_a_message():
    with pytest.raises(errors.InvalidArgument):
        publication.Draft(body="")
    with pytest.raises(errors.InvalidArgument):
        publication.Draft(
            body="x",
            system_properties=(message.Property(name="other", value="1", type=message.PropertyType.STRING),),
        )


def test_a_topic_takes_no_more_bytes_than_it_says_and_keeps_a_message_for_a_day():
    small = make_topic(maximum_message_size=1_024)
    with pytest.raises(errors.InvalidArgument):
        publication.accept(publication.Draft(body="x" * 1_025), small, HERE, message_id="0" * 32, shard=0, now=NOW)
    kept = publication.accept(publication.Draft(body="x" * 1_024), small, HERE, message_id="0" * 32, shard=0, now=NOW)
    assert (kept.published_at, kept.expires_at) == (NOW, NOW + 86_400_000)


def test_the_message_that_a_publication_becomes_in_a_queue_is_the_same_each_time_and_keeps_its_place_in_time():
    here = publication.Notification(publication=make_publication(), subscription=make_subscription())
    there = publication.Notification(publication=make_publication(), subscription=make_subscription("other"))
    message_id, stamp = here.derived()
    assert here.derived() == (message_id, stamp)
    assert (len(message_id), message_id[:16], message_id.upper()) == (32, f"{NOW:012X}0000", message_id)
    assert len(bytes.fromhex(stamp)) == 6
    assert len({here.derived(), here.derived("dead"), there.derived()}) == 3
    assert here.pick(3) == here.pick(3) in range(3)


def test_a_delivery_begins_pending_under_the_names_of_what_it_delivers():
    made = delivery.begin(
        publication.Notification(publication=make_publication(), subscription=make_subscription()), NOW + 1
    )
    assert made == delivery.Delivery(
        subscription_id="id-of-sub",
        subscription_name="sub",
        namespace=HERE,
        topic_id="t1",
        topic_name="demo",
        topic_shard=1,
        message_id=f"{NOW:012X}{7:020X}",
        published_at=NOW,
        expires_at=NOW + 86_400_000,
        due_at=NOW + 1,
    )
    assert made.state is delivery.State.PENDING


@pytest.mark.parametrize(
    ("status", "success"),
    [("200", True), ("204", True), ("299", True), ("199", False), ("302", False), ("500", False), ("²⁰⁰", False)]
    + [(word, False) for word in ("InvalidHost", "ConnectTimeout", "ConnectFailure", "UnknownError", "")],
)
def test_success_is_any_status_of_the_two_hundreds_and_nothing_else(status, success):
    assert delivery.Outcome(status=status).is_success is success


def test_the_resource_name_of_a_subscription():
    assert make_subscription().arn == "acs:mns:cn-hangzhou:1234567890123456:/topics/demo/subscriptions/sub"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: subscription.Mailing(sender="a@example.test", subject=""),
            "The value of Subject should have 1 to 256 printable characters.",
        ),
        (
            lambda: subscription.Mailing(sender="a@example.test", subject="a\nBcc: b@example.test"),
            "The value of Subject should have 1 to 256 printable characters.",
        ),
        (lambda: subscription.Mailing(sender="nobody", subject="a"), "'nobody' is no mail address."),
        (
            lambda: subscription.Texting(sign_name="s" * 257, template_code="t"),
            "The value of SignName should have 1 to 256 printable characters.",
        ),
        (
            lambda: make_subscription(role_arn="root"),
            "The value of StsRoleArn should read acs:ram::{account}:role/{name}.",
        ),
    ],
)
def test_how_messages_are_mailed_and_texted_is_checked(make, message):
    with pytest.raises(errors.BadRequest) as raised:
        make()
    assert raised.value.message == message


def test_subscriptions_are_wanted_by_name_kind_and_address():
    one = make_subscription(name="to-web", endpoint="http://example.test/hook")
    wanted = [
        subscription.Filter(),
        subscription.Filter(name="web", kind=endpoint.Kind.HTTP, endpoint="hook"),
        subscription.Filter(name="other"),
        subscription.Filter(kind=endpoint.Kind.QUEUE),
        subscription.Filter(endpoint="example.com"),
    ]
    assert [each.takes(one) for each in wanted] == [True, True, False, False, False]
