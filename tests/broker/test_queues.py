"""Queues: created once, changed as a whole, seen by every process within five seconds, listed by name."""

import pytest

from chalicelib.broker import queues as verbs
from chalicelib.model import errors, limits, queue, resource
from tests.broker import memory
from tests.broker.fakes import ELSEWHERE, HERE, NOW, Process


def change(**attributes):
    return queue.QueueChange(**attributes)


def names(listing):
    return [item.name for item in listing.page.queues], listing.page.marker


def listed(process, namespace=HERE, *, prefix="", after=None, limit=1000, with_counts=False):
    return process.queues.list(namespace, prefix=prefix, after=after, limit=limit, with_counts=with_counts)


def test_a_queue_is_created_with_what_is_named_and_the_defaults_for_the_rest(process):
    made, is_new = process.queues.create(HERE, "demo", change(visibility_timeout=60))
    assert is_new
    assert made == queue.Queue(
        name="demo",
        queue_id="0000000000000001",
        shards=1,
        attributes=queue.QueueAttributes(
            delay_seconds=0,
            maximum_message_size=65_536,
            message_retention_period=345_600,
            visibility_timeout=60,
            polling_wait_seconds=0,
            logging_enabled=False,
        ),
        created_at=NOW,
        modified_at=NOW,
    )


def test_creating_it_again_with_the_same_attributes_answers_the_one_that_is_there(process, clock):
    made = process.create(visibility_timeout=60)
    clock.advance(1)
    assert process.queues.create(HERE, "demo", change(visibility_timeout=60)) == (made, False)


def test_the_same_attributes_means_the_effective_ones_with_defaults_filled_in(process):
    made = process.create()
    assert process.queues.create(HERE, "demo", change(visibility_timeout=30, delay_seconds=0)) == (made, False)


@pytest.mark.parametrize(
    "difference",
    [
        {"delay_seconds": 1},
        {"maximum_message_size": 1024},
        {"message_retention_period": 60},
        {"visibility_timeout": 31},
        {"polling_wait_seconds": 1},
        {"logging_enabled": True},
    ],
)
def test_creating_it_again_with_a_different_attribute_is_a_conflict_that_changes_nothing(process, difference):
    made = process.create()
    with pytest.raises(errors.QueueAlreadyExist):
        process.queues.create(HERE, "demo", change(**difference))
    assert process.queues.get_attributes(HERE, "demo") == (made, queue.Counts())


def test_leaving_out_what_the_queue_has_is_a_difference_too(process):
    process.create(visibility_timeout=60)
    with pytest.raises(errors.QueueAlreadyExist):
        process.queues.create(HERE, "demo", change())


def test_a_queue_is_created_with_a_type_tags_and_policies_that_a_plain_creation_does_not_ask_about(process):
    process.queues.create(HERE, "dead", change(), kind=resource.Type.FIFO)
    policy = resource.DeadLetter(enabled=True, target="dead", max_receive_count=3)
    tags = [resource.Tag(key="team", value="a"), resource.Tag(key="stage")]
    made, _ = process.queues.create(HERE, "demo", change(dead_letter=policy), kind=resource.Type.FIFO, tags=tags)
    assert (made.type, made.tags, made.attributes) == (
        resource.Type.FIFO,
        (tags[1], tags[0]),
        queue.QueueAttributes(dead_letter=policy),
    )
    assert process.queues.create(HERE, "demo", change()) == (made, False)
    assert process.queues.create(HERE, "demo", change(dead_letter=policy), kind=resource.Type.FIFO) == (made, False)
    for asked, kind in ((change(), resource.Type.NORMAL), (change(dead_letter=resource.DeadLetter()), None)):
        with pytest.raises(errors.QueueAlreadyExist):
            process.queues.create(HERE, "demo", asked, kind=kind)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("demo", "The DeadLetterTargetQueue should be another queue."),
        ("missing", "The DeadLetterTargetQueue missing does not exist."),
    ],
)
def test_dead_letters_go_to_another_queue_that_is_there(process, target, message):
    asked = change(dead_letter=resource.DeadLetter(enabled=True, target=target))
    with pytest.raises(errors.InvalidArgument) as created:
        process.queues.create(HERE, "demo", asked)
    made = process.create()
    with pytest.raises(errors.InvalidArgument) as changed:
        process.queues.set_attributes(HERE, "demo", asked)
    assert (created.value.message, changed.value.message) == (message, message)
    assert process.queues.get_attributes(HERE, "demo")[0] == made


def test_two_processes_that_create_at_once_get_the_same_queue(process):
    other = process.another()

    class Late(memory.Queues):
        """A table that is read before the other process writes."""

        def get(self, namespace, name):
            return None

    late = Late(process.tables.queues.stored)
    racing = verbs.Queues(
        store=late,
        tallies=process.tables.tallies,
        sealing=process.tables.sealing,
        clock=process.clock,
        ids=process.ids,
        shards=1,
    )
    made = other.create()
    assert racing.create(HERE, "demo", change()) == (made, False)
    with pytest.raises(errors.QueueAlreadyExist):
        racing.create(HERE, "demo", change(delay_seconds=1))


