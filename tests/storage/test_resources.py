"""The contract of the other tables: queues, accounts, keys and counts."""

import pytest

from chalicelib.broker import ports
from chalicelib.model import account, acl, limits, queue, resource
from chalicelib.storage import queues
from tests.conftest import NOW, Stores

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
ELSEWHERE = account.Namespace(account_id="1234567890123456", region="cn-shanghai")
OTHER = account.Namespace(account_id="6543210987654321", region="cn-hangzhou")


def make(name: str, **attributes) -> queue.Queue:
    return queue.Queue(
        name=name,
        queue_id=f"id-of-{name}",
        shards=2,
        attributes=queue.QueueAttributes(**attributes),
        created_at=NOW,
        modified_at=NOW,
    )


def test_a_queue_is_found_as_it_was_created_and_only_in_its_namespace(stores):
    new = make("demo", visibility_timeout=60, delay_seconds=5)
    assert stores.queues.create(HERE, new) is None
    assert stores.queues.get(HERE, "demo") == new
    assert stores.queues.get(ELSEWHERE, "demo") is None
    assert stores.queues.get(OTHER, "demo") is None
    assert stores.queues.get(HERE, "Demo") is None


def test_a_taken_name_is_not_taken_again(stores):
    stores.queues.create(HERE, make("demo"))
    assert stores.queues.create(HERE, make("demo", delay_seconds=9)) == make("demo")
    assert stores.queues.get(HERE, "demo") == make("demo")


def test_a_change_touches_only_what_it_names(stores):
    stores.queues.create(HERE, make("demo", delay_seconds=5))
    change = queue.QueueChange(visibility_timeout=99, logging_enabled=True)
    changed = stores.queues.change(HERE, "demo", change, NOW + 1_000)
    assert changed == make("demo", delay_seconds=5).evolve(
        attributes=queue.QueueAttributes(delay_seconds=5, visibility_timeout=99, logging_enabled=True),
        modified_at=NOW + 1_000,
    )
    assert stores.queues.get(HERE, "demo") == changed


def test_policies_type_and_tags_are_kept_and_only_where_they_are_not_the_default(stores):
    full = make(
        "demo",
        dead_letter=resource.DeadLetter(enabled=True, target="dead", max_receive_count=3),
        rate_limit=resource.RateLimit(enabled=True, max_receives_per_second=5),
        encryption=resource.Encryption(enabled=True, sse_type="KMS", key_id="key-1"),
    ).evolve(type=resource.Type.FIFO, tags=(resource.Tag(key="stage", value="ü"), resource.Tag(key="team")))
    stores.queues.create(HERE, full)
    assert stores.queues.get(HERE, "demo") == full
    extra = {"dead_letter", "rate_limit", "encryption", "type", "tags"}
    assert extra & queues._encode(make("plain")).keys() == set()
    assert extra & queues._encode(full).keys() == extra


def test_a_policy_is_changed_and_switched_off_again(stores):
    stores.queues.create(HERE, make("demo"))
    on = resource.DeadLetter(enabled=True, target="dead")
    stores.queues.change(HERE, "demo", queue.QueueChange(dead_letter=on), NOW)
    assert stores.queues.get(HERE, "demo") == make("demo", dead_letter=on)
    stores.queues.change(HERE, "demo", queue.QueueChange(dead_letter=resource.DeadLetter()), NOW)
    assert stores.queues.get(HERE, "demo") == make("demo")


def test_a_change_of_a_missing_queue_makes_none(stores):
    assert stores.queues.change(HERE, "demo", queue.QueueChange(delay_seconds=1), NOW) is None
    assert stores.queues.get(HERE, "demo") is None


def test_a_queue_is_deleted_once(stores):
    stores.queues.create(HERE, make("demo"))
    assert [stores.queues.delete(HERE, "demo") for _ in range(2)] == [True, False]
    assert stores.queues.get(HERE, "demo") is None


