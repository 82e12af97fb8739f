"""Server processes: started, awaited, paused while another one is measured, ended; only those that we started."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.bench import machine
from infra.local import config

ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 20
_POLL_SECONDS = 0.002


class StartError(Exception):
    """A server cannot be started; the message says why."""


@dataclass(kw_only=True)
class Process:
    """A running server and its children."""

    process: "subprocess.Popen[bytes]"
    log: Path
    stop_signal: int = signal.SIGTERM
    started_at: float  # of time.perf_counter

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def memory(self) -> int:
        """Resident bytes, with its children's."""
        return machine.memory_bytes(self.pid)

    def await_answer(self, ask: Callable[[], object], seconds: float) -> float:
        """Ask until it answers; the seconds from its start to the first answer.

        Raises:
            StartError: it ended, or did not answer in time.
        """
        deadline, problem = self.started_at + seconds, ""
        while time.perf_counter() < deadline:
            try:
                ask()
            except Exception as error:  # noqa: BLE001  # whatever a client raises of a server that is not there yet
                problem = str(error)
            else:
                return time.perf_counter() - self.started_at
            if self.process.poll() is not None:
                raise StartError(f"it ended with status {self.process.returncode}: {self._last_line()}")
            time.sleep(_POLL_SECONDS)
        raise StartError(f"no answer within {seconds} s: {problem}")

    def pause(self) -> None:
        """Stop it from running; what it holds stays."""
        self._signal_tree(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        self._signal_tree(signal.SIGCONT)

    def kill(self) -> None:
        """End it as if the power of the process had gone: kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as its user would, and kill what does not end in time."""
        if self.process.poll() is not None:
            return
        self.resume()
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in reversed(machine.tree(self.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def _signal_tree(self, number: int) -> None:
        for pid in machine.tree(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def start(
    command: Sequence[str], folder: Path, *, user: str | None = None, stop_signal: int = signal.SIGTERM
) -> Process:
    """Start a server in a folder; what it writes goes to a file there.

    Raises:
        StartError: there is no such program.
    """
    log = folder / "log"
    with log.open("ab") as output:
        began = time.perf_counter()
        try:
            process = subprocess.Popen(  # noqa: S603  # the commands are those of `subjects`
                list(command),
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        except OSError as error:
            raise StartError(f"{command[0]} cannot be run: {error.strerror}") from error
    return Process(process=process, log=log, stop_signal=stop_signal, started_at=began)


def environment() -> dict[str, str]:
    """This process's environment without any setting of OpenMNS, with this checkout on the path."""
    kept = {name: value for name, value in config.without_settings().items() if not name.startswith("MOTO_")}
    return kept | {"PYTHONPATH": str(ROOT), "POWERTOOLS_LOG_LEVEL": "WARNING"}


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
