"""What an action is given, and how actions are listed.

A product is a module with a table of actions; `table.py` lists the products. Adding an action: a function of a `Call`
that returns the answer's fields, and its row in the product's table. Adding a product: its module, its line in
`table.py`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from chalicelib.broker.verbs import Verbs
from chalicelib.model import account, policy
from chalicelib.model.frozen import frozen
from chalicelib.rpc import parameters
from chalicelib.wire import conditions, http

_PRODUCT_HOST = re.compile(r"//mns-open(-vpc|-internal)?\.")

Fields = Mapping[str, Any]  # of an answer, besides RequestId


@frozen
class Call:
    """One call of an action, its caller known."""

    parameters: parameters.Parameters
    caller: account.Caller
    namespace: account.Namespace
    verbs: Verbs
    request: http.Request

    @property
    def data_url(self) -> str:
        """What URLs of queues and topics begin with: the host of the call, or the account's beside it."""
        return _PRODUCT_HOST.sub(f"//{self.namespace.account_id}.mns.", self.request.host_url)


@frozen
class Action:
    """A row of a product's table: what is called by which name, and what a policy must allow for it."""

    name: str
    run: Callable[[Call], Fields]
    # What follows region and account in policies, with {Parameters}, such as /queues/{QueueName}; several with blanks
    # between them, on each of which it has to be allowed.
    resource: str = "*"
    is_open: bool = False  # whether anybody with a key may call it, whatever policies say

    def resources_of(self, call: Call) -> Sequence[str]:
        """The resources that a call is about; a parameter that is not given leaves nothing, a user the caller."""

        def given(found: re.Match[str]) -> str:
            return call.parameters.text(found[1]) or (call.caller.user if found[1] == "UserName" else "")

        return [re.sub(r"\{(\w+)\}", given, resource) for resource in self.resource.split()]


@frozen
class Product:
    """An API: its actions, and how it wraps their answers."""

    code: str  # as in the name of its host
    service: str  # before the colon in policies: mns:CreateQueue
    version: str
    actions: tuple[Action, ...]
    remembers: bool = False  # whether answers are kept by ClientToken; not where they hold secrets
    wrap: Callable[[Fields], Fields] = field(default=lambda fields: fields)
    prefix: str = "acs:{service}:{region}:{account}:"  # of the resources of its actions
    # Of the condition keys that are its own.
    values: Callable[[Action, Call, str], Sequence[str]] = lambda _action, _call, _key: ()

    def asked(self, action: Action, call: Call, resource: str, now: int) -> policy.Asked:
        """What a call asks of one resource at `now` (ms), for policies to judge."""
        where = call.namespace
        prefix = self.prefix.format(service=self.service, region=where.region, account=where.account_id)
        return policy.Asked(
            actions=(f"{self.service}:{action.name}",),
            resource=resource if resource.startswith("acs:") else prefix + resource,
            values=conditions.values(call.request, now, lambda key: self.values(action, call, key)),
        )

    def find(self, name: str) -> Action | None:
        """The action of that name."""
        return next((action for action in self.actions if action.name == name), None)
