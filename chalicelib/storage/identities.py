"""Who is who, in the table `identities`: `key#access key id` is an access key, `certificate` the deployment's own."""

from chalicelib.model import account
from chalicelib.model import certificate as certificates
from chalicelib.storage import errors, items, schema

_CERTIFICATE = "certificate"


class Identities:
    """The port `Identities` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.IDENTITIES.name

    def key(self, access_key_id: str) -> account.AccessKey | None:
        item = self._gate.get_item(
            TableName=self._table, Key={"pk": items.text(f"key#{access_key_id}")}, ConsistentRead=True
        ).get("Item")
        if item is None:
            return None
        return account.AccessKey(
            access_key_id=access_key_id,
            secret=item["secret"]["S"],
            account_id=item["account_id"]["S"],
            enabled=item["enabled"]["BOOL"],
        )

    def put_key(self, key: account.AccessKey) -> None:
        self._gate.put_item(
            TableName=self._table,
            Item={
                "pk": items.text(f"key#{key.access_key_id}"),
                "secret": items.text(key.secret),
                "account_id": items.text(key.account_id),
                "enabled": {"BOOL": key.enabled},
            },
        )

    def certificate(self) -> certificates.Certificate | None:
        item = self._gate.get_item(
            TableName=self._table, Key={"pk": items.text(_CERTIFICATE)}, ConsistentRead=True
        ).get("Item")
        if item is None:
            return None
        return certificates.Certificate(key_pem=item["key"]["S"], certificate_pem=item["certificate"]["S"])

    def put_certificate(self, new: certificates.Certificate) -> None:
        item = {"key": items.text(new.key_pem), "certificate": items.text(new.certificate_pem)}
        self._gate.put_item(TableName=self._table, Item={"pk": items.text(_CERTIFICATE)} | item)