@pytest.mark.parametrize(
    ("name", "error"),
    [("", errors.QueueNameLengthError), ("x" * 121, errors.QueueNameLengthError), ("a_b", errors.InvalidQueueName)],
)
def test_a_name_that_no_queue_may_have_is_refused(process, tables, name, error):
    with pytest.raises(error):
        process.queues.create(HERE, name, change())
    assert tables.queues.stored == {}


def test_an_attribute_out_of_range_is_refused_and_nothing_is_created(process, tables):
    with pytest.raises(errors.InvalidArgument) as raised:
        process.queues.create(HERE, "demo", change(visibility_timeout=43_201))
    assert raised.value.message == "The value of VisibilityTimeout should between 1 and 43200."
    assert tables.queues.stored == {}


def test_an_account_has_1000_queues_at_most_and_may_still_create_those_it_has(process):
    for number in range(limits.QUEUES_PER_ACCOUNT):
        process.create(f"q{number}")
    with pytest.raises(errors.QueueNumExceededLimit) as raised:
        process.create("one-more")
    assert raised.value.message == "The account has 1000 queues in cn-hangzhou, the most it may have."
    assert process.queues.create(HERE, "q0", change())[1] is False
    assert process.queues.create(ELSEWHERE, "one-more", change())[1] is True
    process.queues.delete(HERE, "q0")
    assert process.queues.create(HERE, "one-more", change())[1] is True


def test_names_are_unique_within_an_account_and_region_only(process):
    here = process.create("demo", delay_seconds=1)
    there, is_new = process.queues.create(ELSEWHERE, "demo", change(delay_seconds=2))
    assert is_new
    assert process.queues.find(HERE, "demo") == here
    assert process.queues.find(ELSEWHERE, "demo") == there


def test_names_are_case_sensitive(process):
    process.create("demo")
    assert process.queues.create(HERE, "Demo", change())[1] is True


def test_setting_attributes_changes_what_is_named_and_the_time_of_the_last_change(process, clock):
    made = process.create(visibility_timeout=60)
    clock.advance(2)
    process.queues.set_attributes(HERE, "demo", change(polling_wait_seconds=10))
    assert process.queues.get_attributes(HERE, "demo")[0] == made.evolve(
        attributes=queue.QueueAttributes(visibility_timeout=60, polling_wait_seconds=10), modified_at=NOW + 2000
    )


def test_setting_attributes_is_all_or_nothing(process, clock):
    made = process.create()
    clock.advance(2)
    with pytest.raises(errors.InvalidArgument):
        process.queues.set_attributes(HERE, "demo", change(visibility_timeout=60, polling_wait_seconds=31))
    assert process.queues.get_attributes(HERE, "demo")[0] == made


def test_setting_nothing_is_a_change_all_the_same(process, clock):
    made = process.create()
    clock.advance(2)
    process.queues.set_attributes(HERE, "demo", change())
    assert process.queues.get_attributes(HERE, "demo")[0] == made.evolve(modified_at=NOW + 2000)


@pytest.mark.parametrize(
    "use",
    [
        lambda process: process.queues.find(HERE, "demo"),
        lambda process: process.queues.get_attributes(HERE, "demo"),
        lambda process: process.queues.set_attributes(HERE, "demo", change(delay_seconds=1)),
    ],
    ids=["find", "get", "set"],
)
def test_a_queue_that_is_not_there_does_not_exist(process, use):
    with pytest.raises(errors.QueueNotExist):
        use(process)


def test_a_deleted_queue_is_gone_at_once_for_the_process_that_deleted_it(process):
    process.create()
    process.queues.delete(HERE, "demo")
    with pytest.raises(errors.QueueNotExist):
        process.queues.find(HERE, "demo")


def test_deleting_a_queue_that_is_not_there_is_no_error(process):
    process.queues.delete(HERE, "demo")
    process.queues.delete(HERE, "demo")


def test_a_queue_created_again_under_its_name_is_another_queue(process):
    first = process.create()
    process.send()
    process.queues.delete(HERE, "demo")
    second = process.create()
    assert first.queue_id != second.queue_id
    assert process.receive() == ()


def test_a_process_sees_its_own_changes_at_once(process):
    process.create()
    process.queues.set_attributes(HERE, "demo", change(visibility_timeout=60))
    assert process.queues.find(HERE, "demo").attributes.visibility_timeout == 60
    process.queues.delete(HERE, "demo")
    made = process.create(delay_seconds=3)
    assert process.queues.find(HERE, "demo") == made


def test_a_process_sees_the_changes_of_another_within_five_seconds(process, clock):
    process.create()
    process.another().queues.set_attributes(HERE, "demo", change(visibility_timeout=60))
    clock.advance(4.999)
    assert process.queues.find(HERE, "demo").attributes.visibility_timeout == 30
    clock.advance(0.001)
    assert process.queues.find(HERE, "demo").attributes.visibility_timeout == 60


def test_a_process_sees_that_another_deleted_a_queue_within_five_seconds(process, clock):
    process.create()
    process.another().queues.delete(HERE, "demo")
    clock.advance(5)
    with pytest.raises(errors.QueueNotExist):
        process.queues.find(HERE, "demo")


