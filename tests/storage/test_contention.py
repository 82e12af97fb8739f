"""What a process does about claims that others are faster at."""

import os

from chalicelib import clock as clocks
from chalicelib.storage import batches, contention, messages, payloads, sealing
from chalicelib.storage import errors as gates
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from tests.conftest import NOW, HandClock
from tests.storage.test_messages import make_message, make_queue


def test_the_window_grows_with_claims_lost_and_is_the_very_head_without_any():
    spread = contention.Spread()
    widths = [spread.width("p")]
    for lost in (0, 1, 1, 2):
        spread.learn("p", won=1, lost=lost)
        widths.append(spread.width("p"))
    assert widths == [0, 0, 1, 3, 8]
    assert spread.width("another") == 0


def test_the_window_shrinks_by_an_eighth_with_each_win_until_it_is_closed():
    spread = contention.Spread()
    spread.learn("p", won=0, lost=16)
    widths = []
    while spread.width("p"):
        spread.learn("p", won=1, lost=0)
        widths.append(spread.width("p"))
    assert widths == [14, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_the_window_has_an_end_at_which_claims_are_made_one_by_one():
    spread = contention.Spread()
    shares = [spread.share("p", 16)]
    for _ in range(10):
        spread.learn("p", won=0, lost=16)
        shares.append(spread.share("p", 16))
    assert shares == [16, 14, 10, 2, 1, 1, 1, 1, 1, 1, 1]
    assert spread.width("p") == 128


class Outrun:
    """An engine at which somebody else is faster: once, after the candidates were read, `rival` acts."""

    def __init__(self, engine, rival):
        self._engine = engine
        self._rival = rival
        self.calls = []

    def __getattr__(self, name):
        def call(**arguments):
            self.calls.append(name)
            answer = getattr(self._engine, name)(**arguments)
            if arguments.get("IndexName") == "ready" and self._rival:
                rival, self._rival = self._rival, None
                rival()
            return answer

        return call


def store(engine):
    """A process's messages table on an engine."""
    gate = gates.Gate(engine)
    batch = batches.Batches(gate=gate, clock=HandClock())
    seal = sealing.Sealing(gate=gate, prefix="t-", vault=vault.in_memory(), draw=os.urandom)
    return messages.Messages(
        gate=gate,
        batches=batch,
        payloads=payloads.Payloads(gate=gate, batches=batch, sealing=seal, prefix="t-", inline=1024),
        fan=lambda call, arguments: [call(argument) for argument in arguments],
        ids=clocks.RandomIds(),
        prefix="t-",
    )


def outrun(*, stored: int, taken: int):
    """A store that loses as many claims, the queue, and what it calls."""
    near = EmbeddedEngine(None, now=lambda: NOW)
    engines.make_tables(near, "t-")
    of = make_queue()
    store(near).put_all(of, [make_message(str(number)) for number in range(stored)])
    engine = Outrun(near, lambda: store(near).claim(of, limit=taken, now=NOW, visible_at=NOW + 30_000))
    return store(engine), of, engine


def claim(from_, of, limit):
    return [item.body for item in from_.claim(of, limit=limit, now=NOW, visible_at=NOW + 30_000).messages]


def test_a_batch_that_loses_some_claims_answers_with_those_it_won():
    slower, of, engine = outrun(stored=32, taken=4)
    assert claim(slower, of, 16) == [str(number) for number in range(4, 16)]
    assert engine.calls.count("query") == 2


def test_a_batch_that_loses_all_its_claims_goes_on_until_it_has_something():
    slower, of, _ = outrun(stored=32, taken=16)
    assert claim(slower, of, 16)


def test_a_receive_of_one_that_loses_goes_on_to_the_next_candidate():
    slower, of, _ = outrun(stored=2, taken=1)
    assert claim(slower, of, 1) == ["1"]
