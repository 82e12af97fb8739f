"""Lanes: nobody waits for a slow endpoint but those who want the same one."""

import threading

import pytest

from chalicelib.clock import SystemClock
from chalicelib.model import limits
from chalicelib.push import lanes


class Timer:
    """A clock that each call moves by what the test says."""

    def __init__(self):
        self.moment = 0

    def now(self):
        return self.moment

    def sleep(self, seconds):
        self.moment += round(seconds * 1000)


@pytest.fixture
def made():
    of = lanes.Lanes(clock=SystemClock(), workers=4)
    yield of
    of.close()


def test_all_that_is_submitted_is_done(made):
    done = []
    for number in range(50):
        assert made.submit(f"lane{number % 7}", lambda number=number: done.append(number))
    assert made.wait(5)
    assert sorted(done) == list(range(50))


def test_nothing_is_remembered_of_lanes_that_are_good_and_empty(made):
    for number in range(50):
        made.submit(f"lane{number}", lambda: None)
    assert made.wait(5)
    assert made._lanes == {}


def test_a_call_that_fails_does_not_stop_its_lane(made):
    done = []
    made.submit("a", lambda: 1 / 0)
    made.submit("a", lambda: done.append(1))
    assert made.wait(5)
    assert done == [1]


def test_a_lane_has_one_under_way_until_it_has_proved_quick_and_a_bounded_number_waiting():
    made = lanes.Lanes(clock=SystemClock(), workers=64)
    gate, running = threading.Event(), []
    taken = sum(made.submit("a", lambda: running.append(1) or gate.wait()) for _ in range(limits.PUSH_LANE_WAITING + 9))
    assert taken == limits.PUSH_LANE_WAITING + 1
    assert made.submit("b", gate.wait)
    assert not made.wait(0.05)
    assert running == [1]
    gate.set()
    assert made.wait(5)
    made.close()


def test_quick_answers_let_a_lane_have_more_under_way():
    made = lanes.Lanes(clock=SystemClock(), workers=64)
    together, gate = threading.Barrier(limits.PUSH_LANE), threading.Event()
    made.submit("a", gate.wait)  # so that all of them are in the lane together
    for _ in range(7):
        made.submit("a", lambda: None)
    for _ in range(limits.PUSH_LANE):
        made.submit("a", lambda: together.wait(5))
    gate.set()
    assert made.wait(5)
    assert not together.broken
    made.close()


def test_while_a_push_takes_long_no_other_is_begun():
    clock = Timer()
    made = lanes.Lanes(clock=clock, workers=64)
    gate, begun = threading.Event(), threading.Event()
    for _ in range(3):
        made.submit("a", lambda: None)
    made.submit("a", lambda: begun.set() or gate.wait())
    assert begun.wait(5)
    clock.sleep(2)
    others = []
    made.submit("a", lambda: others.append(1))
    assert not made.wait(0.05)
    assert others == []
    gate.set()
    assert made.wait(5)
    assert others == [1]
    made.close()


def test_slow_lanes_leave_the_good_ones_their_threads():
    clock = Timer()
    made = lanes.Lanes(clock=clock, workers=2)
    made.submit("dead", lambda: clock.sleep(5))
    assert made.wait(5)
    gate, done = threading.Event(), threading.Event()
    for _ in range(10):
        made.submit("dead", gate.wait)  # one at a time now, and in threads of their own
    made.submit("good", done.set)
    assert done.wait(5)
    assert sum(thread.name.startswith("openmns-push-slow") for thread in threading.enumerate()) == 1
    gate.set()
    assert made.wait(5)
    made.close()


def test_when_lanes_close_what_waits_is_dropped_and_what_is_under_way_comes_to_its_end():
    made = lanes.Lanes(clock=SystemClock(), workers=1)
    gate, begun, done = threading.Event(), threading.Event(), []
    made.submit("a", lambda: begun.set() or gate.wait(5) or done.append("a"))
    made.submit("a", lambda: done.append("behind it"))
    made.submit("b", lambda: done.append("without a thread"))
    assert begun.wait(5)
    assert not made.close(0.01)
    assert not made.submit("c", lambda: done.append("too late"))
    gate.set()
    assert made.close(5)
    assert made.wait(0)
    assert done == []


def test_closed_lanes_are_at_rest_when_what_was_under_way_has_ended():
    made = lanes.Lanes(clock=SystemClock(), workers=4)
    gate, begun, done = threading.Event(), threading.Event(), []
    made.submit("a", lambda: begun.set() or (gate.wait(5) and done.append("a")))
    assert begun.wait(5)
    threading.Timer(0.05, gate.set).start()
    assert made.close()
    assert done == ["a"]


def test_only_so_many_lanes_are_remembered_to_have_been_slow(monkeypatch):
    monkeypatch.setattr(limits, "PUSH_SLOW_LANES", 2)
    clock = Timer()
    made = lanes.Lanes(clock=clock, workers=4)
    for name in ("a", "b", "c", "b", "d"):
        made.submit(name, lambda: clock.sleep(5))
        assert made.wait(5)
    assert set(made._lanes) == {"b", "d"}
    made.submit("b", lambda: None)
    assert made.wait(5)
    assert set(made._lanes) == {"d"} == set(made._resting)
    made.close()
