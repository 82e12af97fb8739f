"""MNS-open, version 2022-01-19: the actions, as section 21 of the protocol document lists them."""

from chalicelib.rpc import event_rules, queues, shapes
from chalicelib.rpc.calls import Action, Fields, Product

_QUEUE = "/queues/{QueueName}"
_RULES = "/products/{ProductName}/rules"


def _wrap(fields: Fields) -> Fields:
    """The envelope of every answer."""
    return {"Code": 200, "Status": "Success", "Message": shapes.SUCCESS, "Success": True, **fields}


PRODUCT = Product(
    code="mns-open",
    service="mns",
    version="2022-01-19",
    wrap=_wrap,
    actions=(
        Action(name="CreateQueue", run=queues.create, resource=_QUEUE),
        Action(name="SetQueueAttributes", run=queues.set_attributes, resource=_QUEUE),
        Action(name="GetQueueAttributes", run=queues.get_attributes, resource=_QUEUE),
        Action(name="DeleteQueue", run=queues.delete, resource=_QUEUE),
        Action(name="ListQueue", run=queues.list_queues, resource="/queues"),
        Action(name="CreateEventRule", run=event_rules.create, resource=_RULES),
        Action(name="GetEventRule", run=event_rules.get, resource=_RULES),
        Action(name="DeleteEventRule", run=event_rules.delete, resource=_RULES),
        Action(name="ListEventRules", run=event_rules.list_rules, resource=_RULES),
    ),
)
