"""Operations on the account itself."""

from chalicelib.api.operations import Call
from chalicelib.wire import accounts as wire
from chalicelib.wire import http


def get_attributes(call: Call) -> http.Response:
    """GetAccountAttributes."""
    return wire.render_account(call.verbs.accounts.attributes(call.namespace))


def set_attributes(call: Call) -> http.Response:
    """SetAccountAttributes."""
    call.verbs.accounts.set_attributes(call.namespace, wire.parse_account(call.request.body))
    return http.Response(status=204)


def open_service(call: Call) -> http.Response:
    """OpenService: 200 with the number of the order, however often it is called."""
    return wire.render_order(call.verbs.accounts.open_service(call.namespace))
