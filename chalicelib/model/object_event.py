"""What happened to an object of an object store, by OSS's names (D "Configure event notification rules").

The store is S3, which has other names and no word for some of OSS's events; `wire.object_events` reads them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import astuple

from chalicelib.model import account
from chalicelib.model.frozen import frozen

# The events of each kind; those that S3 can tell of are in `wire.object_events`.
_EVENTS = {
    "ObjectCreated": (
        "PutObject",
        "PostObject",
        "CopyObject",
        "AppendObject",
        "InitiateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
        "PutSymlink",
    ),
    "ObjectDownloaded": ("GetObject",),
    "ObjectModified": ("UpdateObjectMeta", "ChangeStorageClass"),
    "ObjectRemoved": ("DeleteObject", "DeleteObjects", "AbortMultipartUpload"),
    "ObjectReplication": ("ObjectCreated", "ObjectModified", "ObjectRemoved"),
    "ObjectRestore": ("FinishRestore",),
}
NAMES = frozenset(f"{kind}:{name}" for kind, names in _EVENTS.items() for name in names)
KINDS = frozenset(f"{kind}:*" for kind in _EVENTS)  # all events of a kind

PRODUCT = "oss"
ANY_BUCKET = "*"


@frozen
class ObjectEvent:
    """One event of one object."""

    name: str  # one of `NAMES`
    happened_at: int  # ms
    bucket: str
    key: str  # decoded
    size: int | None  # bytes; None: not known, as after a removal
    etag: str  # upper-case hex, empty: not known
    sequencer: str = ""  # tells the events of one key apart, and their order
    request_id: str = ""
    source_ip: str = ""
    principal_id: str = ""  # who made the request

    def arn(self, owner: account.Namespace) -> str:
        """The bucket's resource name, its owner known."""
        return f"acs:oss:{owner.region}:{owner.account_id}:{self.bucket}"

    def derived(self, purpose: str) -> tuple[str, str]:
        """The id and the stamp of the message that it becomes, for a `purpose` such as a rule's name.

        They are the same each time the event comes, so that a replay finds what is there; the id keeps its place in
        time.
        """
        digest = hashlib.sha256("\0".join([*map(str, astuple(self)), purpose]).encode()).hexdigest()
        return f"{self.happened_at:012X}{digest[:20].upper()}", digest[20:32]


def read_owners(text: str, region: str) -> Mapping[str, account.Namespace]:
    """Whose buckets in a region are, from `bucket=account id`, commas between; the bucket `*` stands for all others.

    Raises:
        ValueError: the text has another form.
    """
    owners: dict[str, account.Namespace] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        bucket, _, account_id = (part.strip() for part in entry.partition("="))
        if not bucket or not account.is_account_id(account_id):
            raise ValueError(f"{entry!r} should be of the form bucket=account id")
        owners[bucket] = account.Namespace(account_id=account_id, region=region)
    return owners
