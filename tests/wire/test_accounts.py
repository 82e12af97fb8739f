"""Accounts on the wire."""

import pytest
from mns import mns_xml_handler

from chalicelib.model import account, errors
from chalicelib.wire import accounts, http


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (
            b'<Account xmlns="http://mns.aliyuncs.com/doc/v1/"><LoggingBucket>my-log-project</LoggingBucket></Account>',
            account.AccountChange(log_enabled=True, log_project="my-log-project"),
        ),
        (
            b"<Account><LoggingBucket></LoggingBucket><TraceEnabled>1</TraceEnabled></Account>",
            account.AccountChange(log_enabled=False, log_project="", trace_enabled=1),
        ),
        (b"<Account><TraceEnabled>0</TraceEnabled></Account>", account.AccountChange(trace_enabled=0)),
        (b"<Account/>", account.AccountChange()),
    ],
)
def test_an_account_names_the_attributes_to_change(body, change):
    assert accounts.parse_account(body) == change


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Queue/>", "InvalidArgument"),
        (b"", "MalformedXML"),
        (b"<Account><TraceEnabled>2</TraceEnabled></Account>", "InvalidArgument"),
        (b"<Account><TraceEnabled>yes</TraceEnabled></Account>", "InvalidArgument"),
    ],
)
def test_anything_else_is_refused(body, code):
    with pytest.raises(errors.BadRequest) as raised:
        accounts.parse_account(body)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("attributes", "bucket", "trace"),
    [
        (account.AccountAttributes(), b"", b"0"),
        (
            account.AccountAttributes(log_enabled=True, log_project="my-log-project", trace_enabled=1),
            b"my-log-project",
            b"1",
        ),
    ],
)
def test_the_attributes_always_have_a_logging_bucket_for_the_python_sdk_insists_on_it(attributes, bucket, trace):
    rendered = accounts.render_account(attributes)
    assert rendered == http.Response(
        status=200,
        body=(
            b'<?xml version="1.0" ?>\n<Account xmlns="http://mns.aliyuncs.com/doc/v1">\n'
            b"  <LoggingBucket>" + bucket + b"</LoggingBucket>\n"
            b"  <TraceEnabled>" + trace + b"</TraceEnabled>\n</Account>"
        ),
    )
    assert mns_xml_handler.GetAccountAttrDecoder.decode(rendered.body) == {
        "LoggingBucket": bucket.decode(),
        "TraceEnabled": trace.decode(),
    }


def test_an_order_is_a_document_of_its_own():
    rendered = accounts.render_order("200000000000001")
    assert rendered == http.Response(
        status=200,
        body=(
            b'<?xml version="1.0" ?>\n<OpenService xmlns="http://mns.aliyuncs.com/doc/v1">\n'
            b"  <OrderId>200000000000001</OrderId>\n</OpenService>"
        ),
    )
    assert mns_xml_handler.OpenServiceDecoder.decode(rendered.body) == {"OrderId": "200000000000001"}
