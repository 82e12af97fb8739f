"""The channel between two processes when one of them is gone."""

import asyncio
import os
import pickle
import socket
import struct

from infra.local import channel


def test_that_the_other_end_is_gone_is_told_once_and_never_while_something_is_sent():
    async def run() -> list[str]:
        told: list[str] = []
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        end = channel.Channel(ours, loop, lambda *_: None, lambda: told.append("lost"))
        theirs.close()
        end.send("whoever sends this may be in the middle of something")
        told.append("sent")
        for _ in range(5):
            await asyncio.sleep(0)
        end.send("an answer that comes too late")
        for _ in range(5):
            await asyncio.sleep(0)
        return told

    assert asyncio.run(run()) == ["sent", "lost"]


def test_a_descriptor_for_an_end_that_is_gone_is_closed():
    async def run() -> bytes:
        lost = asyncio.Event()
        ours, theirs = socket.socketpair()
        end = channel.Channel(ours, asyncio.get_running_loop(), lambda *_: None, lost.set)
        theirs.close()
        await lost.wait()
        [reads, writes] = os.pipe()
        end.send("serve", writes)
        with os.fdopen(reads, "rb") as pipe:
            return pipe.read()  # which ends when nobody can write any more

    assert asyncio.run(run()) == b""


def test_a_message_whose_descriptor_did_not_come_is_heard_without_it():
    async def run() -> list[tuple[object, int | None]]:
        heard: list[tuple[object, int | None]] = []
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        end = channel.Channel(ours, loop, lambda *message: heard.append(message), lambda: None)
        for message in ((("serve",), True), (("next",), False)):  # as where a process may have no descriptor more
            content = pickle.dumps(message)
            theirs.send(struct.pack(">I", len(content)) + content)
        for _ in range(5):
            await asyncio.sleep(0)
        end.close()
        theirs.close()
        return heard

    assert asyncio.run(run()) == [(("serve",), None), (("next",), None)]
