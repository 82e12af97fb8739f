"""How a function waits: how often it looks, and when it gives up."""

from dataclasses import dataclass
from typing import Any

import pytest

import app as deployed
from chalicelib.api import direct, operations, waiting
from chalicelib.wire import http
from tests import gateways
from tests.api.signing import code, signed
from tests.conftest import NOW, HandClock


class NotingClock(HandClock):
    """Notes how long is slept each time."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def clock() -> NotingClock:
    return NotingClock()


@dataclass
class Context:
    """Lambda's."""

    clock: HandClock
    end: int  # ms

    def get_remaining_time_in_millis(self) -> int:
        return self.end - self.clock.now()


def step(deadline: float, next_due: float | None = None) -> operations.Waiting:
    """A poll that waits for so many seconds, in a queue where something is due after so many."""
    due = None if next_due is None else NOW + round(next_due * 1000)
    return operations.Waiting(
        queue_id="q", deadline=NOW + round(deadline * 1000), next_due=due, resume=lambda: http.Response(status=200)
    )


@pytest.mark.parametrize(
    ("looks", "waiting_for", "nap"),
    [
        (1, step(25), 0.05),
        (2, step(25), 0.075),
        (8, step(25), 0.854),
        (9, step(25), 1),
        (200, step(25), 1),
        (9, step(0.3), 0.3),  # the last look is at the deadline
        (9, step(25, next_due=0.4), 0.4),  # and one is when a message becomes visible
        (1, step(25, next_due=0.4), 0.05),
        (9, step(25, next_due=0), 1),  # what was due and is not to be had is no reason for haste
        (9, step(25, next_due=-60), 1),
        (9, step(0), 0.001),
    ],
)
def test_the_pause_before_another_look_grows_to_a_second_and_meets_what_is_due(clock, looks, waiting_for, nap):
    waiting.SleepingWaiter(clock).wait(waiting_for, mark=0, looks=looks)
    assert clock.naps == [nap]


@pytest.fixture
def receive(application, clock, call):
    """A poll of an empty queue, as a function that has `seconds` left; what it answers."""
    call("PUT", "/queues/demo", body="<Queue/>")

    def run(handler: Any, wait: int, *, seconds: float = 60, waited: float = 0) -> tuple[int, str]:
        request = signed("GET", f"/queues/demo/messages?waitseconds={wait}", now=clock.now())
        sent = gateways.Sent(method="GET", target=request.target, headers=list(request.headers.items()))
        event = gateways.rest_event(sent, now=clock.now() - round(waited * 1000))
        answer = handler(event, Context(clock, clock.now() + round(seconds * 1000)))
        return answer["statusCode"], code(http.Response(status=404, body=answer["body"].encode()))

    return run


@pytest.fixture(params=[deployed.app, direct.handler], ids=["Chalice", "direct"])
def handler(request):
    return request.param


NOTHING = (404, "MessageNotExist")


def test_an_idle_consumer_costs_32_looks_in_25_seconds(receive, clock, handler):
    """The number that docs/costs.md counts with: each is two queries, of one read unit each and shard."""
    assert receive(handler, 25) == NOTHING
    assert len(clock.naps) + 1 == 32
    assert clock.now() == NOW + 25_000


@pytest.mark.parametrize(
    ("wait", "seconds", "waited", "answered"),
    [
        (20, 30, 0, 20),
        (20, 10, 0, 7),  # three seconds before the function's end
        (20, 3, 0, 0),
        (20, 1, 0, 0),
        (20, 30, 4, 16),  # what the start of the function took is part of the wait: the gateway counts it, too
        (20, 30, 60, 0),
        (20, 30, -60, 20),  # a gateway whose clock is ahead
    ],
)
def test_a_poll_is_answered_before_the_functions_time_is_over(receive, clock, handler, wait, seconds, waited, answered):
    assert receive(handler, wait, seconds=seconds, waited=waited) == NOTHING
    assert clock.now() == NOW + answered * 1000


def test_a_message_that_becomes_visible_at_the_last_moment_is_still_received(receive, call, clock, handler):
    body = "<Message><MessageBody>x</MessageBody><DelaySeconds>7</DelaySeconds></Message>"
    call("POST", "/queues/demo/messages", body=body)
    request = signed("GET", "/queues/demo/messages?waitseconds=20", now=clock.now())
    sent = gateways.Sent(method="GET", target=request.target, headers=list(request.headers.items()))
    answer = handler(gateways.rest_event(sent, now=clock.now()), Context(clock, NOW + 10_000))
    assert (answer["statusCode"], clock.now()) == (200, NOW + 7_000)


def test_without_a_context_a_poll_waits_as_long_as_it_may(application, clock):
    assert waiting.last_moment(None, clock) is None
