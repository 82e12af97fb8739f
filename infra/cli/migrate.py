"""`mns migrate`: move queues, topics, subscriptions and messages from one MNS service to another."""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local import config
from infra.migration import dump, service, steps

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_FROM = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
_TO = ("OPENMNS_ACCESS_KEY_ID", "OPENMNS_ACCESS_KEY_SECRET", "OPENMNS_SECURITY_TOKEN")
_UNFINISHED = 1


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "migrate",
        help="move queues, topics, subscriptions and messages from one MNS service to another",
        description=(
            "Move from one MNS service to another, with the official SDK: Alibaba Cloud to OpenMNS, or any to any."
            " The exit status is 0 when everything is as it should be, 1 when something is left to do, 2 when it cannot"
            " be done."
        ),
    )
    kinds = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    exporting = kinds.add_parser("export", help="write what an account has in a region to a file")
    _add_service(exporting, "", _FROM, required=True)
    exporting.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    exporting.add_argument("--json", action="store_true", help="print the counts as JSON")
    exporting.set_defaults(run=_export)
    importing = kinds.add_parser("import", help="make what such a file holds, and move messages if told to")
    importing.add_argument("file", type=Path, help="what `mns migrate export` wrote")
    _add_service(importing, "", _TO, required=True)
    importing.add_argument("--dry-run", action="store_true", help="change nothing, show what is missing or differs")
    importing.add_argument("--update", action="store_true", help="give existing ones that differ the file's attributes")
    importing.add_argument("--account", default="", help="account id of the queues that subscriptions name")
    importing.add_argument("--region", default="", help="region of the queues that subscriptions name")
    how_many = importing.add_mutually_exclusive_group()
    how_many.add_argument("--messages", type=_count, metavar="N", help="move up to N messages of each queue")
    how_many.add_argument("--drain", action="store_true", help="move messages until each queue has no more to give")
    _add_service(importing, "from-", _FROM, required=False)
    importing.add_argument("--json", action="store_true", help="print what was done as JSON")
    importing.set_defaults(run=_import)


def _add_service(parser: argparse.ArgumentParser, prefix: str, names: Sequence[str], *, required: bool) -> None:
    whose = "the source" if prefix else "the service"
    where = "" if required else " (the one the file was exported from)"
    parser.add_argument(f"--{prefix}endpoint", required=required, metavar="URL", help=f"of {whose}{where}")
    for option, name in zip(("access-key-id", "access-key-secret", "security-token"), names, strict=True):
        parser.add_argument(f"--{prefix}{option}", default="", metavar="TEXT", help=f"of {whose}; else ${name}")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"should be above 0, not {count}")
    return count


def _export(chosen: argparse.Namespace) -> int:
    return _guarded(lambda: _write_dump(chosen))


def _import(chosen: argparse.Namespace) -> int:
    return _guarded(lambda: _make(chosen))


def _guarded(run: Callable[[], int]) -> int:
    """The command's gate: what cannot be done at all is one line."""
    try:
        return run()
    except (service.ServiceError, dump.DumpError, OSError) as error:
        raise config.ConfigError(str(error)) from error


