"""Rates that policies cap: receives of a queue, pushes to a subscription."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.broker import throttle
from chalicelib.model import delivery, errors, limits, queue, resource
from chalicelib.model import throttle as rates
from tests.broker.fakes import HERE, NOW, Process


def capped(rate: int) -> resource.RateLimit:
    return resource.RateLimit(enabled=True, max_receives_per_second=rate)


def poll(process, *, limit=1, wait=0):
    return process.messages.poll(HERE, "demo", limit=limit, wait_seconds=wait)


# --- Receives --------------------------------------------------------------------------------------------------------


def test_when_the_rate_is_used_up_a_queue_looks_empty_until_tokens_are_there_again(process, clock):
    process.create(rate_limit=capped(2))
    for body in "abcd":
        process.send(body)
    assert [process.bodies(1) for _ in range(3)] == [["a"], ["b"], []]
    with pytest.raises(errors.MessageNotExist):
        poll(process).look()
    clock.advance(0.5)
    assert [process.bodies(1) for _ in range(2)] == [["c"], []]


def test_a_batch_takes_at_most_the_tokens_that_are_left(process):
    process.create(rate_limit=capped(3))
    for body in "abcde":
        process.send(body)
    assert [process.bodies(2), process.bodies(16), process.bodies(16)] == [["a", "b"], ["c"], []]


def test_a_receive_that_finds_less_uses_no_more_than_it_finds(process):
    process.create(rate_limit=capped(3))
    assert process.bodies(16) == []
    process.send("a")
    assert process.bodies(16) == ["a"]
    process.send("b")
    process.send("c")
    assert process.bodies(16) == ["b", "c"]


def test_a_receive_that_fails_uses_nothing(process, monkeypatch):
    process.create(rate_limit=capped(1))
    process.send("a")

    def refuse(*_, **__):
        raise errors.TooManyRequests

    with monkeypatch.context() as patched:
        patched.setattr(process.tables.messages, "claim", refuse)
        with pytest.raises(errors.TooManyRequests):
            process.bodies(1)
    assert process.bodies(1) == ["a"]


def test_a_poll_that_is_held_back_knows_until_when_and_one_that_is_not_does_not(process, clock):
    process.create(rate_limit=capped(4))
    for body in "abcde":
        process.send(body)
    process.bodies(16)
    held = poll(process, wait=10)
    assert (held.look(), held.held_until) == ((), NOW + 250)
    clock.advance(0.25)
    assert [item.message.body for item in held.look()] == ["e"]
    clock.advance(1)
    free = poll(process, wait=10)
    assert (free.look(), free.held_until) == ((), None)


def test_peeks_deletes_and_sends_are_not_held_back(process):
    process.create(rate_limit=capped(1))
    process.send("a")
    process.send("b")
    [first] = process.receive(16)
    assert [item.body for item in process.messages.peek(HERE, "demo", limit=16)] == ["b"]
    process.messages.delete(HERE, "demo", first.receipt_handle)


def test_a_new_rate_holds_at_once_in_the_process_that_set_it_and_none_when_it_is_off(process):
    process.create(rate_limit=capped(1))
    for body in "abcdef":
        process.send(body)
    assert process.bodies() == ["a"]
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(rate_limit=capped(2)))
    assert process.bodies() == ["b", "c"]
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(rate_limit=resource.RateLimit()))
    assert process.bodies() == ["d", "e", "f"]


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 800), st.integers(1, 16)), max_size=40))
def test_no_more_is_received_than_the_rate_lets_and_nothing_is_lost(rate, steps):
    process = Process()
    process.create(rate_limit=capped(rate))
    for number in range(100):
        process.send(str(number))
    received = []
    for pause, limit in steps:
        process.clock.advance(pause / 1000)
        received += [(process.clock.now(), body) for body in process.bodies(limit)]
    assert [body for _, body in received] == [str(number) for number in range(len(received))]
    for first, (start, _) in enumerate(received):
        for last in range(first, len(received)):
            assert last - first + 1 <= rate * (1 + (received[last][0] - start) / 1000)


# --- Pushes ----------------------------------------------------------------------------------------------------------


def push(process, count: int) -> None:
    """Publish `count` messages and have their first attempts made."""
    process.fan_out.run([process.publish(str(number)) for number in range(count)])
    process.deliver.run(process.deliveries())


def pushed(process) -> list[str]:
    return [notification.publication.draft.body for notification in process.channel.pushed]


def test_pushes_beyond_the_rate_are_put_off_and_made_in_their_order(process, clock):
    process.create_topic()
    process.subscribe(rate_limit=capped(2))
    push(process, 5)
    assert pushed(process) == ["0", "1"]
    seen = []
    for _ in range(4):
        clock.advance(0.5)
        process.deliver.run_due()
        seen.append(pushed(process)[2:])
    assert seen == [["2"], ["2", "3"], ["2", "3", "4"], ["2", "3", "4"]]
    assert {item.state for item in process.deliveries()} == {delivery.State.DELIVERED}


def test_each_delivery_is_put_off_once_however_many_there_are(process, clock, monkeypatch):
    process.create_topic()
    process.subscribe(rate_limit=capped(10))
    recorded, record = [], process.tables.deliveries.record
    monkeypatch.setattr(process.tables.deliveries, "record", lambda *states: recorded.append(states) or record(*states))
    push(process, 40)
    for _ in range(60):
        clock.advance(0.1)
        process.deliver.run_due()
    assert pushed(process) == [str(number) for number in range(40)]
    assert len(recorded) == 10 + 30 * 2


def test_a_queue_endpoint_is_capped_too(process, clock):
    process.create("demo")
    process.create_topic()
    process.subscribe(to=f"acs:mns:cn-hangzhou:{HERE.account_id}:queues/demo", rate_limit=capped(1))
    push(process, 3)
    assert process.bodies() == ["<0>"]
    for _ in range(2):
        clock.advance(1)
        process.deliver.run_due()
    assert process.bodies() == ["<1>", "<2>"]


def test_what_cannot_be_pushed_before_its_end_goes_to_the_dead_letters(process, clock):
    process.create("dead")
    process.create_topic()
    process.subscribe(rate_limit=capped(1), dead_letter_queue="dead")
    push(process, 2)
    clock.advance(limits.TOPIC_RETENTION_SECONDS)
    process.deliver.run_due()
    assert pushed(process) == ["0"]
    assert process.deliveries()[1].state is delivery.State.DEAD


def test_another_subscription_is_not_held_back(process):
    process.create_topic()
    process.subscribe("slow", rate_limit=capped(1))
    process.subscribe("free", to="http://free.test/")
    push(process, 3)
    assert sorted(item.subscription.name for item in process.channel.pushed) == ["free"] * 3 + ["slow"]


# --- What is remembered -----------------------------------------------------------------------------------------------


def test_meters_that_are_like_new_are_forgotten_first():
    meters = throttle.Meters(rates.Bucket, most=4)
    for key in "abcd":
        meters.get(key, 10, NOW)
    meters.get("a", 10, NOW).take(NOW)
    meters.get("e", 10, NOW)
    assert len(meters) == 2
    assert meters.get("a", 10, NOW).take_up_to(100, NOW) == 9


def test_when_all_are_in_use_half_of_them_are_forgotten():
    meters = throttle.Meters(rates.Bucket, most=4)
    for key in "abcd":
        meters.get(key, 10, NOW).take(NOW)
    meters.get("e", 10, NOW)
    assert len(meters) == 3
