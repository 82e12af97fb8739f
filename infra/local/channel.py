"""Messages between the processes of one server: Python values and file descriptors, over a socket pair.

Both ends are processes of one server and one version, so pickle is right here.
"""

import asyncio
import os
import pickle
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct(">I")
_READ_BYTES = 65_536
_MOST_FILES = 64  # in one read


class Channel:
    """One end, on an event loop."""

    def __init__(
        self,
        end: socket.socket,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Any, int | None], None],
        lost: Callable[[], None],
    ) -> None:
        """Begin to listen.

        Args:
            end: a connected stream socket of the Unix family.
            loop: the event loop.
            receive: is called with each message and the descriptor that came with it; None: it came with none, or this
                process may have no more.
            lost: is called when the other end is gone.
        """
        self._end = end
        self._loop = loop
        self._receive = receive
        self._lost = lost
        self._out: deque[tuple[bytes, int | None]] = deque()
        self._in = b""
        self._files: deque[int] = deque()
        end.setblocking(False)  # noqa: FBT003  # the socket's
        loop.add_reader(end.fileno(), self._read)

    def send(self, message: Any, file: int | None = None) -> None:
        """Send a message, with a descriptor, which is closed here once it has been sent.

        Of an end that is gone nobody hears in here, who may be in the middle of something, but soon.
        """
        if self._end.fileno() < 0:
            if file is not None:
                os.close(file)
            return
        content = pickle.dumps((message, file is not None))
        self._out.append((_LENGTH.pack(len(content)) + content, file))
        if len(self._out) == 1:
            self._write()

    def close(self) -> None:
        """Say and hear no more."""
        if self._end.fileno() >= 0:
            self._loop.remove_reader(self._end.fileno())
            self._loop.remove_writer(self._end.fileno())
            self._end.close()

    def _write(self) -> None:
        while self._out:
            content, file = self._out[0]
            try:
                sent = self._end.send(content) if file is None else socket.send_fds(self._end, [content], [file])
            except BlockingIOError:
                self._loop.add_writer(self._end.fileno(), self._write)
                return
            except OSError:
                self._loop.call_soon(self._fail)
                return
            if file is not None:
                os.close(file)
            if sent < len(content):
                self._out[0] = (content[sent:], None)
            else:
                self._out.popleft()
        self._loop.remove_writer(self._end.fileno())

    def _read(self) -> None:
        try:
            content, files, _, _ = socket.recv_fds(self._end, _READ_BYTES, _MOST_FILES)
        except BlockingIOError:
            return
        except OSError:
            content, files = b"", []
        self._files.extend(files)
        if not content:
            self._fail()
            return
        self._in += content
        while len(self._in) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._in)
            end = _LENGTH.size + length
            if len(self._in) < end:
                return
            message, has_file = pickle.loads(self._in[_LENGTH.size : end])  # noqa: S301  # see the module
            self._in = self._in[end:]
            self._receive(message, self._files.popleft() if has_file and self._files else None)

    def _fail(self) -> None:
        if self._end.fileno() < 0:
            return
        for _, file in self._out:
            if file is not None:
                os.close(file)
        self._out.clear()
        self.close()
        self._lost()
