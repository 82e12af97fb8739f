"""The machine a run was made on, and what the kernel counts for a process and its children.

Everything is read from /proc, so that neither the server nor the generator needs another package.
"""

import contextlib
import os
import platform
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")  # per second
_CPU_FIELDS = slice(11, 15)  # utime, stime, cutime, cstime, counted from the state, which follows the name
_KIB = 1024


def describe() -> dict[str, str]:
    """The machine in a few lines, for the head of a report."""
    model = _first(_PROC / "cpuinfo", "model name") or platform.machine()
    memory = int((_first(_PROC / "meminfo", "MemTotal") or "0").split()[0]) * _KIB / 2**30
    return {
        "Cores": str(os.cpu_count()),
        "CPU": model,
        "Memory": f"{memory:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }


def load_average() -> str:
    """The load average of the last minute: above a tenth before a run starts, somebody else is at work."""
    return f"{os.getloadavg()[0]:.2f}"


def tree(pid: int) -> list[int]:
    """A process and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for child, fields in _stats():
        children.setdefault(int(fields[1]), []).append(child)
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a tree so far, with the children that have ended and been waited for."""
    members = set(tree(pid))
    return sum(sum(map(int, fields[_CPU_FIELDS])) for member, fields in _stats() if member in members) / _TICKS


def run_seconds(pid: int) -> float:
    """Time on a core of the threads of a tree that are alive, to the nanosecond: for shares too small for ticks."""
    nanoseconds = 0
    for member in tree(pid):
        for path in (_PROC / str(member) / "task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has just ended
                nanoseconds += int(path.read_text().split()[0])
    return nanoseconds / 1e9


def memory_bytes(pid: int) -> int:
    """Resident memory of a tree; what its processes share is counted once."""
    parts = [_resident(member) for member in tree(pid)]
    return sum(own for own, _, _ in parts) + max(file for _, file, _ in parts) + max(shared for _, _, shared in parts)


def _resident(pid: int) -> tuple[int, int, int]:
    """Anonymous, file and shared memory in bytes."""
    status = _PROC / str(pid) / "status"
    anonymous, file, shared = (
        int((_first(status, name) or "0").split()[0]) * _KIB for name in ("RssAnon", "RssFile", "RssShmem")
    )
    return anonymous, file, shared


def _first(path: Path, name: str) -> str | None:
    """The value of the first `name: value` line."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Of every process its number and the fields of its `stat` from the state on; the parent is the second."""
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            try:
                text = (_PROC / entry.name / "stat").read_text()
            except OSError:  # it has just ended
                continue
            yield int(entry.name), parse_stat(text)


def parse_stat(text: str) -> list[str]:
    """The fields after the name, which stands in parentheses and may hold anything."""
    return text.rpartition(")")[2].split()
