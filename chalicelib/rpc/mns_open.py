"""MNS-open, version 2022-01-19: the actions, as section 21 of the protocol document lists them."""

from chalicelib.rpc import queues, shapes
from chalicelib.rpc.calls import Action, Fields, Product

_QUEUE = "/queues/{QueueName}"


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
    ),
)
