"""`mns account` and `mns key`: what an operator does with accounts and their keys, locally or on AWS."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.model import account, errors
from infra.local import config

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib import bootstrap, settings
    from chalicelib.broker import directory

_ONCE = "The secret is shown this once; it is kept encrypted, and nobody can read it again."
_Row = Mapping[str, Any]


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommands."""
    of_accounts = _group(commands, "account", "make and list accounts")
    create = _add(of_accounts, "create", "make an account, with a first key", _create_account)
    create.add_argument("--account", metavar="ID", help="its id, of digits (16 digits that nobody else has)")
    _add(of_accounts, "list", "list the accounts", _list_accounts)
    of_keys = _group(commands, "key", "make, list, exchange and disable access keys")
    for name, summary, run in (
        ("create", "make a key", _create_key),
        ("list", "list the keys of an account or a user", _list_keys),
    ):
        parser = _add(of_keys, name, summary, run)
        parser.add_argument("--account", metavar="ID", required=True, help="whose: the id of the account")
        parser.add_argument("--user", metavar="NAME", default="", help="a RAM user's of the account")
    for name, summary, run in (
        ("rotate", "make a key in place of another one, which is disabled", _rotate_key),
        ("disable", "let a key be used no more", _disable_key),
    ):
        _add(of_keys, name, summary, run).add_argument("access_key_id")


def _group(commands: Any, name: str, summary: str) -> Any:
    parser = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add(group: Any, name: str, summary: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--data", metavar="DIR", help=f"in this folder of a local server ({config.DATA})")
    where.add_argument("--aws", action="store_true", help="in the tables on AWS; OPENMNS_TABLE_PREFIX says which")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=lambda chosen: _run(run, chosen))
    return parser


def _run(run: Any, chosen: argparse.Namespace) -> int:
    with _directory(chosen) as found:
        try:
            run(found, chosen)
        except errors.MnsError as error:
            raise config.ConfigError(f"{error.message} {error.__cause__ or ''}".strip()) from error
    return 0


# --- Commands --------------------------------------------------------------------------------------------------------


def _create_account(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    if chosen.account is not None and not account.is_account_id(chosen.account):
        raise config.ConfigError(f"an account id is made of digits, not {chosen.account!r}")
    made = found.create_account(chosen.account)
    _show_new(found.create_key(made.name, ""), chosen)


def _list_accounts(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    rows = [
        {"account": item.name, "keys": len(item.keys), "created": _moment(item.created_at)} for item in found.accounts()
    ]
    _show_all(rows, chosen)


def _create_key(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    _show_new(found.create_key(chosen.account, chosen.user), chosen)


def _list_keys(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    rows = [
        {
            "access_key_id": key.access_key_id,
            "status": "Active" if key.enabled else "Inactive",
            "created": _moment(key.created_at),
        }
        for key in found.keys(chosen.account, chosen.user)
    ]
    _show_all(rows, chosen)


def _rotate_key(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    _show_new(found.rotate(chosen.access_key_id), chosen)


def _disable_key(found: "directory.Directory", chosen: argparse.Namespace) -> None:
    found.disable(chosen.access_key_id)
    _show_all([{"access_key_id": chosen.access_key_id, "status": "Inactive"}], chosen)


# --- What is printed -------------------------------------------------------------------------------------------------


def _show_new(key: account.AccessKey, chosen: argparse.Namespace) -> None:
    fields = {"account": key.account_id} | ({"user": key.user} if key.user else {})
    fields |= {"access_key_id": key.access_key_id, "access_key_secret": key.secret}
    if chosen.json:
        _print(json.dumps(fields))
        return
    width = max(map(len, fields))
    _print("\n".join(f"{name:{width}}  {value}" for name, value in fields.items()))
    _print(f"\n{_ONCE}")


def _show_all(rows: Sequence[_Row], chosen: argparse.Namespace) -> None:
    if chosen.json:
        _print(json.dumps(rows))
        return
    if not rows:
        _print("none")
        return
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    _print("  ".join(f"{name:{width}}" for name, width in widths.items()).rstrip())
    for row in rows:
        _print("  ".join(f"{row[name]!s:{width}}" for name, width in widths.items()).rstrip())


def _moment(moment: int) -> str:
    """A moment for people; what was declared in a file has none."""
    return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else "-"


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


# --- Where -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _directory(chosen: argparse.Namespace) -> "Iterator[directory.Directory]":
    """The accounts of a local folder, beside a server that may use it, or of tables on AWS."""
    # Imported here, so that `mns serve` need not wait for it.
    from chalicelib import settings  # noqa: PLC0415

    try:
        decided = settings.read()
    except ValueError as error:
        raise config.ConfigError(str(error)) from error
    if chosen.aws:
        yield _on_aws(decided).verbs.directory
        return
    told = config.load({"data": chosen.data})
    if told.data is None:
        raise config.ConfigError("what is in memory only has no accounts to be found here: give --data, or --aws")
    with contextlib.ExitStack() as held:
        yield _in_folder(told.data, decided, held).verbs.directory


def _on_aws(decided: "settings.Settings") -> "bootstrap.Application":
    import boto3  # noqa: PLC0415  # not needed locally
    from botocore import exceptions  # noqa: PLC0415  # the same

    from chalicelib import bootstrap  # noqa: PLC0415  # see above

    try:
        return bootstrap.build(decided, engine=boto3.client("dynamodb"))
    except exceptions.BotoCoreError as error:  # no region, no credentials
        raise config.ConfigError(f"cannot reach AWS: {error}") from error


def _in_folder(folder: Path, decided: "settings.Settings", held: contextlib.ExitStack) -> "bootstrap.Application":
    from chalicelib import bootstrap, clock  # noqa: PLC0415  # see above
    from infra.embedded.engine import EmbeddedEngine  # noqa: PLC0415  # the same
    from infra.embedded.errors import UnusableFileError  # noqa: PLC0415  # the same
    from infra.local import engine, runtime, vault  # noqa: PLC0415  # the same

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / runtime.FILE
        path.touch(mode=0o600)
        made = held.enter_context(contextlib.closing(EmbeddedEngine(path, now=clock.SystemClock().now)))
        engine.make_tables(made, decided.table_prefix)
        key = vault.in_folder(folder)
        vault.check(key, made, decided.table_prefix, folder)
        return bootstrap.build(decided, engine=made, vault=key)
    except (OSError, UnusableFileError) as error:
        raise config.ConfigError(f"cannot use {folder}: {error}") from error
