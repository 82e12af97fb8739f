"""What processes tell each other is told together: soon where somebody waits for it, else a little later."""

import asyncio

from infra.local import collecting


class Loop:
    """An event loop whose time is handed in."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, object, list[bool]]] = []

    def time(self) -> float:
        return self.now

    def is_closed(self) -> bool:
        return False

    def call_at(self, moment: float, call):
        cancelled = [False]
        self.calls.append((moment, call, cancelled))

        class Handle:
            def cancel(self) -> None:
                cancelled[0] = True

        return Handle()

    def go_on(self, seconds: float) -> None:
        self.now += seconds
        due = [entry for entry in self.calls if entry[0] <= self.now]
        self.calls = [entry for entry in self.calls if entry[0] > self.now]
        for _, call, cancelled in due:
            if not cancelled[0]:
                call()


class Teller:
    def __init__(self) -> None:
        self.loop = Loop()
        self.told: list[dict[str, int]] = []
        self.waiters = 1
        self.news: collecting.Collected[str] = collecting.Collected(
            self.loop, self.told.append, lambda: self.waiters > 0
        )


def test_what_comes_first_after_a_pause_is_told_at_once():
    teller = Teller()
    teller.news.add("a", 1)
    teller.loop.go_on(0)
    assert teller.told == [{"a": 1}]


def test_what_comes_soon_after_is_told_together():
    teller = Teller()
    teller.news.add("a", 1)
    teller.loop.go_on(0)
    for key in "aba":
        teller.news.add(key, 2)
    teller.loop.go_on(collecting.SECONDS / 2)
    assert len(teller.told) == 1
    teller.loop.go_on(collecting.SECONDS)
    assert teller.told[1:] == [{"a": 4, "b": 2}]


def test_where_nobody_waits_it_is_told_later_but_told():
    teller = Teller()
    teller.news.add("a", 1)
    teller.loop.go_on(0)
    teller.waiters = 0
    teller.news.add("a", 1)
    teller.loop.go_on(collecting.LAZY_SECONDS / 2)
    assert len(teller.told) == 1
    teller.loop.go_on(collecting.LAZY_SECONDS)
    assert teller.told[1:] == [{"a": 1}]


def test_who_begins_to_wait_meanwhile_is_told_with_what_comes_next():
    teller = Teller()
    teller.news.add("a", 1)
    teller.loop.go_on(0)
    teller.waiters = 0
    teller.news.add("a", 1)
    teller.waiters = 1
    teller.news.add("b", 1)
    teller.loop.go_on(collecting.SECONDS)
    assert teller.told[1:] == [{"a": 1, "b": 1}]
    teller.loop.go_on(collecting.LAZY_SECONDS)
    assert len(teller.told) == 2


def test_a_loop_that_has_ended_is_told_nothing():
    loop = asyncio.new_event_loop()
    told: list[object] = []
    news: collecting.Collected[str] = collecting.Collected(loop, told.append)
    loop.close()
    news.add("a", 1)
    assert told == []
