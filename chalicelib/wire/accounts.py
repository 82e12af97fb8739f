"""Accounts on the wire."""

from chalicelib.model import account
from chalicelib.wire import http, xml


def parse_account(body: bytes) -> account.AccountChange:
    """The attributes that an `<Account>` names."""
    root = xml.read_root(body, "Account")
    bucket = root.string("LoggingBucket")
    return account.AccountChange(
        log_enabled=None if bucket is None else bool(bucket),
        log_project=bucket,
        trace_enabled=root.integer("TraceEnabled"),
    )


def render_account(attributes: account.AccountAttributes) -> http.Response:
    """The answer of GetAccountAttributes; LoggingBucket is always there, the Python SDK insists on it."""
    nodes: list[xml.Node] = [
        ("LoggingBucket", attributes.logging_bucket),
        ("TraceEnabled", attributes.trace_enabled),
    ]
    return http.Response(status=200, body=xml.write("Account", nodes))


def render_order(order_id: str) -> http.Response:
    """The answer of OpenService."""
    return http.Response(status=200, body=xml.write("OpenService", [("OrderId", order_id)]))
