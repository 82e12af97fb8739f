"""What an account has in a region, as values and as a file. It holds no keys and no messages."""

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1


class DumpError(Exception):
    """The file is no dump that can be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue, with the attributes that can be set."""

    name: str
    attributes: Mapping[str, int | bool]  # by the SDK's names


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A subscription of a topic."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic with its subscriptions."""

    name: str
    attributes: Mapping[str, int | bool]
    subscriptions: tuple[Subscription, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dump:
    """Everything there is."""

    source: str  # the endpoint it was read from
    queues: tuple[Queue, ...]
    topics: tuple[Topic, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are, by kind."""
        subscriptions = sum(len(topic.subscriptions) for topic in self.topics)
        return {"queues": len(self.queues), "topics": len(self.topics), "subscriptions": subscriptions}


def write(dump: Dump, path: Path) -> None:
    """Write the file, all of it or nothing."""
    text = json.dumps({"format": FORMAT} | dataclasses.asdict(dump), indent=1, ensure_ascii=False) + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: Path) -> Dump:
    """Read the file.

    Raises:
        DumpError: it cannot be read, or is no dump.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DumpError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DumpError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DumpError(f"{path} is no dump of `mns migrate export`, or of another version")
    try:
        return Dump(
            source=found["source"],
            queues=tuple(Queue(**entry) for entry in found["queues"]),
            topics=tuple(_topic(entry) for entry in found["topics"]),
        )
    except (KeyError, TypeError) as error:
        raise DumpError(f"{path} is no dump of `mns migrate export`: {error}") from error


def _topic(entry: dict[str, Any]) -> Topic:
    subscriptions = tuple(Subscription(**item) for item in entry["subscriptions"])
    return Topic(name=entry["name"], attributes=entry["attributes"], subscriptions=subscriptions)
