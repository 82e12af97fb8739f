"""Who may ask, and the attributes of an account."""

import pytest

from chalicelib.model import account, errors
from tests.broker.fakes import ELSEWHERE, HERE

KEY = account.AccessKey(access_key_id="TESTAKID0001", secret="testSecretKey0123456789", account_id="1234567890123456")
DISABLED = account.AccessKey(access_key_id="TESTAKID0001", secret="x", account_id="1234567890123456", enabled=False)


def test_a_key_that_was_added_is_known(process):
    process.identities.add_key(KEY)
    assert process.identities.key("TESTAKID0001") == KEY


@pytest.mark.parametrize("key_id", ["", "nobody", "testakid0001", "TESTAKID0001 ", "x" * 3_000])
def test_a_key_that_was_not_added_is_not(process, key_id):
    process.identities.add_key(KEY)
    with pytest.raises(errors.InvalidAccessKeyId):
        process.identities.key(key_id)


def test_a_disabled_key_is_as_good_as_none(process):
    process.identities.add_key(DISABLED)
    with pytest.raises(errors.InvalidAccessKeyId):
        process.identities.key("TESTAKID0001")


def test_a_process_knows_the_keys_it_added_at_once(process):
    process.identities.add_key(KEY)
    process.identities.key("TESTAKID0001")
    process.identities.add_key(DISABLED)
    with pytest.raises(errors.InvalidAccessKeyId):
        process.identities.key("TESTAKID0001")


def test_another_process_knows_within_five_seconds_that_a_key_ended(process, clock):
    process.identities.add_key(KEY)
    other = process.another()
    assert other.identities.key("TESTAKID0001") == KEY
    process.identities.add_key(DISABLED)
    clock.advance(4.999)
    assert other.identities.key("TESTAKID0001") == KEY
    clock.advance(0.001)
    with pytest.raises(errors.InvalidAccessKeyId):
        other.identities.key("TESTAKID0001")


def test_another_process_knows_a_new_key_at_once(process):
    other = process.another()
    with pytest.raises(errors.InvalidAccessKeyId):
        other.identities.key("TESTAKID0001")
    process.identities.add_key(KEY)
    assert other.identities.key("TESTAKID0001") == KEY


def test_an_account_has_the_default_attributes_until_some_are_set(process):
    assert process.accounts.attributes(HERE) == account.AccountAttributes(
        log_enabled=False, log_project="", log_store="", trace_enabled=0
    )


def test_setting_attributes_of_an_account_changes_what_is_named_there_and_nowhere_else(process):
    process.accounts.set_attributes(HERE, account.AccountChange(log_enabled=True, log_project="my-log-project"))
    process.accounts.set_attributes(HERE, account.AccountChange(trace_enabled=1))
    process.accounts.set_attributes(HERE, account.AccountChange())
    assert process.accounts.attributes(HERE) == account.AccountAttributes(
        log_enabled=True, log_project="my-log-project", trace_enabled=1
    )
    assert process.accounts.attributes(ELSEWHERE) == account.AccountAttributes()


def test_a_logging_bucket_can_be_taken_away_again(process):
    process.accounts.set_attributes(HERE, account.AccountChange(log_enabled=True, log_project="my-log-project"))
    process.accounts.set_attributes(HERE, account.AccountChange(log_enabled=False, log_project=""))
    assert process.accounts.attributes(HERE) == account.AccountAttributes()


def test_logs_need_somewhere_to_go(process):
    for change in (account.AccountChange(log_enabled=True), account.AccountChange(log_enabled=True, log_project="")):
        with pytest.raises(errors.InvalidArgument) as raised:
            process.accounts.set_attributes(HERE, change)
        assert raised.value.message == "Logs need a ProjectName to go to."
    process.accounts.set_attributes(HERE, account.AccountChange(log_project="logs", log_store="store"))
    assert process.accounts.attributes(HERE).logging_bucket == ""
    process.accounts.set_attributes(HERE, account.AccountChange(log_enabled=True))
    assert process.accounts.attributes(HERE).logging_bucket == "logs"


def test_the_service_is_opened_by_one_order_however_often_it_is_asked_for(process):
    first = process.accounts.open_service(HERE)
    assert [process.accounts.open_service(HERE), process.another().accounts.open_service(HERE)] == [first, first]
    assert process.accounts.open_service(ELSEWHERE) != first
