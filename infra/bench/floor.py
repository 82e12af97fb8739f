"""The floor: the HTTP server of `mns serve` itself, in front of a door that answers constants.

`infra.local` runs as it is, in one process: connections, bodies, parking lot, requests in hand taken together. Only
the door is another one, and no transaction is opened: no signature is checked, no XML is read, nothing is kept. So it
is the rate that no change behind the door can exceed.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any, cast

from chalicelib.wire import http
from infra.bench import dialects
from infra.local import config, runners, runtime, server

_XML = {"Content-Type": http.XML, "x-mns-request-id": "0" * 24, "x-mns-version": "2015-06-06"}
_BATCH = 16
_MD5 = "0" * 32
_IDENTITY = f"<MessageId>{_MD5}</MessageId><MessageBodyMD5>{_MD5}</MessageBodyMD5>"
_TIMES = "".join(f"<{name}>1700000000000</{name}>" for name in ("EnqueueTime", "FirstDequeueTime", "NextVisibleTime"))
_RECEIVED = (
    f"{_IDENTITY}<ReceiptHandle>{'A' * 40}</ReceiptHandle><MessageBody>{dialects.BODY}</MessageBody>{_TIMES}"
    "<DequeueCount>1</DequeueCount><Priority>8</Priority>"
)


def _document(fields: str, count: int) -> bytes:
    namespace = 'xmlns="http://mns.aliyuncs.com/doc/v1"'
    if count == 1:
        return f'<?xml version="1.0" encoding="utf-8"?><Message {namespace}>{fields}</Message>'.encode()
    messages = f"<Message>{fields}</Message>" * count
    return f'<?xml version="1.0" encoding="utf-8"?><Messages {namespace}>{messages}</Messages>'.encode()


def _xml(status: int, body: bytes) -> http.Response:
    return http.Response(status=status, headers=_XML, body=body)


_SENT, _SENT_BATCH = _xml(201, _document(_IDENTITY, 1)), _xml(201, _document(_IDENTITY, _BATCH))
_FOUND, _FOUND_BATCH = _xml(200, _document(_RECEIVED, 1)), _xml(200, _document(_RECEIVED, _BATCH))
_CREATED = http.Response(status=201, headers=_XML | {"Location": "http://127.0.0.1/queues/floor"}, body=b"")
_GONE = http.Response(status=204, headers=_XML, body=b"")


class ConstantDoor:
    """Answers what a queue would, had it been asked."""

    def admit(self, request: http.Request) -> Callable[[], http.Response]:
        """What answers with the constant for the request's kind."""
        return functools.partial(self._answer, request)

    def _answer(self, request: http.Request) -> http.Response:
        if request.method == "GET":
            return _FOUND_BATCH if "numOfMessages" in request.query else _FOUND
        if request.method == "POST":
            return _SENT_BATCH if request.body.startswith(b"<Messages>") else _SENT
        return _GONE if request.method == "DELETE" else _CREATED

    def refuse(self, request: http.Request, error: Exception) -> http.Response:  # noqa: ARG002  # the door's signature
        """Never needed here."""
        return _GONE


def main(port: int) -> None:
    """Serve constants on loopback until told to stop."""
    told = config.load({"memory": True})
    runner = runners.OnLoop()
    with server.listen("127.0.0.1", port) as listener:
        running = runtime.start(told, run=runner)
        constant = dataclasses.replace(running.application, door=cast("Any", ConstantDoor()))
        try:
            changed = dataclasses.replace(running, application=constant, together=lambda work: work())
            server.serve(changed, told, listener, runner)
        finally:
            running.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
