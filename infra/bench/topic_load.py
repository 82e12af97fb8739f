"""The jobs of the load generator for topics: how long a publication takes to be everywhere."""

import re
import time
from collections.abc import Callable
from typing import Any

from infra.bench import dialects, exchange, figures, jobs, sink, tally
from infra.local import config

_OK = 300  # statuses below it say yes
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05
_ACTIVE = re.compile(rb"<ActiveMessages>([0-9]+)</ActiveMessages>")
_PUBLISHERS = 8
_SETTLE_SECONDS = 0.5  # from parking the receivers to publishing


def wide(job: jobs.Job) -> dict[str, float]:
    """Publish to `consumers` queues at which somebody waits; the times until all of them have the message."""
    topic = dialects.Topic(job.endpoint, job.queue)
    names = _queues(job, topic)
    client = exchange.Client(job.endpoint.address, job.consumers + 1)
    seconds = []
    failures = 0
    for number in range(job.messages):
        got: list[float] = []

        def receiver(name: str, got: list[float] = got) -> exchange.Script:
            answer = yield dialects.Mns(job.endpoint, name).receive(1, 30)
            if dialects.handles(answer.payload):
                got.append(time.perf_counter())

        began: list[float] = []

        def publisher(number: int = number, began: list[float] = began) -> exchange.Script:
            yield _SETTLE_SECONDS
            began.append(time.perf_counter())
            yield topic.publish(f"{number} {dialects.BODY}")

        client.run([*map(receiver, names), publisher()], time.perf_counter() + _PATIENCE_SECONDS)
        if len(got) == len(names):
            seconds.append(max(got) - began[0])
        else:
            failures += 1
    client.close()
    _clean_up(job, topic, names)
    found = figures.milliseconds(figures.percentile(seconds, 0.5))
    return {"all_ms": found, "worst_ms": 1000 * max(seconds, default=float("nan")), "failures": float(failures)}


def sustained(job: jobs.Job) -> dict[str, float]:
    """Publish to `consumers` queues for some seconds; deliveries per second until the last one is there."""
    topic = dialects.Topic(job.endpoint, job.queue)
    names = _queues(job, topic)
    window = tally.Window.opening(warm=0, seconds=job.seconds, limit=job.messages)
    published = tally.Tally(window=window)
    client = exchange.Client(job.endpoint.address, _PUBLISHERS)
    request = topic.publish(dialects.BODY)

    def publisher() -> exchange.Script:
        while published.wants_more:
            began = published.start(1)
            answer = yield request
            if answer.status < _OK:
                published.add(1, began)
            else:
                published.failures += 1

    began = time.perf_counter()
    client.run([publisher() for _ in range(_PUBLISHERS)], window.ends + _PATIENCE_SECONDS)
    client.close()
    publishing = time.perf_counter() - began
    wanted = published.done * len(names)
    there = _await(lambda: _stored(job, names), wanted)
    seconds = time.perf_counter() - began
    _clean_up(job, topic, names)
    return {
        "rate": there / seconds,
        "published": published.done / publishing,
        "failures": float(published.failures + wanted - there),
    }


def pushed(job: jobs.Job) -> dict[str, float]:
    """Publish to `consumers` HTTP endpoints, of which `waiters` never answer; publish-to-push of the others."""
    topic = dialects.Topic(job.endpoint, job.queue)
    endpoints = sink.Sink(healthy=job.consumers - job.waiters, dead=job.waiters)
    _ask(job, topic.create_topic())
    for number, url in enumerate(endpoints.urls):
        _ask(job, topic.subscribe(f"s{number}", url))
    warm = f"the first {dialects.BODY}"  # with it the server makes its key and loads what signs, once in its life
    _ask(job, topic.publish(warm))
    _await(lambda: len(endpoints.arrivals(warm)), job.consumers - job.waiters)
    began: dict[str, float] = {}
    pause = job.seconds / job.messages
    for number in range(job.messages):
        body = f"{number} {dialects.BODY}"
        began[body] = time.perf_counter()
        _ask(job, topic.publish(body))
        time.sleep(max(0.0, began[body] + pause - time.perf_counter()))
    wanted = job.messages * (job.consumers - job.waiters)
    there = _await(lambda: sum(len(endpoints.arrivals(body)) for body in began), wanted)
    delays = [arrived - since for body, since in began.items() for arrived in endpoints.arrivals(body)]
    endpoints.close()
    _ask(job, topic.drop_topic())
    return {
        "p50_ms": figures.milliseconds(figures.percentile(delays, 0.5)),
        "p99_ms": figures.milliseconds(figures.percentile(delays, 0.99)),
        "failures": float(wanted - there),
    }


def _queues(job: jobs.Job, topic: dialects.Topic) -> list[str]:
    """Subscribe `consumers` queues to the topic; their names."""
    _ask(job, topic.create_topic())
    names = [f"{job.queue}-{number}" for number in range(job.consumers)]
    for name in names:
        _ask(job, dialects.Mns(job.endpoint, name).create(300))
        _ask(job, topic.subscribe(name, f"acs:mns:{config.LocalConfig.region}:{config.ACCOUNT_ID}:queues/{name}"))
    return names


def _clean_up(job: jobs.Job, topic: dialects.Topic, names: list[str]) -> None:
    for request in (topic.drop_topic(), *(dialects.Mns(job.endpoint, name).drop() for name in names)):
        _ask(job, request)


def _stored(job: jobs.Job, names: list[str]) -> int:
    """How many messages the queues hold."""
    answers = [_ask(job, dialects.Mns(job.endpoint, name).attributes()) for name in names]
    return sum(int(found[1]) for answer in answers if (found := _ACTIVE.search(answer.payload)))


def _await(count: Callable[[], int], wanted: int) -> int:
    """The count, once it is as wanted or patience is at its end."""
    ends = time.perf_counter() + _PATIENCE_SECONDS
    while (found := count()) < wanted and time.perf_counter() < ends:
        time.sleep(_POLL_SECONDS)
    return found


def _ask(job: jobs.Job, request: bytes) -> Any:
    answer = exchange.ask(job.endpoint.address, request)
    if answer.status >= _OK:
        raise exchange.BrokenError(f"the server answered {answer.status}: {answer.payload[:200]!r}")
    return answer