def test_a_list_is_ascending_by_name_and_paged_by_the_last_name(stores: Stores):
    for name in ("b", "a-2", "c", "a-1", "a-10"):
        stores.queues.create(HERE, make(name))
    stores.queues.create(OTHER, make("a-0"))
    first = stores.queues.list(HERE, prefix="", after=None, limit=3)
    assert ([item.name for item in first.queues], first.marker) == (["a-1", "a-10", "a-2"], "a-2")
    rest = stores.queues.list(HERE, prefix="", after="a-2", limit=3)
    assert ([item.name for item in rest.queues], rest.marker) == (["b", "c"], None)
    some = stores.queues.list(HERE, prefix="a-1", after="a-1", limit=3)
    assert ([item.name for item in some.queues], some.marker) == (["a-10"], None)
    gone = stores.queues.list(HERE, prefix="a-", after="a-15", limit=3)
    assert ([item.name for item in gone.queues], gone.marker) == (["a-2"], None)


def test_queues_are_counted_by_namespace_and_found_everywhere(stores):
    for namespace, name in ((HERE, "a"), (HERE, "b"), (OTHER, "a"), (ELSEWHERE, "c")):
        stores.queues.create(namespace, make(name))
    assert [stores.queues.count(namespace) for namespace in (HERE, ELSEWHERE, OTHER)] == [2, 1, 1]
    assert sorted(item.name for _, item in stores.queues.everywhere()) == ["a", "a", "b", "c"]


def test_an_account_has_no_attributes_until_they_are_set_and_keeps_what_is_not_named(stores):
    assert stores.accounts.attributes(HERE) == account.AccountAttributes(
        log_enabled=False, log_project="", log_store="", trace_enabled=0
    )
    stores.accounts.change(HERE, account.AccountChange(log_enabled=True, log_project="logs"))
    stores.accounts.change(HERE, account.AccountChange(trace_enabled=1))
    stores.accounts.change(HERE, account.AccountChange())
    assert stores.accounts.attributes(HERE) == account.AccountAttributes(
        log_enabled=True, log_project="logs", trace_enabled=1
    )
    assert stores.accounts.attributes(OTHER) == account.AccountAttributes()


def test_the_bucket_of_older_items_is_the_project_of_logs(stores):
    key = {"pk": {"S": f"{HERE.account_id}#{HERE.region}"}, "sk": {"S": "A#"}}
    item = key | {"logging_bucket": {"S": "old"}, "trace_enabled": {"N": "1"}}
    stores.engine.put_item(TableName=stores.prefix + "resources", Item=item)
    assert stores.accounts.attributes(HERE) == account.AccountAttributes(
        log_enabled=True, log_project="old", trace_enabled=1
    )
    stores.accounts.change(HERE, account.AccountChange(log_project="new"))
    assert stores.accounts.attributes(HERE).logging_bucket == "new"


def test_the_rules_of_an_endpoint_are_put_in_the_place_of_those_that_are_there(stores):
    first = acl.Acl(enabled=False)
    second = acl.Acl(entries=(acl.Entry(cidr="10.0.0.0/8", created_at=NOW),))
    assert stores.accounts.rules(HERE) == acl.OPEN
    assert [stores.accounts.put_rules(HERE, acl.OPEN, first) for _ in range(2)] == [True, False]
    assert (stores.accounts.rules(HERE), stores.accounts.rules(OTHER)) == (first, acl.OPEN)
    assert stores.accounts.put_rules(HERE, first, second)
    assert stores.accounts.rules(HERE) == second
    assert stores.accounts.put_rules(HERE, second, acl.OPEN)
    assert stores.accounts.put_rules(HERE, acl.OPEN, second)
    assert stores.accounts.attributes(HERE) == account.AccountAttributes()


def test_the_service_is_opened_by_the_first_order_only(stores):
    assert [stores.accounts.open(HERE, order) for order in ("100", "200")] == ["100", "100"]


def test_a_key_is_found_by_its_id_as_it_was_stored_last(stores):
    key = account.AccessKey(access_key_id="AK", secret="s", account_id="1", enabled=True)
    stores.identities.put_key(key)
    disabled = account.AccessKey(access_key_id="AK", secret="t", account_id="1", enabled=False)
    assert stores.identities.key("AK") == key
    stores.identities.put_key(disabled)
    assert stores.identities.key("AK") == disabled
    assert stores.identities.key("ak") is None


