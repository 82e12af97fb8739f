"""Time and ids: unique, in order where order counts, and of the shapes that MNS has."""

import re
import time
from concurrent import futures

from chalicelib import clock

NOW = 1_704_164_645_123


def test_the_clock_counts_milliseconds_since_the_epoch():
    before = time.time_ns() // 1_000_000
    now = clock.SystemClock().now()
    assert before <= now <= time.time_ns() // 1_000_000


def test_a_message_id_is_32_upper_case_hex_digits_that_begin_with_its_milliseconds():
    made = clock.RandomIds().message_id(NOW)
    assert re.fullmatch(r"[0-9A-F]{32}", made)
    assert int(made[:12], 16) == NOW


def test_message_ids_rise_within_a_process_however_many_fall_into_one_millisecond():
    ids = clock.RandomIds()
    order = [ids.message_id(NOW)[:16] for _ in range(70_000)]
    assert order == sorted(set(order))


def test_message_ids_rise_with_time():
    ids = clock.RandomIds()
    order = [ids.message_id(moment)[:16] for moment in (NOW, NOW + 1, NOW + 1, NOW + 2, NOW + 86_400_000)]
    assert order == sorted(set(order))
    assert [int(prefix[:12], 16) - NOW for prefix in order] == [0, 1, 1, 2, 86_400_000]


def test_message_ids_rise_even_when_time_goes_backwards():
    ids = clock.RandomIds()
    order = [ids.message_id(moment)[:16] for moment in (NOW, NOW - 1, NOW - 60_000, NOW, NOW + 1)]
    assert order == sorted(set(order))


def test_message_ids_of_two_processes_differ_even_in_the_same_millisecond():
    assert clock.RandomIds().message_id(NOW) != clock.RandomIds().message_id(NOW)


def test_message_ids_are_unique_across_threads():
    ids = clock.RandomIds()
    with futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(ids.message_id, [NOW] * 1000))
    assert len({each[:16] for each in made}) == 1000


def test_a_request_id_is_24_upper_case_hex_digits_that_begin_with_the_seconds():
    made = clock.RandomIds().request_id(NOW)
    assert re.fullmatch(r"65937D25[0-9A-F]{16}", made)


def test_request_ids_are_unique():
    ids = clock.RandomIds()
    assert len({ids.request_id(NOW) for _ in range(5000)}) == 5000


def test_the_other_ids_have_their_shapes_and_do_not_repeat():
    ids = clock.RandomIds()
    shapes = [(ids.queue_id, r"[0-9a-f]{16}"), (ids.stamp, r"[0-9a-f]{12}"), (ids.order_id, r"[1-9][0-9]{14}")]
    for make, shape in shapes:
        made = {make() for _ in range(500)}
        assert len(made) == 500
        assert all(re.fullmatch(shape, each) for each in made)


def test_a_pick_reaches_every_number_below_the_count_and_no_other():
    ids = clock.RandomIds()
    assert {ids.pick(4) for _ in range(500)} == {0, 1, 2, 3}
    assert {ids.pick(1) for _ in range(10)} == {0}
