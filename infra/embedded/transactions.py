"""TransactWriteItems: several writes that happen all or not at all.

Every action is decided before the first is applied, and no two may name one item, so cancelling leaves nothing to undo.
A client token is remembered for ten minutes: the same call again succeeds without doing anything.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from infra.embedded import capacity, codec, database, errors, requests, sizes, tables, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN_MS = 10 * 60 * 1000
_PREPARE: Mapping[str, Callable[[tables.Table, requests.Request], writes.Write]] = {
    "ConditionCheck": writes.prepare_check,
    "Put": writes.prepare_put,
    "Delete": writes.prepare_delete,
    "Update": writes.prepare_update,
}


def transact_write_items(
    db: database.Database, found: Mapping[str, tables.Table], request: requests.Request, now: int
) -> requests.Response:
    """Do a TransactWriteItems on the tables in `found`."""
    ledger = capacity.ledger(request, "WriteCapacityUnits")
    prepared = [_prepare(found, action) for action in _actions(request)]
    if len({(write.table.serial, write.key) for write in prepared}) != len(prepared):
        raise errors.validation("Transaction request cannot include multiple operations on one item")
    db.begin()
    if not _is_repeated(db, request, now):
        changes = _stage_all(db, prepared)
        _charge(db, ledger, changes)
        for change in changes:
            writes.apply(db, change, now)
        _remember(db, request, now)
    db.commit()
    return requests.respond(ConsumedCapacity=ledger.every())


def tables_named(request: requests.Request) -> list[str]:
    """The names of the tables that a transaction concerns."""
    return [
        member["TableName"]
        for action in request["TransactItems"]
        for member in action.values()
        if "TableName" in member
    ]


def _actions(request: requests.Request) -> list[tuple[str, requests.Request]]:
    items: list[requests.Request] = request["TransactItems"]
    if not 1 <= len(items) <= requests.MAX_TRANSACTION_ACTIONS:
        raise errors.constraint(
            "[...]", "transactItems", "Member must have length less than or equal to 100, and at least 1"
        )
    actions = []
    for item in items:
        if len(item) != 1 or next(iter(item)) not in _PREPARE:
            raise errors.validation("TransactItems can only contain one of Check, Put, Update or Delete")
        actions.append(next(iter(item.items())))
    return actions


def _prepare(found: Mapping[str, tables.Table], action: tuple[str, requests.Request]) -> writes.Write:
    kind, member = action
    if kind == "ConditionCheck" and member.get("ConditionExpression") is None:
        raise errors.validation("The ConditionExpression of a ConditionCheck must not be null")
    return _PREPARE[kind](found[member["TableName"]], member)


def _stage_all(db: database.Database, prepared: list[writes.Write]) -> list[writes.Change]:
    changes, reasons = [], []
    for write in prepared:
        try:
            changes.append(writes.stage(db, write))
            reasons.append({"Code": "None"})
        except errors.Refusal as refusal:
            reasons.append(_reason(refusal))
    if len(changes) < len(prepared):
        raise errors.transaction_cancelled(reasons)
    most = sum(change.most_bytes for change in changes)
    if most > sizes.MAX_TRANSACTION and sum(change.size(db) for change in changes) > sizes.MAX_TRANSACTION:
        raise errors.validation("Collective size of items in a transaction cannot exceed 4 MB")
    return changes


def _reason(refusal: errors.Refusal) -> dict[str, Any]:
    code = "ConditionalCheckFailed" if refusal.code == "ConditionalCheckFailedException" else "ValidationError"
    return {**refusal.fields, "Code": code, "Message": refusal.message}


def _charge(db: database.Database, ledger: capacity.Ledger, changes: list[writes.Change]) -> None:
    if ledger.wanted:
        for change in changes:
            change.charge(db, ledger.of(change.write.table), factor=2)


def _is_repeated(db: database.Database, request: requests.Request, now: int) -> bool:
    token = request.get("ClientRequestToken")
    if token is None:
        return False
    row = db.execute("SELECT digest FROM tokens WHERE token = ? AND at > ?", (token, now - TOKEN_MS)).fetchone()
    if row is not None and row[0] != _digest(request):
        raise errors.Refusal(
            "IdempotentParameterMismatchException",
            "The request was retried with the same token and other parameters",
        )
    return row is not None


def _remember(db: database.Database, request: requests.Request, now: int) -> None:
    token = request.get("ClientRequestToken")
    if token is not None:
        db.execute("DELETE FROM tokens WHERE at <= ?", (now - TOKEN_MS,))
        db.execute("REPLACE INTO tokens (token, at, digest) VALUES (?, ?, ?)", (token, now, _digest(request)))


def _digest(request: requests.Request) -> bytes:
    text = json.dumps(request["TransactItems"], sort_keys=True, default=codec.base64_text)
    return hashlib.sha256(text.encode()).digest()
