"""Which account and region a request addresses: `{account}.mns.{region}.{domain}`, or a bare host."""

import functools
import re

from chalicelib.model import account, endpoint

_HOST = re.compile(r"(?P<account>[0-9]+)\.mns(?:-[a-z0-9]+)*\.(?P<region>[a-z0-9-]+)(?:[.:].*)?")
_NETWORKS = ("-internal", "-control", "-vpc")  # what may follow the region in its label
_LONGEST = 255  # of a host name
_KEPT = 256  # hosts remembered: clients use few, and each sends it with every request


def read_host(host: str) -> tuple[str | None, str | None]:
    """The account id and the region that a Host header names, None for what it does not name."""
    return _read(host) if len(host) <= _LONGEST else (None, None)


@functools.lru_cache(maxsize=_KEPT)
def _read(host: str) -> tuple[str | None, str | None]:
    found = _HOST.fullmatch(host.lower())
    if found is None or not account.is_account_id(found["account"]):
        return None, None
    region = found["region"]
    while region.endswith(_NETWORKS):
        region = region.rpartition("-")[0]
    return found["account"], None if region == endpoint.NO_REGION else region
