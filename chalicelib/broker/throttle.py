"""Rates at work: who calls, receives or is pushed to how often.

What is counted is counted in this process, without a round trip: several processes let through as many times as much
(docs/adr/0020).
"""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from chalicelib.broker import ports
from chalicelib.model import account, delivery, errors, limits, queue, subscription, throttle


class Meter(Protocol):
    """A `throttle.Bucket` or a `throttle.Line`."""

    @property
    def rate(self) -> int:
        """How many in a second."""

    def is_full(self, now: int) -> bool:
        """Whether it is like a new one."""


M = TypeVar("M", bound=Meter)


class Meters(Generic[M]):
    """Meters by what they measure, each made when it is first needed. To be used under its `lock`."""

    def __init__(self, make: Callable[[int, int], M], most: int = limits.METERS_KEPT) -> None:
        """Set up; `make` makes one of a rate and the moment, and of more than `most` those are kept that are in use."""
        self.lock = threading.Lock()
        self._make = make
        self._most = most
        self._by_key: dict[object, M] = {}

    def get(self, key: object, rate: int, now: int) -> M:
        """The meter of `key`; a new one if its rate was another."""
        found = self._by_key.get(key)
        if found is None or found.rate != rate:
            if len(self._by_key) >= self._most:
                self._make_room(now)
            found = self._by_key[key] = self._make(rate, now)
        return found

    def __len__(self) -> int:
        return len(self._by_key)

    def _make_room(self, now: int) -> None:
        """Forget those that are like new, which changes nothing; if all are in use, the half that is oldest."""
        self._by_key = {key: meter for key, meter in self._by_key.items() if not meter.is_full(now)}
        for key in list(self._by_key)[: len(self._by_key) // 2] if len(self._by_key) >= self._most else ():
            del self._by_key[key]


class Calls:
    """How often an account calls in the deployment's region, and in all others together (D "Throttling policy").

    Callers name regions as they like: were each counted by itself, naming a new one with every call would evade a rate.
    """

    def __init__(self, *, clock: ports.Clock, region: str, account_rate: int, metadata_rate: int) -> None:
        """Set up.

        Args:
            clock: time.
            region: the deployment's own.
            account_rate: calls on messages a second, each message of a batch being one; 0: any number.
            metadata_rate: other calls a second; 0: any number.
        """
        self._clock = clock
        self._region = region
        self._account_rate = account_rate
        self._metadata_rate = metadata_rate
        self._accounts = Meters(throttle.Bucket)
        self._metadata = Meters(throttle.Bucket)

    def admit(self, namespace: account.Namespace, *, metadata: bool) -> None:
        """Let a call in.

        Raises:
            errors.TooManyRequests: the account has made as many as it may.
        """
        rate = self._metadata_rate if metadata else self._account_rate
        if not rate:
            return
        meters = self._metadata if metadata else self._accounts
        now = self._clock.now()
        with meters.lock:
            is_admitted = meters.get(self._key(namespace), rate, now).take(now)
        if not is_admitted:
            raise errors.TooManyRequests

    def charge(self, namespace: account.Namespace, messages: int) -> None:
        """Count the messages of a batch that was let in as one call; what is too much, later calls wait for."""
        if not self._account_rate or messages <= 1:
            return
        now = self._clock.now()
        with self._accounts.lock:
            self._accounts.get(self._key(namespace), self._account_rate, now).charge(messages - 1, now)

    def _key(self, namespace: account.Namespace) -> tuple[str, bool]:
        return namespace.account_id, namespace.region == self._region


class Receives:
    """How many messages of a queue are received, where its policy caps that."""

    def __init__(self) -> None:
        self._meters = Meters(throttle.Bucket)

    def take(self, of: queue.Queue, limit: int, now: int) -> int:
        """How many of `limit` messages may be received now; what is not used has to be given back."""
        if not of.attributes.rate_limit.enabled:
            return limit
        with self._meters.lock:
            return self._bucket(of, now).take_up_to(limit, now)

    def give_back(self, of: queue.Queue, count: int, now: int) -> None:
        """So many less have been received than were taken."""
        if count and of.attributes.rate_limit.enabled:
            with self._meters.lock:
                self._bucket(of, now).give_back(count)

    def next_at(self, of: queue.Queue, now: int) -> int | None:
        """When a message may be received again (ms); None: now."""
        if not of.attributes.rate_limit.enabled:
            return None
        with self._meters.lock:
            moment = self._bucket(of, now).next_at(now)
        return moment if moment > now else None

    def _bucket(self, of: queue.Queue, now: int) -> throttle.Bucket:
        return self._meters.get(of.queue_id, of.attributes.rate_limit.max_receives_per_second, now)


class Pushes:
    """How often is pushed to a subscription, where its policy caps that."""

    def __init__(self) -> None:
        self._meters = Meters(throttle.Line)

    def turn(self, to: subscription.Subscription, item: delivery.Delivery, now: int) -> int:
        """When a delivery may be attempted: `now`, or the moment (ms) at which it has to come back."""
        policy = to.attributes.rate_limit
        if not policy.enabled:
            return now
        came_back = item.due_at is not None and item.due_at <= now
        with self._meters.lock:
            line = self._meters.get(to.subscription_id, policy.max_receives_per_second, now)
            return line.turn(now, came_back=came_back)
