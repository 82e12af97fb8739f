"""Attempts, retries and what comes after the last one.

Any step may run twice: an attempt is recorded only if nobody recorded it before, and what is not recorded is made
again. The attempts are made in lanes, one for each server, so that none holds up the others.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from chalicelib.broker import ports, subscriptions, throttle
from chalicelib.model import (
    account,
    dead_letter,
    delivery,
    endpoint,
    errors,
    limits,
    message,
    publication,
    queue,
    subscription,
)


class Deliver:
    """Attempt deliveries, and record what became of them."""

    def __init__(
        self,
        *,
        subscriptions: subscriptions.Subscriptions,
        publications: ports.Publications,
        deliveries: ports.Deliveries,
        channels: Mapping[endpoint.Kind, ports.Channel],
        dead_letters: "DeadLetters",
        lanes: ports.Lanes,
        clock: ports.Clock,
        ids: ports.Ids,
    ) -> None:
        """Set up.

        Args:
            subscriptions: where the messages go.
            publications: the messages.
            deliveries: the deliveries.
            channels: ways to the endpoints, by their kind.
            dead_letters: takes what could not be delivered.
            lanes: in which attempts are made.
            clock: time.
            ids: draws the random part of a backoff.
        """
        self._subscriptions = subscriptions
        self._publications = publications
        self._deliveries = deliveries
        self._channels = channels
        self._dead_letters = dead_letters
        self._lanes = lanes
        self._clock = clock
        self._ids = ids
        self._pushes = throttle.Pushes()
        self._lock = threading.Lock()
        self._in_hand: set[tuple[str, str]] = set()

    def run(self, pending: Sequence[delivery.Delivery]) -> int:
        """Have one attempt made at each; those in hand already are left alone. How many were not."""
        keys = dict.fromkeys((item.topic_id, item.topic_shard, item.message_id) for item in pending)
        messages = self._publications.get_all(list(keys)) if keys else {}
        started = 0
        for item in pending:
            if not self._take(item):
                continue
            try:
                self._start(item, messages.get((item.topic_id, item.topic_shard, item.message_id)))
            except BaseException:
                self._let_go(item)  # or it would never be started again
                raise
            started += 1
        return started

    def run_due(self) -> tuple[int, int | None]:
        """Have an attempt made at what is due; how many, and when the next one is due (ms) beside those."""
        with self._lock:
            in_hand = frozenset(self._in_hand)  # waiting in a slow lane, say, while their leases end
        due = self._deliveries.due(self._clock.now(), limit=limits.DUE_PAGE, besides=in_hand)
        return self.run(due.deliveries), due.next_due

    def wait(self, seconds: float | None) -> bool:
        """Wait until all attempts in hand have been recorded, at most `seconds`; whether they have."""
        return self._lanes.wait(seconds)

    def _start(self, item: delivery.Delivery, what: publication.Publication | None) -> None:
        to = self._find(item)
        if what is None or to is None:
            detail = "The message is no more." if what is None else "The subscription is no more."
            self._end(item, lambda: _failed(item, detail))
            return
        now = self._clock.now()
        if not what.is_open:
            self._end(item, lambda: _sealed(item, now))
            return
        turn = self._pushes.turn(to, item, now)
        if turn > now:  # not beyond its end, when it goes to the dead letters
            self._end(item, lambda: item.evolve(due_at=min(turn, item.expires_at)))
        elif not self._lanes.submit(to.attributes.target.lane, lambda: self._end(item, lambda: self._try(item, what))):
            later = now + limits.DELIVERY_FULL_SECONDS * 1000
            self._end(item, lambda: item.evolve(due_at=later))

    def _find(self, item: delivery.Delivery) -> subscription.Subscription | None:
        """The subscription that a delivery is for; None: it is no more, or another one has its name."""
        to = self._subscriptions.find(item.namespace, item.topic_id, item.subscription_name)
        return to if to is not None and to.subscription_id == item.subscription_id else None

    def _try(self, item: delivery.Delivery, what: publication.Publication) -> delivery.Delivery:
        """The delivery after its turn has come; an attempt is made if it still can be."""
        to = self._find(item)  # again, for it may have changed while the delivery waited
        if to is None:
            return _failed(item, "The subscription is no more.")
        notification = publication.Notification(publication=what, subscription=to)
        started_at = self._clock.now()
        if started_at >= item.expires_at:
            return self._give_up(item.evolve(detail="The retention of the message is over."), notification)
        try:
            outcome = self._channels[to.attributes.target.kind].push(notification)
        except errors.InternalError:  # of a queue: its key cannot be used, say
            return _sealed(item, started_at)
        except Exception as error:  # noqa: BLE001  # whatever a channel meets, the delivery is tried again
            outcome = delivery.Outcome(status=delivery.Status.UNKNOWN_ERROR, detail=type(error).__name__)
        return self._after(item, notification, started_at, outcome)

    def _after(
        self,
        before: delivery.Delivery,
        notification: publication.Notification,
        started_at: int,
        outcome: delivery.Outcome,
    ) -> delivery.Delivery:
        """The delivery after an attempt."""
        attempts = (*before.attempts, delivery.Attempt(started_at=started_at, status=outcome.status))
        detail = outcome.detail[: limits.PUSH_DETAIL_LENGTH]
        if outcome.is_success:
            return before.evolve(state=delivery.State.DELIVERED, due_at=None, attempts=attempts, detail=detail)
        strategy = notification.subscription.attributes.strategy
        drawn = self._ids.pick(limits.BACKOFF_SPREAD_MS + 1)
        due_at = strategy.after(len(attempts), started_at, drawn=drawn)
        if due_at is not None and due_at < before.expires_at:
            return before.evolve(due_at=due_at, attempts=attempts, detail=detail)
        return self._give_up(before.evolve(attempts=attempts, detail=detail), notification)

    def _give_up(self, item: delivery.Delivery, notification: publication.Notification) -> delivery.Delivery:
        """The delivery after the last attempt; the dead-letter queue has the message then, if there is one."""
        state = delivery.State.DEAD if self._dead_letters.take(notification) else delivery.State.FAILED
        return item.evolve(state=state, due_at=None)

    def _take(self, item: delivery.Delivery) -> bool:
        with self._lock:
            key = (item.subscription_id, item.message_id)
            is_free = key not in self._in_hand
            self._in_hand.add(key)
            return is_free

    def _end(self, before: delivery.Delivery, after: Callable[[], delivery.Delivery]) -> None:
        """Record what became of a delivery; if that fails, its lease or its due time brings it back."""
        try:
            self._deliveries.record(before, after())
        except errors.MnsError:
            pass
        finally:
            self._let_go(before)

    def _let_go(self, item: delivery.Delivery) -> None:
        with self._lock:
            self._in_hand.discard((item.subscription_id, item.message_id))


class Redeliver:
    """Make the retries that are due."""

    def __init__(self, *, deliver: Deliver, clock: ports.Clock) -> None:
        self._deliver = deliver
        self._clock = clock

    def run(self, *, seconds: float = 0) -> int | None:
        """Attempt what is due now and, if it comes due within `seconds`, later; when the next one is due (ms)."""
        end = self._clock.now() + int(seconds * 1000)
        may_look_again = True
        while True:
            started, next_due = self._deliver.run_due()
            left = max(0.0, (end - self._clock.now()) / 1000)
            is_idle = self._deliver.wait(min(left, limits.RELEASE_GRAIN_SECONDS) if started else 0)
            if started and is_idle and may_look_again:
                may_look_again = False  # see when those are due that failed; but not for ever, if nothing is recorded
                continue
            now = self._clock.now()
            if now >= end or (is_idle and (next_due is None or next_due > end)):
                return next_due
            self._clock.sleep(min(_pause(started, next_due, now), (end - now) / 1000))
            may_look_again = True


def _failed(item: delivery.Delivery, detail: str) -> delivery.Delivery:
    return item.evolve(state=delivery.State.FAILED, due_at=None, detail=detail)


def _sealed(item: delivery.Delivery, now: int) -> delivery.Delivery:
    """A delivery that nothing can be done about now; that is no attempt, so it goes on for as long as it is of use."""
    if now >= item.expires_at:
        return _failed(item, "The message cannot be decrypted, or its queue cannot encrypt it.")
    return item.evolve(due_at=min(now + limits.DELIVERY_SEALED_SECONDS * 1000, item.expires_at))


def _pause(started: int, next_due: int | None, now: int) -> float:
    """Seconds until another look may find something due."""
    if next_due is None:
        return limits.RELEASE_GRAIN_SECONDS
    if next_due <= now:
        return limits.REDELIVER_BREATH_SECONDS if started else limits.RELEASE_GRAIN_SECONDS
    return min((next_due - now) / 1000, limits.RELEASE_GRAIN_SECONDS)


class DeadLetters:
    """Put what could not be delivered into the subscription's dead-letter queue."""

    def __init__(
        self,
        *,
        find_queue: Callable[[account.Namespace, str], queue.Queue],
        messages: ports.Messages,
    ) -> None:
        self._find_queue = find_queue
        self._messages = messages

    def take(self, notification: publication.Notification) -> bool:
        """Whether the message is in the dead-letter queue; False: the subscription has none."""
        to, what = notification.subscription, notification.publication
        name = to.attributes.dead_letter_queue
        if not name:
            return False
        try:
            into = self._find_queue(to.namespace, name)
        except errors.QueueNotExist:
            return False
        if into.is_fifo and what.draft.group_id is None:
            return False  # it has no place there
        message_id, stamp = notification.derived("dead letter")
        draft = message.Draft(
            body=what.draft.body,
            delay_seconds=0,
            group_id=what.draft.group_id,
            user_properties=what.draft.user_properties,
            system_properties=dead_letter.properties(
                what.draft.system_properties,
                kind="Topic",
                arn=to.arn,
                message_id=what.message_id,
            ),
        )
        # The retention goes on: from when the message was published, as if it had been in the queue all the time.
        self._messages.put_once(
            into,
            message.place(
                draft,
                into,
                message_id=message_id,
                shard=notification.pick(into.shards),
                stamp=stamp,
                now=what.published_at,
            ),
        )
        return True


class Log:
    """Read what became of messages."""

    def __init__(
        self, *, topics: ports.Topics, subscriptions: ports.Subscriptions, deliveries: ports.Deliveries
    ) -> None:
        self._topics = topics
        self._subscriptions = subscriptions
        self._deliveries = deliveries

    def read(
        self, *, topic_name: str | None = None, subscription_name: str | None = None, limit: int
    ) -> list[delivery.Delivery]:
        """The newest deliveries, newest first, of all accounts, topics and subscriptions or of those of one name."""
        found = itertools.chain.from_iterable(
            self._deliveries.newest(item.subscription_id, limit=limit)
            for item in self._wanted(topic_name, subscription_name)
        )
        return sorted(found, key=lambda item: (item.published_at, item.message_id), reverse=True)[:limit]

    def _wanted(self, topic_name: str | None, subscription_name: str | None) -> Iterator[subscription.Subscription]:
        for namespace, of in self._topics.everywhere():
            if topic_name in (None, of.name):
                for item in self._subscriptions.all(namespace, of.topic_id):
                    if subscription_name in (None, item.name):
                        yield item
