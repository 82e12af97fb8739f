"""Errors as they are told."""

import json

from chalicelib.rpc import errors


def test_an_error_can_be_told_whatever_its_message_quotes():
    quoted = errors.RpcError("InvalidParameter", "It is \ud800, é.")
    response = errors.render(quoted, request_id="R", host="localhost")
    assert json.loads(response.body)["Message"] == "It is \ud800, é."
