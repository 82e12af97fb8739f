"""What calls cost, in DynamoDB's units.

A write unit is 1 KB, a strongly consistent read unit 4 KB, an eventually consistent read half of it, a transactional
one twice. A write costs the larger of the old and the new item, and at each index that it touches: one entry added,
removed or changed in place costs its size, a changed index key costs the old entry and the new one.
"""

from __future__ import annotations

from typing import Any

from infra.embedded import requests, sizes, tables, values

WRITE_BYTES = 1024
READ_BYTES = 4096


def write_units(size: int) -> int:
    """The units of writing so many bytes."""
    return max(1, -(-size // WRITE_BYTES))


def read_units(size: int) -> int:
    """The units of a strongly consistent read of so many bytes."""
    return max(1, -(-size // READ_BYTES))


def index_units(view: tables.View, old: values.Item | None, new: values.Item | None) -> int:
    """The units of keeping one index in step with a change of its item."""
    before = view.item(old) if old is not None and view.holds(old) else None
    after = view.item(new) if new is not None and view.holds(new) else None
    if before is None or after is None:
        present = before or after
        return 0 if present is None else write_units(sizes.item(present))
    if values.same_items(before, after):
        return 0
    if all(values.same(before[name], after[name]) for name in view.key_names):
        return max(write_units(sizes.item(before)), write_units(sizes.item(after)))
    return write_units(sizes.item(before)) + write_units(sizes.item(after))


class Account:
    """The units that one call consumes at one table."""

    def __init__(self, table: tables.Table) -> None:
        self._table = table
        self._base = 0.0
        self._indexes: dict[str, float] = {}

    def add(self, units: float, view: tables.View | None = None) -> None:
        """Charge units to the table, or to the index that is read through `view`."""
        if view is None or view.index is None:
            self._base += units
        else:
            self._indexes[view.index.name] = self._indexes.get(view.index.name, 0.0) + units

    def add_write(
        self, old: values.Item | None, new: values.Item | None, old_size: int, new_size: int, factor: int = 1
    ) -> None:
        """Charge a write and its effect on every index; `factor` is 2 within a transaction."""
        self._base += factor * write_units(max(old_size, new_size))
        for view in self._table.indexes.values():
            units = index_units(view, old, new)
            if units:
                self.add(factor * units, view)

    def report(self, mode: str, units_name: str | None = None) -> dict[str, Any]:
        """The ConsumedCapacity structure.

        Args:
            mode: TOTAL or INDEXES.
            units_name: the further member that transactions report the units as.
        """
        total = self._base + sum(self._indexes.values())
        figures: dict[str, Any] = {"TableName": self._table.schema.name, "CapacityUnits": total}
        if units_name is not None:
            figures[units_name] = total
        if mode == "INDEXES":
            figures["Table"] = {"CapacityUnits": self._base}
            for member, is_local in (("LocalSecondaryIndexes", True), ("GlobalSecondaryIndexes", False)):
                shares = {
                    index.name: {"CapacityUnits": self._indexes[index.name]}
                    for index in self._table.schema.indexes
                    if index.is_local is is_local and index.name in self._indexes
                }
                if shares:
                    figures[member] = shares
        return figures


class Ledger:
    """The accounts of one call, by table."""

    def __init__(self, mode: str, units_name: str | None = None) -> None:
        self.wanted = mode != "NONE"
        self._mode = mode
        self._units_name = units_name
        self._accounts: dict[str, Account] = {}

    def of(self, table: tables.Table) -> Account:
        """The account of a table."""
        name = table.schema.name
        if name not in self._accounts:
            self._accounts[name] = Account(table)
        return self._accounts[name]

    def one(self) -> dict[str, Any] | None:
        """The ConsumedCapacity of a call on one table, if asked for."""
        every = self.every()
        return every[0] if every else None

    def every(self) -> list[dict[str, Any]] | None:
        """The ConsumedCapacity of a call on several tables, if asked for."""
        if not self.wanted:
            return None
        return [account.report(self._mode, self._units_name) for account in self._accounts.values()]


_FREE = Ledger("NONE")


def ledger(request: requests.Request, units_name: str | None = None) -> Ledger:
    """The ledger of a call; while costs are not asked for, the same empty one for all."""
    mode = requests.capacity_mode(request)
    return _FREE if mode == "NONE" else Ledger(mode, units_name)
