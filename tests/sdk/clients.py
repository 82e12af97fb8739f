"""The official clients behind one face, so that one suite of operations runs through each of them.

An adapter adds nothing: it hands values over as the client's users do and hands back what the client understood of the
answer, in wire terms.
"""

import base64
import itertools
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any
from xml.sax import saxutils

from tests.live import Key

_ANSWER_SECONDS = 30

Properties = Mapping[str, tuple[str, str]]  # name -> (type, value as on the wire)


class RefusedError(Exception):
    """The server refused, and the client told so."""

    def __init__(self, code: str, message: str = "", entries: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.entries = list(entries)  # of a batch that failed in parts


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message to send; None: not said."""

    body: str
    delay: int | None = None
    priority: int | None = None
    group_id: str | None = None
    user_properties: Properties = field(default_factory=dict)
    system_properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sent:
    message_id: str
    body_md5: str
    receipt_handle: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as received or peeked; None: the client had no such field."""

    message_id: str
    body: str
    body_md5: str
    priority: int
    dequeue_count: int
    enqueue_time: int
    first_dequeue_time: int
    next_visible_time: int | None = None
    receipt_handle: str | None = None
    group_id: str | None = None
    user_properties: Properties = field(default_factory=dict)
    system_properties: Properties = field(default_factory=dict)


class PythonClient:
    """PyPI `aliyun-mns-sdk`; it encodes bodies in base64 unless told otherwise."""

    def __init__(self, endpoint: str, key: Key, *, encoding: bool = True) -> None:
        from mns import account  # noqa: PLC0415  # a client that is not installed is skipped, not an error

        self._account = account.Account(endpoint, key.access_key_id, key.secret)
        self._account.get_client().set_connection_timeout(_ANSWER_SECONDS)
        self._encoding = encoding

    def close(self) -> None:
        self._account.get_client().close_connection()

    def on_wire(self, body: str) -> str:
        """The text that a body is sent as."""
        return base64.b64encode(body.encode()).decode() if self._encoding else body

    def create_queue(self, name: str, **attributes: int | bool) -> tuple[int, str]:
        """Status and location."""
        from mns import mns_request  # noqa: PLC0415

        request = mns_request.CreateQueueRequest(name, **_python_attributes(attributes))
        response = mns_request.CreateQueueResponse()
        _python_call(self._account.get_client().create_queue, request, response)
        return response.status, response.queue_url

    def set_attributes(self, name: str, **attributes: int | bool) -> None:
        from mns import queue  # noqa: PLC0415

        meta = queue.QueueMeta()
        for field_name, value in _python_attributes(attributes).items():
            setattr(meta, field_name, value)
        _python_call(self._queue(name).set_attributes, meta)

    def get_attributes(self, name: str) -> dict[str, int | bool | str]:
        meta = _python_call(self._queue(name).get_attributes)
        return {wire: getattr(meta, field_name) for wire, field_name in _PYTHON_ATTRIBUTES.items()}

    def delete_queue(self, name: str) -> None:
        _python_call(self._queue(name).delete)

    def list_queues(
        self, prefix: str, *, limit: int | None = None, marker: str | None = None
    ) -> tuple[list[str], str | None]:
        """URLs and the marker of the next page, None on the last."""
        urls, next_marker = _python_call(self._account.list_queue, prefix, -1 if limit is None else limit, marker or "")
        return urls, next_marker or None

    def list_queues_with_meta(self, prefix: str) -> list[dict[str, str]]:
        from mns import mns_request  # noqa: PLC0415

        request = mns_request.ListQueueRequest(prefix, with_meta=True)
        response = mns_request.ListQueueResponse()
        _python_call(self._account.get_client().list_queue, request, response)
        return list(response.queuemeta_list)

    def send(self, name: str, draft: Draft) -> Sent:
        sent = _python_call(self._queue(name).send_message, self._message(draft))
        return Sent(
            message_id=sent.message_id, body_md5=sent.message_body_md5, receipt_handle=sent.receipt_handle or None
        )

    def send_batch(self, name: str, drafts: Sequence[Draft]) -> list[Sent]:
        sent = _python_call(self._queue(name).batch_send_message, [self._message(draft) for draft in drafts])
        return [Sent(message_id=item.message_id, body_md5=item.message_body_md5) for item in sent]

    def receive(self, name: str, wait: int | None = None) -> Delivery:
        return _python_delivery(
            _python_call(self._queue(name).receive_message, -1 if wait is None else wait), self._encoding
        )

    def receive_batch(self, name: str, count: int, wait: int | None = None) -> list[Delivery]:
        got = _python_call(self._queue(name).batch_receive_message, count, -1 if wait is None else wait)
        return [_python_delivery(item, self._encoding) for item in got]

    def peek(self, name: str) -> Delivery:
        return _python_delivery(_python_call(self._queue(name).peek_message), self._encoding)

    def peek_batch(self, name: str, count: int) -> list[Delivery]:
        got = _python_call(self._queue(name).batch_peek_message, count)
        return [_python_delivery(item, self._encoding) for item in got]

    def delete(self, name: str, handle: str) -> None:
        _python_call(self._queue(name).delete_message, handle)

    def delete_batch(self, name: str, handles: Sequence[str]) -> None:
        _python_call(self._queue(name).batch_delete_message, list(handles))

    def change_visibility(self, name: str, handle: str, seconds: int) -> tuple[str, int]:
        """The new handle and the next visible time (ms)."""
        changed = _python_call(self._queue(name).change_message_visibility, handle, seconds)
        return changed.receipt_handle, int(changed.next_visible_time)  # it leaves the time a text

    def get_logging_bucket(self) -> str:
        return str(_python_call(self._account.get_attributes).logging_bucket)

    def set_logging_bucket(self, bucket: str) -> None:
        from mns import account  # noqa: PLC0415

        _python_call(self._account.set_attributes, account.AccountMeta(bucket))

    def open_service(self) -> str:
        """The number of the order."""
        return str(_python_call(self._account.open_service).oder_id)

    def _queue(self, name: str) -> Any:
        queue = self._account.get_queue(name)
        queue.set_encoding(self._encoding)
        return queue

    def _message(self, draft: Draft) -> Any:
        from mns import message_property as properties  # noqa: PLC0415
        from mns import queue  # noqa: PLC0415

        message = queue.Message(draft.body, draft.delay, draft.priority, draft.group_id or "")
        for name, (kind, value) in draft.user_properties.items():
            given = base64.b64decode(value) if kind == "BINARY" else value
            message.add_user_property(name, properties.MessagePropertyValue(kind, given))
        for name, (kind, value) in draft.system_properties.items():
            message.add_system_property(name, properties.MessageSystemPropertyValue(kind, value))
        return message


_PYTHON_ATTRIBUTES = {
    "QueueName": "queue_name",
    "DelaySeconds": "delay_seconds",
    "MaximumMessageSize": "maximum_message_size",
    "MessageRetentionPeriod": "message_retention_period",
    "VisibilityTimeout": "visibility_timeout",
    "PollingWaitSeconds": "polling_wait_seconds",
    "LoggingEnabled": "logging_enabled",
    "ActiveMessages": "active_messages",
    "InactiveMessages": "inactive_messages",
    "DelayMessages": "delay_messages",
    "CreateTime": "create_time",
    "LastModifyTime": "last_modify_time",
}


def _python_attributes(attributes: Mapping[str, int | bool]) -> dict[str, Any]:
    return {_PYTHON_ATTRIBUTES[name]: value for name, value in attributes.items()}


def _python_call(function: Any, *arguments: Any) -> Any:
    from mns import mns_exception  # noqa: PLC0415

    try:
        return function(*arguments)
    except mns_exception.MNSServerException as error:
        raise RefusedError(error.type, error.message, error.sub_errors or ()) from error


def _python_delivery(got: Any, encoding: bool) -> Delivery:  # noqa: FBT001  # a fact of the client, not a switch
    is_received = bool(getattr(got, "receipt_handle", ""))
    return Delivery(
        message_id=got.message_id,
        body=got.message_body.decode() if encoding else got.message_body,
        body_md5=got.message_body_md5,
        priority=got.priority,
        dequeue_count=got.dequeue_count,
        enqueue_time=got.enqueue_time,
        first_dequeue_time=got.first_dequeue_time,
        next_visible_time=got.next_visible_time if is_received else None,
        receipt_handle=got.receipt_handle if is_received else None,
        group_id=getattr(got, "message_group_id", "") or None,
        user_properties={name: _python_property(value) for name, value in got.user_properties.items()},
        system_properties={name: _python_property(value) for name, value in got.system_properties.items()},
    )


def _python_property(value: Any) -> tuple[str, str]:
    given = value.get_raw_value()
    return value.get_data_type(), base64.b64encode(given).decode() if isinstance(given, bytes) else given


class NodeProcess:
    """The process that runs the Node client; commands may run side by side."""

    def __init__(self, command: Sequence[str], folder: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own script
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._waiting: dict[int, futures.Future[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, options: Mapping[str, str], method: str, *arguments: object) -> Any:
        """What the client's method resolves to; RefusedError if it rejects with an MNS error."""
        answer: futures.Future[dict[str, Any]] = futures.Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = answer
            command = {"id": number, "options": options, "method": method, "arguments": arguments}
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        outcome = answer.result(_ANSWER_SECONDS)
        if "error" not in outcome:
            return outcome["result"]
        name, message = outcome["error"]["name"], outcome["error"]["message"]
        if name.startswith("MNS") and name.endswith("Error"):
            raise RefusedError(name.removeprefix("MNS").removesuffix("Error"), message)
        raise AssertionError(f"the Node client failed: {name}: {message}")

    def close(self) -> int:
        """The exit status."""
        self._process.stdin.close()
        status = self._process.wait(_ANSWER_SECONDS)
        self._reader.join(_ANSWER_SECONDS)
        self._process.stdout.close()
        return status

    def _read(self) -> None:
        for line in self._process.stdout:
            outcome = json.loads(line)
            self._waiting.pop(outcome["id"]).set_result(outcome)


class NodeClient:
    """npm `@alicloud/mns`; it sends bodies as they are and leaves the escaping of XML to its users."""

    def __init__(self, process: NodeProcess, endpoint: str, key: Key) -> None:
        self._process = process
        self._options = {
            "accountId": key.account_id,
            "endpoint": endpoint,
            "accessKeyId": key.access_key_id,
            "accessKeySecret": key.secret,
        }

    def close(self) -> None:
        """Nothing to let go of; the process is the session's."""

    def on_wire(self, body: str) -> str:
        """The text that a body is sent as."""
        return body

    def create_queue(self, name: str, **attributes: int | bool) -> tuple[int, str]:
        """Status and location."""
        answer = self._call("createQueue", name, attributes)
        return answer["code"], answer["headers"]["location"]

    def set_attributes(self, name: str, **attributes: int | bool) -> None:
        self._call("setQueueAttributes", name, attributes)

    def get_attributes(self, name: str) -> dict[str, int | bool | str]:
        found = self._call("getQueueAttributes", name)["body"]
        return {item: _node_value(item, value) for item, value in found.items()}

    def delete_queue(self, name: str) -> None:
        self._call("deleteQueue", name)

    def list_queues(
        self, prefix: str, *, limit: int | None = None, marker: str | None = None
    ) -> tuple[list[str], str | None]:
        """URLs and the marker of the next page, which only its generic `get` shows."""
        number = 1000 if limit is None else limit
        listed = self._call("listQueue", marker or "", number, prefix).get("body", [])  # undefined if there are none
        headers = {"x-mns-prefix": prefix, "x-mns-ret-number": number, "x-mns-marker": marker or ""}
        page = self._call("get", "/queues", "Queues", {"headers": headers})["body"]
        return [item["QueueURL"] for item in listed], page.get("NextMarker")

    def send(self, name: str, draft: Draft) -> Sent:
        return _node_sent(self._call("sendMessage", name, _node_message(draft))["body"])

    def send_batch(self, name: str, drafts: Sequence[Draft]) -> list[Sent]:
        answer = self._call("batchSendMessage", name, [_node_message(draft) for draft in drafts])
        _node_check_entries(answer, 201)
        return [_node_sent(item) for item in answer["body"]]

    def receive(self, name: str, wait: int | None = None) -> Delivery:
        return _node_delivery(self._call("receiveMessage", name, wait)["body"])

    def receive_batch(self, name: str, count: int, wait: int | None = None) -> list[Delivery]:
        return [_node_delivery(item) for item in self._call("batchReceiveMessage", name, count, wait)["body"]]

    def peek(self, name: str) -> Delivery:
        return _node_delivery(self._call("peekMessage", name)["body"])

    def peek_batch(self, name: str, count: int) -> list[Delivery]:
        return [_node_delivery(item) for item in self._call("batchPeekMessage", name, count)["body"]]

    def delete(self, name: str, handle: str) -> None:
        self._call("deleteMessage", name, handle)

    def delete_batch(self, name: str, handles: Sequence[str]) -> None:
        _node_check_entries(self._call("batchDeleteMessage", name, list(handles)), 204)

    def change_visibility(self, name: str, handle: str, seconds: int) -> tuple[str, int]:
        """The new handle and the next visible time (ms)."""
        changed = self._call("changeMessageVisibility", name, handle, seconds)["body"]
        return changed["ReceiptHandle"], int(changed["NextVisibleTime"])

    def get_logging_bucket(self) -> str:
        return str(self._call("get", "/?accountmeta=true", "Account")["body"]["LoggingBucket"])

    def set_logging_bucket(self, bucket: str) -> None:
        body = f"<Account><LoggingBucket>{bucket}</LoggingBucket></Account>"
        answer = self._call("put", "/?accountmeta=true", "Account", body)
        assert answer["code"] == 204

    def open_service(self) -> str:
        """The number of the order."""
        return str(self._call("post", "/commonbuy/openservice", "OpenService", "")["body"]["OrderId"])

    def _call(self, method: str, *arguments: object) -> Any:
        return self._process.call(self._options, method, *arguments)


def _node_message(draft: Draft) -> dict[str, object]:
    message: dict[str, object] = {
        "MessageBody": saxutils.escape(draft.body, {"\r": "&#13;"}),
        "DelaySeconds": draft.delay,
        "Priority": draft.priority,
        "MessageGroupId": draft.group_id,
        "UserProperties": _node_properties("PropertyValue", draft.user_properties),
        "SystemProperties": _node_properties("SystemPropertyValue", draft.system_properties),
    }
    return {name: value for name, value in message.items() if value not in (None, "")}


def _node_properties(entry: str, properties: Properties) -> str:
    return "".join(
        f"<{entry}><Name>{name}</Name><Value>{saxutils.escape(value)}</Value><Type>{kind}</Type></{entry}>"
        for name, (kind, value) in properties.items()
    )


def _node_value(name: str, value: str) -> int | bool | str:
    if name == "LoggingEnabled":
        return {"True": True, "False": False}[value]
    return value if name == "QueueName" else int(value)


def _node_sent(item: Mapping[str, str]) -> Sent:
    return Sent(message_id=item["MessageId"], body_md5=item["MessageBodyMD5"], receipt_handle=item.get("ReceiptHandle"))


def _node_check_entries(answer: Mapping[str, Any], success: int) -> None:
    """The client leaves it to its users to look at the status of a batch."""
    if answer["code"] != success:
        entries = answer["body"]
        failure = next(entry for entry in entries if "ErrorCode" in entry)
        raise RefusedError(failure["ErrorCode"], failure["ErrorMessage"], entries)


def _node_delivery(got: Mapping[str, Any]) -> Delivery:
    return Delivery(
        message_id=got["MessageId"],
        body=got["MessageBody"],
        body_md5=got["MessageBodyMD5"],
        priority=int(got["Priority"]),
        dequeue_count=int(got["DequeueCount"]),
        enqueue_time=int(got["EnqueueTime"]),
        first_dequeue_time=int(got["FirstDequeueTime"]),
        next_visible_time=int(got["NextVisibleTime"]) if "NextVisibleTime" in got else None,
        receipt_handle=got.get("ReceiptHandle"),
        group_id=got.get("MessageGroupId"),
        user_properties=_node_read_properties(got, "UserProperties", "PropertyValue"),
        system_properties=_node_read_properties(got, "SystemProperties", "SystemPropertyValue"),
    )


def _node_read_properties(got: Mapping[str, Any], wrapper: str, entry: str) -> Properties:
    if wrapper not in got:
        return {}
    return {item["Name"]: (item["Type"], item["Value"]) for item in got[wrapper][0][entry]}


Client = PythonClient | NodeClient
