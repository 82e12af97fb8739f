"""Actions on the account itself."""

from chalicelib.model import account
from chalicelib.rpc.calls import Call, Fields


def get_attributes(call: Call) -> Fields:
    """GetAccountAttributes."""
    found = call.verbs.accounts.attributes(call.namespace)
    return {
        "Data": {
            "LogEnabled": found.log_enabled,
            "ProjectName": found.log_project,
            "LogStoreName": found.log_store,
            "MessageTraceEnabled": bool(found.trace_enabled),
        }
    }


def set_attributes(call: Call) -> Fields:
    """SetAccountAttributes."""
    given = call.parameters
    trace = given.boolean("MessageTraceEnabled")
    change = account.AccountChange(
        log_enabled=given.boolean("LogEnabled"),
        log_project=given.text("ProjectName"),
        log_store=given.text("LogStoreName"),
        trace_enabled=None if trace is None else int(trace),
    )
    call.verbs.accounts.set_attributes(call.namespace, change)
    return {}
