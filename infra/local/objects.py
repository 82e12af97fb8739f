"""An object store for trying event rules: moto's S3, in process, whose objects raise the events that buckets on AWS do.

Any S3 client can use it, with any keys. Nothing need be set up at a bucket: each change of an object is handed to the
deployed function as S3 would hand it over, before the client has its answer. Objects are kept in memory only.
"""

import itertools
import logging
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib import parse

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import notifications
from werkzeug import serving

from chalicelib import telemetry
from chalicelib.api import workers

_PUT = "ObjectCreated:Put"


class ObjectStore:
    """A server of S3 on a listening socket."""

    def __init__(self, listener: socket.socket, tell: Callable[[dict[str, Any]], object] | None = None) -> None:
        """Serve; `tell` is handed what S3 would hand to the function, which is called here unless told otherwise."""
        self._tell = tell or (lambda event: workers.object_events(event, None))
        self._sequence = itertools.count(1)
        self._moto_s = notifications.send_event
        notifications.send_event = self._raise  # moto calls it for every change, whatever is set up at the bucket
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # nobody wants a line for each request
        host, port = listener.getsockname()[:2]
        self._server = serving.make_server(
            host,
            port,
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=listener.fileno(),
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="openmns-s3", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        notifications.send_event = self._moto_s

    def _raise(self, account_id: str, event_name: notifications.S3NotificationEvent, bucket: Any, key: Any) -> None:  # noqa: ARG002
        """As moto calls it."""
        name, etag = event_name.value.removeprefix("s3:"), key.etag.replace('"', "")
        if name == _PUT and "-" in etag:
            return  # moto puts together what was uploaded in parts; S3 tells of its completion only
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": bucket.region_name,
            "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "eventName": name,
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket.name, "arn": bucket.arn},
                "object": {
                    "key": parse.quote_plus(key.name),
                    "size": key.size,
                    "eTag": etag,
                    "sequencer": f"{next(self._sequence):016X}",
                },
            },
        }
        try:
            self._tell({"Records": [record]})
        except Exception:  # noqa: BLE001  # the object is stored; S3 would not take it back either
            telemetry.logger.exception("nobody could be told of an object")
