"""The runner that works on the event loop."""

import asyncio
import contextlib

from infra.local import config, runners, runtime


def test_work_that_fails_is_tried_again_after_a_pause_and_not_at_once():
    attempts = 0

    def fail() -> None:
        nonlocal attempts
        attempts += 1
        raise OSError("the disk is full")

    async def run_for_a_while() -> None:
        on_loop = runners.OnLoop()
        runner = on_loop("test", fail, lambda: 0)
        on_loop.attach(asyncio.get_running_loop(), lambda: False)
        await asyncio.sleep(2.5 * runners.RETRY_SECONDS)
        runner.stop()

    asyncio.run(run_for_a_while())
    assert attempts == 4  # at once, after one pause, after another one, and when it was stopped


def test_a_key_that_is_no_longer_declared_is_disabled(tmp_path):
    found = []
    for flags in ({"access_key_id": "first"}, {"access_key_id": "second"}):
        running = runtime.start(config.load({"data": str(tmp_path), **flags}, {}))
        with contextlib.ExitStack() as stack:
            stack.callback(running.stop)
            keys = [running.application.verbs.identities._store.key(name) for name in ("first", "second")]
            found.append([key and key.enabled for key in keys])
    assert found == [[True, None], [False, True]]
