"""The embedded engine over HTTP: DynamoDB and DynamoDB Streams for any AWS SDK, in JSON 1.0.

`python -m infra.embedded.serve --file tables.db`, then `AWS_ENDPOINT_URL_DYNAMODB` and
`AWS_ENDPOINT_URL_DYNAMODB_STREAMS` for clients. Signatures are not looked at: it is for one's own machine.
"""

import argparse
import base64
import contextlib
import json
import re
import sys
import time
import zlib
from collections.abc import Sequence
from datetime import datetime
from http import server
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from infra.embedded.engine import EmbeddedEngine

_TYPE = "application/x-amz-json-1.0"
_TARGET = re.compile(r"(?P<service>DynamoDB_20120810|DynamoDBStreams_20120810)\.(?P<operation>[A-Za-z]+)")
_SWEEP = 500  # items or records that are deleted in one go
_OPERATIONS = {
    "DynamoDB_20120810": (
        *("CreateTable", "DescribeTable", "DeleteTable", "ListTables", "UpdateTimeToLive", "DescribeTimeToLive"),
        *("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"),
        *("TransactWriteItems", "TransactGetItems"),
    ),
    "DynamoDBStreams_20120810": ("ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"),
}
_METHODS = {  # X-Amz-Target -> method of the engine
    f"{service}.{operation}": re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower()
    for service, operations in _OPERATIONS.items()
    for operation in operations
}


class EngineServer(server.ThreadingHTTPServer):
    """Serves one engine, a thread per connection."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, engine: EmbeddedEngine, address: tuple[str, int]) -> None:
        self.engine = engine
        super().__init__(address, _Handler)

    def service_actions(self) -> None:
        """Between requests: what time to live and the age of stream records take away."""
        while self.engine.expire(_SWEEP) == _SWEEP or self.engine.trim(_SWEEP) == _SWEEP:
            pass


class _Handler(server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True
    server: EngineServer

    def do_POST(self) -> None:  # the standard library's name
        """One call."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = call(self.server.engine, self.headers.get("X-Amz-Target", ""), body)
        self.send_response_only(status)
        self.send_header("Content-Type", _TYPE)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("x-amz-crc32", str(zlib.crc32(answer)))
        self.end_headers()
        self.wfile.write(answer)


def call(engine: EmbeddedEngine, target: str, body: bytes) -> tuple[int, bytes]:
    """Status and body that answer a call of an operation, X-Amz-Target's, with a body in JSON."""
    method = _METHODS.get(target)
    if method is None:
        return 400, _error("UnknownOperationException", f"There is no operation {target[:128]!r} here.")
    try:
        request = json.loads(body or b"{}", object_hook=_from_wire)
        answer = getattr(engine, method)(**request)
    except ClientError as error:
        response: dict[str, Any] = dict(error.response)
        found = response.pop("Error")
        status = response.pop("ResponseMetadata")["HTTPStatusCode"]
        return status, _error(found["Code"], found["Message"], response)
    except (ParamValidationError, ValueError, TypeError) as error:
        return 400, _error("SerializationException", str(error))
    answer.pop("ResponseMetadata", None)
    return 200, json.dumps(answer, default=_to_wire).encode()


def _error(code: str, message: str, fields: dict[str, Any] | None = None) -> bytes:
    namespace = "com.amazonaws.dynamodb.v20120810"
    found = {**(fields or {}), "__type": f"{namespace}#{code}", "message": message}
    return json.dumps(found, default=_to_wire).encode()


def _from_wire(read: dict[str, Any]) -> dict[str, Any]:
    """Binary attribute values are base64 in JSON; an attribute that is called B has a value in braces."""
    match read:
        case {"B": str(text)} if len(read) == 1:
            return {"B": base64.b64decode(text, validate=True)}
        case {"BS": list(texts)} if len(read) == 1 and all(isinstance(text, str) for text in texts):
            return {"BS": [base64.b64decode(text, validate=True) for text in texts]}
    return read


def _to_wire(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is nothing that DynamoDB answers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted; prints the URL when it does."""
    parser = argparse.ArgumentParser(prog="python -m infra.embedded.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--file", help="the SQLite file; without it everything is kept in memory")
    chosen = parser.parse_args(arguments)
    engine = EmbeddedEngine(chosen.file, now=lambda: time.time_ns() // 1_000_000)
    with EngineServer(engine, (chosen.host, chosen.port)) as serving:
        host, port = serving.socket.getsockname()[:2]
        sys.stdout.write(f"http://{host}:{port}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            serving.serve_forever()
    engine.close()


if __name__ == "__main__":
    main()