def test_a_process_sees_a_queue_that_another_created_at_once_for_what_is_missing_is_not_remembered(process):
    with pytest.raises(errors.QueueNotExist):
        process.queues.find(HERE, "demo")
    made = process.another().create()
    assert process.queues.find(HERE, "demo") == made


def test_setting_attributes_of_a_queue_that_another_deleted_forgets_it(process):
    process.create()
    process.another().queues.delete(HERE, "demo")
    for use in (
        lambda: process.queues.set_attributes(HERE, "demo", change()),
        lambda: process.queues.find(HERE, "demo"),
    ):
        with pytest.raises(errors.QueueNotExist):
            use()


def test_getting_attributes_always_looks_at_the_table(process):
    process.create()
    process.another().queues.set_attributes(HERE, "demo", change(visibility_timeout=60))
    assert process.queues.get_attributes(HERE, "demo")[0].attributes.visibility_timeout == 60


def test_a_list_is_ascending_by_name_and_the_account_and_regions_own(process):
    for name in ("b", "C", "a", "0"):
        process.create(name)
    process.queues.create(ELSEWHERE, "other", change())
    assert names(listed(process)) == (["0", "C", "a", "b"], None)
    assert names(listed(process, ELSEWHERE)) == (["other"], None)


def test_a_list_of_nothing_is_an_empty_page(process):
    assert listed(process) == verbs.Listing(page=queue.Page(queues=(), marker=None), counts={})


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("", ["a", "demo", "demo2", "demo3"]), ("demo", ["demo", "demo2", "demo3"]), ("demo3", ["demo3"]), ("x", [])],
)
def test_a_prefix_narrows_a_list(process, prefix, found):
    for name in ("demo3", "a", "demo", "demo2"):
        process.create(name)
    assert names(listed(process, prefix=prefix)) == (found, None)


def test_the_marker_of_a_page_leads_to_the_next_and_the_last_page_has_none(process):
    for name in ("demo", "demo2", "demo3", "other"):
        process.create(name)
    assert names(listed(process, prefix="demo", limit=2)) == (["demo", "demo2"], "demo2")
    assert names(listed(process, prefix="demo", limit=2, after="demo2")) == (["demo3"], None)
    assert names(listed(process, prefix="demo", limit=3)) == (["demo", "demo2", "demo3"], None)


def test_paging_one_by_one_meets_every_queue_once_even_if_the_marked_one_is_deleted(process):
    for name in "abcde":
        process.create(name)
    met, after = [], None
    while True:
        [name], after = names(listed(process, limit=1, after=after))
        met.append(name)
        process.queues.delete(HERE, name)
        if after is None:
            break
    assert met == ["a", "b", "c", "d", "e"]


def test_counts_come_with_a_list_when_they_are_asked_for(process, tables):
    demo, other = process.create("demo"), process.create("other")
    process.send()
    process.count.run(tables.messages.changes)
    assert listed(process).counts == {}
    assert listed(process, with_counts=True).counts == {
        demo.queue_id: queue.Counts(active=1),
        other.queue_id: queue.Counts(),
    }


def test_the_counts_of_a_queue_are_those_of_all_its_shards(tables):
    process = Process(tables, shards=3)
    process.create()
    for shard in (0, 1, 1, 2):
        process.ids.picked = shard
        process.send()
    process.count.run(tables.messages.changes)
    assert process.queues.get_attributes(HERE, "demo")[1] == queue.Counts(active=4)


def test_a_queue_is_encrypted_only_where_its_key_can_be_had(process, tables):
    tables.sealing.unusable.add("alias/nobody")
    good, bad = (
        resource.Encryption(enabled=True, sse_type="KMS", key_id=f"alias/{name}") for name in ("mine", "nobody")
    )
    with pytest.raises(errors.InvalidArgument):
        process.create("refused", encryption=bad)
    with pytest.raises(errors.QueueNotExist):
        process.queues.find(HERE, "refused")
    made = process.create("demo", encryption=good)
    with pytest.raises(errors.InvalidArgument):
        process.queues.set_attributes(HERE, "demo", queue.QueueChange(encryption=bad))
    assert process.queues.get(HERE, "demo").attributes.encryption == good
    assert tables.sealing.prepared == {(made.queue_id, "alias/mine")}


def test_what_a_deleted_queue_was_encrypted_by_is_deleted_with_it(process, tables):
    made = process.create("demo", encryption=resource.Encryption(enabled=True))
    process.queues.delete(HERE, "demo")
    process.purge.run(made)
    assert tables.sealing.prepared == set()


def test_a_search_finds_what_is_wanted_page_by_page_with_its_counts(process):
    for name in ("a-1", "b", "a-2", "a-3"):
        process.create(name)
    found = process.queues.search(HERE, resource.Filter(name="a"), resource.Window(number=2, size=2))
    assert ([item.name for item in found.queues], found.total) == (["a-3"], 3)
    assert list(found.counts) == [found.queues[0].queue_id]
    assert process.queues.search(ELSEWHERE, resource.Filter(), resource.Window(number=1, size=2)).total == 0
