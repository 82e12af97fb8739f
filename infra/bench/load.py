"""The load generator: one job in a process of its own, so that what it costs can be told from what the server costs.

`run` starts it with a job on its standard input; it answers with JSON, in which `generator_cpu` and `server_cpu` are
shares of one core while the job ran.
"""

import gc
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from infra.bench import jobs, machine, processes

if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE_SECONDS = 120  # beyond the times of the job, before the generator is given up


class LoadError(Exception):
    """The load generator failed; the message is the last line it wrote."""


def run(job: jobs.Job) -> dict[str, Any]:
    """Run a job in a new process and return its figures.

    Raises:
        LoadError: it failed.
    """
    return finish(start(job), job)


def start(job: jobs.Job) -> "subprocess.Popen[bytes]":
    """Start a job in a new process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=processes.environment(),
    )
    assert process.stdin is not None  # noqa: S101  # for the type checker
    process.stdin.write(json.dumps(job.to_json()).encode())
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: "subprocess.Popen[bytes]", job: jobs.Job) -> dict[str, Any]:
    """Wait for a job's end; see `run`."""
    try:
        output, complaints = process.communicate(timeout=job.warm + job.seconds + job.drain + job.wait + _GRACE_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise LoadError(f"the {job.kind} job did not come to its end") from error
    if process.returncode:
        lines = complaints.decode(errors="replace").strip().splitlines() or ["no message"]
        raise LoadError(lines[-1])
    return dict(json.loads(output))


def _work(job: jobs.Job) -> dict[str, Any]:
    """Do a job in this process."""
    # Imported here, so that each job loads only what it needs.
    from infra.bench import http_load  # noqa: PLC0415

    kinds: dict[str, Callable[[jobs.Job], dict[str, Any]]] = {
        name: getattr(http_load, name) for name in ("flow", "fill", "phases", "parked", "history")
    }
    if job.kind in ("wide", "sustained", "pushed"):
        from infra.bench import topic_load  # noqa: PLC0415

        return dict(getattr(topic_load, job.kind)(job))
    if job.kind == "ordered":
        from infra.bench import order_load  # noqa: PLC0415

        return order_load.ordered(job)
    if job.endpoint.dialect == "postgresql":
        from infra.bench import postgres  # noqa: PLC0415

        kinds = {name: getattr(postgres, name) for name in ("flow", "fill", "phases")}
    return kinds[job.kind](job)


def main() -> None:
    """Read a job, do it, write its figures."""
    job = jobs.Job.from_json(json.load(sys.stdin))
    gc.disable()  # a generator lives for seconds and makes no cycles worth a pause
    before = machine.cpu_seconds(job.server_pid) if job.server_pid else 0.0
    began, own = time.perf_counter(), time.process_time()
    found = _work(job)
    seconds, own = time.perf_counter() - began, time.process_time() - own
    found["generator_cpu"] = own / seconds
    if job.server_pid:
        found["server_cpu"] = (machine.cpu_seconds(job.server_pid) - before) / seconds
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
