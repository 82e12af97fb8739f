"""The parking lot: who is woken by what, and that no ring is lost between a look and the wait after it."""

import threading
import time
from concurrent import futures

import pytest

from chalicelib.api import operations
from infra.local import parking
from tests.conftest import NOW, HandClock


@pytest.fixture
def lot() -> parking.ParkingLot:
    return parking.ParkingLot()


class Woken(list):
    """Collects who was woken, in order."""

    def by(self, who: str):
        return lambda: self.append(who)


def test_a_ring_wakes_one_waiter_of_its_queue_the_one_who_waits_longest(lot):
    woken, mark = Woken(), lot.mark()
    for who, queue_id in [("first", "q"), ("of another", "r"), ("second", "q")]:
        lot.park(queue_id, mark, woken.by(who))
    lot.ring("q")
    assert (woken, len(lot)) == (["first"], 2)
    lot.ring("q")
    lot.ring("q")
    assert (woken, len(lot)) == (["first", "second"], 1)


def test_a_ring_between_a_look_and_the_wait_after_it_is_not_missed(lot):
    woken, mark = Woken(), lot.mark()
    lot.ring("q")
    lot.park("q", mark, woken.by("who looked before the ring"))
    assert (woken, len(lot)) == (["who looked before the ring"], 0)


def test_a_ring_before_the_look_is_old_news(lot):
    woken = Woken()
    lot.ring("q")
    lot.park("q", lot.mark(), woken.by("who looked after the ring"))
    assert (woken, len(lot)) == ([], 1)


def test_a_ring_for_another_queue_between_look_and_wait_does_not_wake(lot):
    woken, mark = Woken(), lot.mark()
    lot.ring("another")
    lot.park("q", mark, woken.by("q"))
    assert (woken, len(lot)) == ([], 1)


def test_who_leaves_is_told_whether_somebody_must_be_rung_for_in_his_place(lot):
    woken, mark = Woken(), lot.mark()
    stays, is_woken = lot.park("q", mark, woken.by("1")), lot.park("r", mark, woken.by("2"))
    lot.ring("r")
    assert (lot.leave("q", stays), lot.leave("r", is_woken), len(lot)) == (True, False, 0)
    lot.ring("q")
    assert woken == ["2"]


def test_closing_wakes_everybody_now_and_from_now_on(lot):
    woken, mark = Woken(), lot.mark()
    lot.park("q", mark, woken.by("1"))
    lot.park("r", mark, woken.by("2"))
    lot.close()
    lot.park("q", lot.mark(), woken.by("3"))
    assert (woken, lot.closed, len(lot)) == (["1", "2", "3"], True, 0)


def test_rings_from_many_threads_wake_each_waiter_once(lot):
    woken, mark = Woken(), lot.mark()
    for number in range(100):
        lot.park("q", mark, woken.by(str(number)))
    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: lot.ring("q"), range(150)))
    assert (sorted(woken, key=int), len(lot)) == ([str(number) for number in range(100)], 0)


def waiting(deadline: int) -> operations.Waiting:
    return operations.Waiting(queue_id="q", deadline=deadline, next_due=None, resume=None, give_up=None)


def test_a_thread_that_waits_returns_at_a_ring_and_leaves_the_lot(lot):
    waiter = parking.ParkedWaiter(lot, HandClock())
    with futures.ThreadPoolExecutor(1) as pool:
        returned = pool.submit(waiter.wait, waiting(NOW + 10_000), mark=waiter.mark(), looks=1)
        while not len(lot):
            time.sleep(0.001)
        waiter.pass_on("q")
        returned.result(5)
    assert len(lot) == 0


def test_a_thread_that_waits_returns_at_its_deadline_and_leaves_the_lot(lot):
    waiter = parking.ParkedWaiter(lot, HandClock())
    thread = threading.Thread(target=waiter.wait, args=(waiting(NOW + 50),), kwargs={"mark": waiter.mark(), "looks": 1})
    started = time.monotonic()
    thread.start()
    thread.join(5)
    assert (thread.is_alive(), len(lot)) == (False, 0)
    assert time.monotonic() - started >= 0.05