def test_counts_are_the_sum_of_all_deltas(stores):
    stores.tallies.apply("q#0", [("1", queue.Counts(active=1)), ("2", queue.Counts(active=1))])
    stores.tallies.apply("q#0", [("10", queue.Counts(active=-1, inactive=1))])
    stores.tallies.apply("q#1", [("3", queue.Counts(delayed=1))])
    assert stores.tallies.counts(["q#0", "q#1", "q#2"]) == {
        "q#0": queue.Counts(active=1, inactive=1),
        "q#1": queue.Counts(delayed=1),
    }


@pytest.mark.parametrize("replayed", [["7"], ["7", "8"], ["6", "7"]])
def test_a_change_that_comes_again_counts_once(stores, replayed):
    stores.tallies.apply("q#0", [("6", queue.Counts(active=1)), ("7", queue.Counts(active=1))])
    stores.tallies.apply("q#0", [(sequence, queue.Counts(active=1)) for sequence in replayed])
    assert stores.tallies.counts(["q#0"]) == {"q#0": queue.Counts(active=3 if "8" in replayed else 2)}


def test_sequences_of_different_length_are_compared_as_numbers(stores):
    stores.tallies.apply("q#0", [("99999999999999999999999", queue.Counts(active=1))])
    stores.tallies.apply("q#0", [("100000000000000000000000", queue.Counts(active=1))])
    assert stores.tallies.counts(["q#0"]) == {"q#0": queue.Counts(active=2)}


def test_more_than_a_hundred_counts_are_read_at_once(stores):
    for number in range(120):
        stores.tallies.apply(f"q{number}#0", [("1", queue.Counts(active=number + 1))])
    found = stores.tallies.counts([f"q{number}#0" for number in range(120)])
    assert found == {f"q{number}#0": queue.Counts(active=number + 1) for number in range(120)}


def test_a_retired_tally_goes_by_its_time_to_live_and_counts_until_then(stores):
    stores.tallies.retire("new#0", now=NOW)
    stores.tallies.apply("q#0", [("1", queue.Counts(active=2))])
    stores.tallies.retire("q#0", now=NOW)
    stores.tallies.apply("q#0", [("2", queue.Counts(active=-2))])
    item = stores.engine.get_item(TableName=stores.prefix + "tallies", Key={"pk": {"S": "q#0"}})["Item"]
    assert (item["ttl"], item["active"]) == ({"N": str(NOW // 1000 + limits.TALLY_SLACK_SECONDS)}, {"N": "0"})


@pytest.mark.parametrize(("after", "names"), [("a", ["demo-1", "demo-2"]), ("demo-1", ["demo-2"]), ("zzz", [])])
def test_a_marker_before_or_past_the_prefix_is_as_good_as_any(stores, after, names):
    for name in ("alpha", "demo-1", "demo-2", "zeta"):
        stores.queues.create(HERE, make(name))
    page = stores.queues.list(HERE, prefix="demo", after=after, limit=10)
    assert ([item.name for item in page.queues], page.marker) == (names, None)


def test_a_prefix_longer_than_any_name_finds_nothing(stores):
    assert stores.queues.list(HERE, prefix="x" * 5_000, after=None, limit=10).queues == ()


def test_a_token_is_taken_once_until_its_moment_and_keeps_its_outcome(stores):
    take = stores.tokens.take
    assert take("t", "first", now=NOW, until=NOW + 10) is None
    assert take("t", "second", now=NOW + 9, until=NOW + 99) == ports.Taken(digest="first", outcome=None)
    assert take("other", "second", now=NOW, until=NOW + 10) is None
    stores.tokens.settle("t", "first", "what came of it", until=NOW + 20)
    assert take("t", "first", now=NOW + 19, until=NOW + 99) == ports.Taken(digest="first", outcome="what came of it")
    assert take("t", "third", now=NOW + 20, until=NOW + 99) is None
    stores.tokens.give_back("t")
    assert take("t", "fourth", now=NOW + 21, until=NOW + 99) is None
