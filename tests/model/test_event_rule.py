"""Event rules: what they may be, and which events they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import account, errors, event_rule, object_event

OWNER = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")


def event(**changes) -> object_event.ObjectEvent:
    values = {
        "name": "ObjectCreated:PutObject",
        "happened_at": 1_704_164_645_000,
        "bucket": "photos",
        "key": "2024/a.jpg",
        "size": 3,
        "etag": "ABC",
    }
    return object_event.ObjectEvent(**(values | changes))


def rule(*match_rules, **changes) -> event_rule.EventRule:
    values = {
        "name": "rule-1",
        "product": "oss",
        "event_types": ("ObjectCreated:*",),
        "match_rules": match_rules or ((match(prefix="photos/"),),),
        "endpoint": event_rule.Endpoint(kind=event_rule.Receiver.QUEUE, name="demo"),
        "created_at": 0,
    }
    return event_rule.EventRule(**(values | changes))


def match(**members) -> event_rule.Match:
    return event_rule.Match(**members)


@pytest.mark.parametrize(
    ("members", "holds"),
    [
        ({"name": "photos/2024/a.jpg"}, True),
        ({"name": "photos/2024/a"}, False),
        ({"name": "2024/a.jpg"}, False),
        ({"name": "photos"}, True),
        ({"name": "photo"}, False),
        ({"name": "acs:oss:cn-hangzhou:1234567890123456:photos"}, True),
        ({"name": "acs:oss:cn-hangzhou:1234567890123456:photos/2024/a.jpg"}, True),
        ({"name": "acs:oss:cn-hangzhou:6543210987654321:photos"}, False),
        ({"name": "acs:oss:cn-beijing:1234567890123456:photos/2024/a.jpg"}, False),
        ({"prefix": "photos/2024/"}, True),
        ({"prefix": "photos/2025/"}, False),
        ({"prefix": "acs:oss:cn-hangzhou:1234567890123456:photos/2024"}, True),
        ({"suffix": ".jpg"}, True),
        ({"suffix": ".png"}, False),
        ({"prefix": "photos/", "suffix": ".jpg"}, True),
        ({"prefix": "photos/", "suffix": ".png"}, False),
        ({"prefix": "videos/", "suffix": ".jpg"}, False),
    ],
)
def test_a_condition_holds_for_the_full_name_or_for_beginning_and_end_and_its_contrary_for_all_others(members, holds):
    arn = event().arn(OWNER)
    assert match(**members).holds("photos", arn, "2024/a.jpg") is holds
    assert match(**members, state=False).holds("photos", arn, "2024/a.jpg") is not holds


@pytest.mark.parametrize(
    ("types", "name", "takes"),
    [
        (("ObjectCreated:PutObject",), "ObjectCreated:PutObject", True),
        (("ObjectCreated:PutObject",), "ObjectCreated:CopyObject", False),
        (("ObjectCreated:*",), "ObjectCreated:CopyObject", True),
        (("ObjectRemoved:*", "ObjectRestore:FinishRestore"), "ObjectCreated:CopyObject", False),
        (("ObjectRemoved:*", "ObjectRestore:FinishRestore"), "ObjectRestore:FinishRestore", True),
    ],
)
def test_a_rule_takes_the_events_it_names_and_all_of_the_kinds_it_names(types, name, takes):
    assert rule(event_types=types).takes(event(name=name), OWNER) is takes


conditions = st.builds(
    event_rule.Match,
    prefix=st.sampled_from(["photos/", "photos/2024", "videos/", "acs:oss:"]),
    suffix=st.sampled_from(["", ".jpg", ".png", "/a.jpg"]),
    state=st.booleans(),
)


@given(st.lists(st.lists(conditions, min_size=1, max_size=4), min_size=1, max_size=4))
def test_one_list_has_to_hold_with_all_its_conditions(lists):
    happened = event()
    arn = happened.arn(OWNER)
    wanted = any(all(each.holds("photos", arn, "2024/a.jpg") for each in one) for one in lists)
    assert rule(*map(tuple, lists)).takes(happened, OWNER) is wanted


@pytest.mark.parametrize("name", ["", "1-rule", "-rule", "rule_1", "regel-ä", "r" * 86])
def test_a_name_begins_with_a_letter_and_has_85_letters_digits_and_hyphens_at_most(name):
    with pytest.raises(errors.InvalidArgument, match="RuleName"):
        rule(name=name)
    rule(name="r" * 85)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"product": "ecs"}, "The ProductName should be oss, not 'ecs'."),
        ({"event_types": ()}, "The EventTypes should name an event at least."),
        ({"event_types": ("ObjectEaten",)}, "The event type 'ObjectEaten' is not known"),
        ({"match_rules": ()}, "The number of MatchRules should between 1 and 5."),
        ({"match_rules": ((),)}, "Each list of MatchRules should have 1 to 5 conditions."),
        ({"match_rules": ((match(name="a"),),) * 6}, "The number of MatchRules should between 1 and 5."),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_the_matter(changes, sentence):
    with pytest.raises(errors.InvalidArgument) as refused:
        rule(**changes)
    assert refused.value.message.startswith(sentence)


@pytest.mark.parametrize(
    "members", [{}, {"name": "a", "prefix": "b"}, {"name": "a", "suffix": "b"}, {"name": "a" * 1201}]
)
def test_a_condition_has_a_name_or_a_prefix_or_a_suffix(members):
    with pytest.raises(errors.InvalidArgument):
        match(**members)


@pytest.mark.parametrize(("kind", "name"), [("queue", ""), ("queue", "a/b"), ("topic", "-")])
def test_an_endpoint_is_the_name_of_a_queue_or_a_topic(kind, name):
    with pytest.raises(errors.InvalidArgument, match=f"EndpointValue should be the name of a {kind}"):
        event_rule.Endpoint(kind=event_rule.Receiver(kind), name=name)


def test_a_rule_is_like_another_one_whenever_they_were_made():
    assert rule().is_like(rule(created_at=5))
    assert not rule().is_like(rule(event_types=("ObjectRemoved:*",)))


def test_the_id_of_a_message_is_the_same_for_the_same_event_and_rule_and_for_nothing_else():
    one = event(sequencer="01").derived("rule-1")
    assert one == event(sequencer="01").derived("rule-1")
    others = [event(sequencer="02").derived("rule-1"), event(sequencer="01").derived("rule-2")]
    assert one not in others
    assert (len(one[0]), one[0][:12], len(one[1])) == (32, f"{1_704_164_645_000:012X}", 12)


def test_owners_of_buckets_are_read_and_what_is_wrong_is_named():
    other = account.Namespace(account_id="1", region="cn-hangzhou")
    assert object_event.read_owners(" photos=1234567890123456, *=1 ,", "cn-hangzhou") == {"photos": OWNER, "*": other}
    assert object_event.read_owners("", "cn-hangzhou") == {}
    for text in ("photos", "photos=", "=1", "photos=me"):
        with pytest.raises(ValueError, match="should be of the form bucket=account id"):
            object_event.read_owners(text, "cn-hangzhou")
