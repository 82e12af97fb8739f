"""Accounts, their keys and their attributes."""

import pytest

from chalicelib.model import account, errors


@pytest.mark.parametrize("text", ["1234567890123456", "1", "0" * 32])
def test_an_account_id_is_decimal_digits(text):
    assert account.is_account_id(text)


@pytest.mark.parametrize("text", ["", "a", "12 3", "1" * 33, "-1", "١٢٣", "123\n"])
def test_anything_else_is_no_account_id(text):
    assert not account.is_account_id(text)


def test_a_key_does_not_show_its_secret():
    key = account.AccessKey(access_key_id="TESTAKID0001", secret="testSecretKey0123456789", account_id="1")
    assert repr(key) == "AccessKey(access_key_id='TESTAKID0001', account_id='1', enabled=True, user='', created_at=0)"


def test_an_account_logs_nowhere_and_traces_nothing_unless_told_to():
    assert account.AccountAttributes() == account.AccountAttributes(
        log_enabled=False, log_project="", log_store="", trace_enabled=0
    )


def test_the_logging_bucket_of_the_xml_api_is_the_project_while_logs_are_kept():
    there = account.AccountAttributes(log_enabled=True, log_project="logs", log_store="store")
    assert there.logging_bucket == "logs"
    assert account.AccountAttributes(log_project="logs").logging_bucket == ""


@pytest.mark.parametrize("value", [None, 0, 1])
def test_tracing_is_off_or_on_or_left_as_it_is(value):
    assert account.AccountChange(trace_enabled=value).trace_enabled is value


@pytest.mark.parametrize("value", [-1, 2])
def test_tracing_is_nothing_else(value):
    with pytest.raises(errors.InvalidArgument) as raised:
        account.AccountChange(trace_enabled=value)
    assert raised.value.message == "The value of TraceEnabled should between 0 and 1."
