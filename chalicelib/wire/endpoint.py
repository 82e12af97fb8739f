"""Which account and region a request addresses: `{account}.mns.{region}.{domain}`, or a bare host."""

import re

from chalicelib.model import account

_HOST = re.compile(
    r"(?P<account>[0-9]+)\.mns(?:-[a-z0-9]+)*\.(?P<region>[a-z0-9-]+?)(?:-(?:internal|control|vpc))*(?:[.:].*)?"
)
_NO_REGION = "localhost"  # in {account}.mns.localhost, a handy name on one's own machine


def read_host(host: str) -> tuple[str | None, str | None]:
    """The account id and the region that a Host header names, None for what it does not name."""
    found = _HOST.fullmatch(host.lower())
    if found is None or not account.is_account_id(found["account"]):
        return None, None
    return found["account"], None if found["region"] == _NO_REGION else found["region"]
