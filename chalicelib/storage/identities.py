"""Who is who, in the table `identities`: `key#access key id` is an access key, `certificate` the deployment's own.

Secrets are sealed by the vault. Items of older versions hold them in the open; they are read, and sealed when they are
written the next time.
"""

import functools

from chalicelib.broker import ports
from chalicelib.model import account, limits
from chalicelib.model import certificate as certificates
from chalicelib.storage import client, errors, items, schema

_CERTIFICATE = "certificate"


class Identities:
    """The port `Identities` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str, vault: ports.Vault) -> None:
        self._gate = gate
        self._table = prefix + schema.IDENTITIES.name
        self._vault = vault
        self._opened = functools.lru_cache(maxsize=limits.SECRETS_KEPT)(self._open)

    def key(self, access_key_id: str) -> account.AccessKey | None:
        item = self._get(f"key#{access_key_id}")
        if item is None:
            return None
        return account.AccessKey(
            access_key_id=access_key_id,
            secret=self._reveal(item, "secret", f"key/{access_key_id}"),
            account_id=item["account_id"]["S"],
            enabled=item["enabled"]["BOOL"],
            user=item["user"]["S"] if "user" in item else "",
            created_at=items.integer(item, "created_at") if "created_at" in item else 0,
        )

    def put_key(self, key: account.AccessKey) -> None:
        item = {
            "sealed": self._seal(key.secret, f"key/{key.access_key_id}"),
            "account_id": items.text(key.account_id),
            "enabled": {"BOOL": key.enabled},
            "created_at": items.number(key.created_at),
        }
        if key.user:
            item["user"] = items.text(key.user)
        self._put(f"key#{key.access_key_id}", item)

    def enable_key(self, access_key_id: str, *, enabled: bool) -> bool:
        try:
            self._gate.update_item(
                TableName=self._table,
                Key={"pk": items.text(f"key#{access_key_id}")},
                UpdateExpression="SET enabled = :enabled",
                ExpressionAttributeValues={":enabled": {"BOOL": enabled}},
                ConditionExpression="attribute_exists(pk)",
            )
        except errors.ConditionFailed:
            return False
        return True

    def delete_key(self, access_key_id: str) -> None:
        self._gate.delete_item(TableName=self._table, Key={"pk": items.text(f"key#{access_key_id}")})

    def certificate(self) -> certificates.Certificate | None:
        item = self._get(_CERTIFICATE)
        if item is None:
            return None
        return certificates.Certificate(
            key_pem=self._reveal(item, "key", _CERTIFICATE), certificate_pem=item["certificate"]["S"]
        )

    def put_certificate(self, new: certificates.Certificate) -> None:
        item = {"sealed": self._seal(new.key_pem, _CERTIFICATE), "certificate": items.text(new.certificate_pem)}
        self._put(_CERTIFICATE, item)

    def _get(self, key: str) -> client.Item | None:
        answer = self._gate.get_item(TableName=self._table, Key={"pk": items.text(key)}, ConsistentRead=True)
        return answer.get("Item")

    def _put(self, key: str, item: client.Item) -> None:
        self._gate.put_item(TableName=self._table, Item={"pk": items.text(key)} | item)

    def _seal(self, secret: str, context: str) -> dict[str, bytes]:
        return {"B": self._vault.seal(secret.encode(), context=context)}

    def _reveal(self, item: client.Item, plain: str, context: str) -> str:
        """The secret of an item: sealed, or in the attribute in which older versions kept it."""
        if "sealed" not in item:
            return str(item[plain]["S"])
        return self._opened(item["sealed"]["B"], context)

    def _open(self, sealed: bytes, context: str) -> str:
        return self._vault.open(sealed, context=context).decode()
