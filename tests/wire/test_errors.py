"""Errors as the client reads them."""

import pytest

from chalicelib.model import errors
from chalicelib.wire import errors as wire_errors
from chalicelib.wire import http


def test_an_error_is_the_document_that_the_specification_shows():
    rendered = wire_errors.render(
        errors.QueueNotExist(),
        request_id="65937D250123456789ABCDEF",
        host_id="http://1234567890123456.mns.cn-hangzhou.aliyuncs.com",
    )
    assert rendered == http.Response(
        status=404,
        body=(
            b'<?xml version="1.0" ?>\n'
            b'<Error xmlns="http://mns.aliyuncs.com/doc/v1">\n'
            b"  <Code>QueueNotExist</Code>\n"
            b"  <Message>The queue name you provided is not exist.</Message>\n"
            b"  <RequestId>65937D250123456789ABCDEF</RequestId>\n"
            b"  <HostId>http://1234567890123456.mns.cn-hangzhou.aliyuncs.com</HostId>\n"
            b"</Error>"
        ),
    )


def test_what_a_message_quotes_is_escaped():
    rendered = wire_errors.render(errors.InvalidRequestURL("The path /<&> is wrong."), request_id="R", host_id="<H>")
    assert b"<Message>The path /&lt;&amp;&gt; is wrong.</Message>" in rendered.body
    assert b"<HostId>&lt;H&gt;</HostId>" in rendered.body


def test_an_mns_error_is_shown_as_it_is():
    error = errors.InvalidArgument("The value of Priority should between 1 and 16.")
    assert wire_errors.known(error) is error


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), RuntimeError(), OSError("secret")])
def test_any_other_exception_is_an_internal_error_that_tells_nothing_of_it(error):
    shown = wire_errors.known(error)
    assert (shown.code, shown.status, shown.message) == (
        "InternalError",
        500,
        "The server met an error of its own; the request may be tried again.",
    )
