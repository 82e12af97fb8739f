"""Encryption of what queues and topics hold, and the data keys it is done by, in the table `resources`.

A queue or topic has a data key for each key that has encrypted it: `keys#queue id` · `K#key id`, where the empty key id
is the deployment's own. The vault seals it; a process opens it once. From the data key each message has a key of its
own, so that no number of messages wears it out; what is encrypted is bound to its queue and message, and says by which
key it was, so that it stays readable whatever the queue does next.
"""

import functools
import hmac
import importlib.util
import json
from collections.abc import Callable
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import errors as model_errors
from chalicelib.model import limits, resource
from chalicelib.storage import client, errors, items, schema, vault

_UNUSABLE = frozenset(  # KMS's codes for a key that is not there, or not for us
    {
        "AccessDeniedException",
        "DisabledException",
        "InvalidArnException",
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "NotFoundException",
        "ValidationException",
    }
)


class Sealing:
    """The port `Sealing` on DynamoDB and a vault."""

    def __init__(
        self,
        *,
        gate: errors.Gate,
        prefix: str,
        vault: ports.Vault,
        draw: Callable[[int], bytes],
    ) -> None:
        """Set up.

        Args:
            gate: the engine.
            prefix: of the tables' names.
            vault: seals the data keys.
            draw: gives random bytes.
        """
        self._gate = gate
        self._table = prefix + schema.RESOURCES.name
        self._vault = vault
        self._draw = draw
        self._data_key = functools.lru_cache(maxsize=limits.DATA_KEYS_KEPT)(self._load)

    def prepare(self, of: str, by: resource.Encryption) -> None:
        if not by.enabled:
            return
        if importlib.util.find_spec("cryptography") is None:
            raise model_errors.InvalidArgument(
                "EnableSSE needs the Python package cryptography, which this deployment does not have; it can be added"
                " as a layer."
            )
        try:
            self._data_key(of, by.key_id)
        except model_errors.InternalError as error:
            code = errors.code_behind(error)
            if by.key_id and code in _UNUSABLE:
                raise model_errors.InvalidArgument(f"The key KmsKeyId {by.key_id} cannot be used: {code}.") from error
            raise

    def seal(self, payload: client.Item, *, of: str, message_id: str, by: str) -> client.Item:
        """The attributes that stand for `payload`, encrypted.

        Args:
            payload: the attributes, all of them texts.
            of: the id of the queue or topic.
            message_id: of the message that has the payload.
            by: the id of the key; empty: the deployment's own.
        """
        plain = json.dumps({name: value["S"] for name, value in payload.items()}, ensure_ascii=False).encode()
        sealed = self._box(of, by, message_id).seal(plain, _context(of, message_id))
        return {"sealed": {"B": sealed}, "sealed_by": items.text(by)}

    def open(self, payload: client.Item, *, of: str, message_id: str) -> client.Item:
        """The attributes that were sealed; `payload` itself if it is not."""
        if not is_sealed(payload):
            return payload
        sealed, by = items.binary(payload, "sealed"), payload["sealed_by"]["S"]
        try:
            plain = self._box(of, by, message_id).open(sealed, _context(of, message_id))
        except ports.SealBroken as error:
            raise model_errors.InternalError(f"The message {message_id} cannot be decrypted.") from error
        return {name: items.text(value) for name, value in json.loads(plain).items()}

    def delete(self, of: str) -> None:
        page = self._gate.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": items.text(_partition(of))},
        )
        for item in page["Items"]:
            self._gate.delete_item(TableName=self._table, Key={"pk": item["pk"], "sk": item["sk"]})

    def forget(self) -> None:
        """Take no key for stored that an engine may have lost."""
        self._data_key.cache_clear()

    def _box(self, of: str, by: str, message_id: str) -> vault.Box:
        return vault.Box(hmac.digest(self._data_key(of, by), message_id.encode(), "sha256"), self._draw)

    def _load(self, of: str, by: str) -> bytes:
        """The data key of a queue or topic; made, if there is none. Of several that make it, all get the first one."""
        key: dict[str, Any] = {"pk": items.text(_partition(of)), "sk": items.text(f"K#{by}")}
        context = f"messages/{of}/{by}"
        found = self._stored(key)
        if found is None:
            made = self._draw(limits.DATA_KEY_BYTES)
            sealed = self._vault.seal(made, context=context, key_id=by)
            try:
                self._gate.put_item(
                    TableName=self._table,
                    Item=key | {"data_key": {"B": sealed}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except errors.ConditionFailed:
                found = self._stored(key)
            else:
                return made
        if found is None:
            raise model_errors.InternalError("A data key was deleted while it was looked for.")
        try:
            return self._vault.open(items.binary(found, "data_key"), context=context)
        except ports.SealBroken as error:
            raise model_errors.InternalError("A data key cannot be opened by this deployment's key.") from error

    def _stored(self, key: client.Item) -> client.Item | None:
        answer = self._gate.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")


def is_sealed(payload: client.Item) -> bool:
    """Whether a payload is encrypted."""
    return "sealed" in payload


def key_of(payload: client.Item) -> str | None:
    """The id of the key that a payload is encrypted by; None: it is not."""
    return payload["sealed_by"]["S"] if is_sealed(payload) else None


def _partition(of: str) -> str:
    return f"keys#{of}"


def _context(of: str, message_id: str) -> str:
    return f"{of}/{message_id}"