def _write_dump(chosen: argparse.Namespace) -> int:
    progress = _Progress()
    with contextlib.closing(_service(chosen, "", _FROM, chosen.endpoint)) as source:
        found = steps.export(source, progress.show)
    progress.end()
    dump.write(found, chosen.out)
    counts = found.counts
    if chosen.json:
        _print(json.dumps({"file": str(chosen.out), **counts}))
    else:
        _print(f"{chosen.out}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
    return 0


def _make(chosen: argparse.Namespace) -> int:
    wanted = dump.read(chosen.file)
    with contextlib.ExitStack() as held:
        target = held.enter_context(contextlib.closing(_service(chosen, "", _TO, chosen.endpoint)))
        source = None
        if chosen.drain or chosen.messages is not None:
            endpoint = chosen.from_endpoint or wanted.source
            if endpoint.rstrip("/") == target.endpoint.rstrip("/"):
                raise service.ServiceError("source and target of the messages are the same endpoint")
            source = held.enter_context(contextlib.closing(_service(chosen, "from_", _FROM, endpoint)))
        taken = []
        how = steps.How(update=chosen.update, dry_run=chosen.dry_run)
        for step in steps.make(wanted, target, steps.Place(account_id=chosen.account, region=chosen.region), how):
            taken.append(step)
            if not chosen.json:
                _print(_line(step))
        copied = _copy(chosen, wanted, taken, source, target) if source is not None and not chosen.dry_run else []
    _print(_as_json(taken, copied) if chosen.json else _summary(taken, copied))
    left = any(not step.is_done for step in taken) or any(each.kept or each.detail for each in copied)
    return _UNFINISHED if left else 0


def _copy(
    chosen: argparse.Namespace,
    wanted: dump.Dump,
    taken: Sequence[steps.Step],
    source: service.Service,
    target: service.Service,
) -> list[steps.Copied]:
    """Move the messages of the queues that are there now, whatever their attributes."""
    missing = {step.name for step in taken if step.kind == "queue" and step.outcome == "failed"}
    copied = []
    for queue in wanted.queues:
        if queue.name in missing:
            continue
        progress = _Progress()
        name = queue.name
        each = steps.copy(
            name,
            source,
            target,
            most=None if chosen.drain else chosen.messages,
            say=lambda count, name=name, progress=progress: progress.show(f"{name}: {count} messages"),  # type: ignore[misc]
        )
        progress.end()
        copied.append(each)
        if not chosen.json:
            _print(f"messages of {name}: {each.moved} moved{_kept(each)}")
    return copied


def _service(chosen: argparse.Namespace, prefix: str, names: Sequence[str], endpoint: str) -> service.Service:
    given = [
        getattr(chosen, f"{prefix}{option}") or config.variable(name)
        for option, name in zip(("access_key_id", "access_key_secret", "security_token"), names, strict=True)
    ]
    if not given[0] or not given[1]:
        option = prefix.replace("_", "-")
        raise service.ServiceError(
            f"{endpoint}: who calls? Give --{option}access-key-id and --{option}access-key-secret,"
            f" or set {names[0]} and {names[1]}"
        )
    return service.Service(
        endpoint,
        service.Credentials(access_key_id=given[0], access_key_secret=given[1], security_token=given[2]),
    )


def _line(step: steps.Step) -> str:
    differences = ", ".join(f"{name} is {there}, wanted {wanted}" for name, (there, wanted) in step.differences.items())
    return ": ".join(filter(None, (f"{step.kind} {step.name}", step.outcome, differences, step.detail)))


def _as_json(taken: Sequence[steps.Step], copied: Sequence[steps.Copied]) -> str:
    done = {
        "steps": [dataclasses.asdict(step) for step in taken],
        "messages": [dataclasses.asdict(each) for each in copied],
    }
    return json.dumps(done, indent=1)


def _summary(taken: Sequence[steps.Step], copied: Sequence[steps.Copied]) -> str:
    counts: dict[str, int] = {}
    for step in taken:
        counts[step.outcome] = counts.get(step.outcome, 0) + 1
    parts = [f"{count} {outcome}" for outcome, count in counts.items()]
    if copied:
        parts.append(f"{sum(each.moved for each in copied)} messages moved")
    return ", ".join(parts) or "nothing to do"


def _kept(each: steps.Copied) -> str:
    kept = f", {each.kept} kept" if each.kept else ""
    return f"{kept} ({each.detail})" if each.detail else kept


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class _Progress:
    """A line that is written over, where somebody watches."""

    def __init__(self) -> None:
        self._watched = sys.stderr.isatty()
        self._shown = False

    def show(self, text: str) -> None:
        if self._watched:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
