"""What an action is given, and how actions are listed.

A product is a module with a table of actions; `table.py` lists the products. Adding an action: a function of a `Call`
that returns the answer's fields, and its row in the product's table. Adding a product: its module, its line in
`table.py`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.broker.verbs import Verbs
from chalicelib.model import account
from chalicelib.rpc import parameters
from chalicelib.wire import http

_PRODUCT_HOST = re.compile(r"//mns-open(-vpc|-internal)?\.")

Fields = Mapping[str, Any]  # of an answer, besides RequestId


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an action, its caller known."""

    parameters: parameters.Parameters
    caller: account.AccessKey
    namespace: account.Namespace
    verbs: Verbs
    request: http.Request

    @property
    def data_url(self) -> str:
        """What URLs of queues and topics begin with: the host of the call, or the account's beside it."""
        return _PRODUCT_HOST.sub(f"//{self.namespace.account_id}.mns.", self.request.host_url)


@dataclass(frozen=True, kw_only=True)
class Action:
    """A row of a product's table: what is called by which name, and what a policy must allow for it."""

    name: str
    run: Callable[[Call], Fields]
    resource: str = "*"  # with {Parameters}, such as /queues/{QueueName}; what follows region and account in policies

    def resource_of(self, call: Call) -> str:
        """The resource that a call is about; a parameter that is not given leaves nothing."""
        return re.sub(r"\{(\w+)\}", lambda found: call.parameters.text(found[1]) or "", self.resource)


@dataclass(frozen=True, kw_only=True)
class Product:
    """An API: its actions, and how it wraps their answers."""

    code: str  # as in the name of its host
    service: str  # before the colon in policies: mns:CreateQueue
    version: str
    actions: tuple[Action, ...]
    wrap: Callable[[Fields], Fields] = field(default=lambda fields: fields)

    def find(self, name: str) -> Action | None:
        """The action of that name."""
        return next((action for action in self.actions if action.name == name), None)
