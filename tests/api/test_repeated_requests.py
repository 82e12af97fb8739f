"""The same bytes once more: what was found out about them need not be again, but nobody is let in who would not be."""

import dataclasses

import pytest

from chalicelib import bootstrap, settings
from chalicelib.broker import throttle
from chalicelib.model import account, ram
from infra.local import engine as engines
from infra.local import vault
from tests.api import signing
from tests.api.identities import Accounts, allow, deny, trust
from tests.api.signing import code, signed

HERE = account.Namespace(account_id=signing.ACCOUNT, region="cn-hangzhou")
OTHER_SECRET = "anotherSecret0123456789"


@pytest.fixture
def accounts(application):
    return Accounts(application)


@pytest.fixture
def ask(application):
    """Have a request answered as if it had come once more; the code of the error, empty if there is none."""

    def run(request, address="192.0.2.1"):
        response = application.door.run(request.again(address=address, arrived_at=0))
        return "" if response.status == 200 else code(response)

    return run


@pytest.fixture
def listing(clock):
    """A request that is let in."""
    return signed("GET", "/queues", now=clock.now())


def test_a_request_that_comes_again_finds_what_is_there_now(application, call, clock):
    request = signed("GET", "/queues/demo", now=clock.now())
    statuses = []
    for method in ("PUT", "DELETE", "PUT"):
        call(method, "/queues/demo", body="<Queue/>" if method == "PUT" else "")
        statuses.append(application.door.run(request.again(address="", arrived_at=0)).status)
    assert statuses == [200, 404, 200]


def test_it_is_not_looked_into_again(ask, listing, monkeypatch):
    assert ask(listing) == ""
    monkeypatch.setattr("chalicelib.wire.signatures.verify", lambda *_: pytest.fail("verified once more"))
    assert ask(listing) == ""


def test_it_grows_old(ask, listing, clock):
    assert ask(listing) == ""
    clock.advance(15 * 60)
    assert ask(listing) == ""
    clock.advance(1)
    assert ask(listing) == "TimeExpired"
    clock.advance(-2 * 15 * 60 - 2)
    assert ask(listing) == "TimeExpired"


def test_either_of_its_dates_may_be_too_old(ask, clock):
    request = signed("GET", "/queues", now=clock.now(), headers={"x-mns-date": "Tue, 02 Jan 2024 03:00:00 GMT"})
    assert ask(request) == ""
    clock.advance(12 * 60)
    assert ask(request) == "TimeExpired"


def replace(application, **changes):
    key = account.AccessKey(access_key_id=signing.KEY, secret=signing.SECRET, account_id=signing.ACCOUNT)
    application.verbs.identities.add_key(dataclasses.replace(key, **changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"secret": OTHER_SECRET}, "SignatureDoesNotMatch"),
        ({"enabled": False}, "InvalidAccessKeyId"),
        ({"account_id": signing.OTHER_ACCOUNT}, "AccessDenied"),
        ({"user": "nobody"}, "AccessDenied"),
    ],
    ids=["nothing", "secret", "switched off", "account", "user"],
)
def test_its_key_is_another_one_now(application, ask, listing, changes, expected):
    assert ask(listing) == ""
    replace(application, **changes)
    assert [ask(listing), ask(listing)] == [expected] * 2
    replace(application)
    assert ask(listing) == ""


def test_a_secret_that_was_there_before_lets_in_what_it_signed_and_nothing_else(application, ask, clock):
    old, new = (signed("GET", "/queues", now=clock.now(), secret=secret) for secret in (signing.SECRET, OTHER_SECRET))
    assert [ask(old), ask(new)] == ["", "SignatureDoesNotMatch"]
    replace(application, secret=OTHER_SECRET)
    assert [ask(old), ask(new)] == ["SignatureDoesNotMatch", ""]
    replace(application)
    assert [ask(old), ask(new)] == ["", "SignatureDoesNotMatch"]


def test_a_key_that_was_deleted_is_none(accounts, ask, clock):
    who = accounts.user(allow("mns:*"), name="ann")
    request = signed("GET", "/queues", now=clock.now(), key=who.key, secret=who.secret)
    assert ask(request) == ""
    accounts.verbs.directory.delete_key(signing.ACCOUNT, "ann", who.key)
    assert ask(request) == "InvalidAccessKeyId"


@pytest.mark.parametrize("headers", [{}, {"content-md5": "AAAA"}], ids=["signature", "digest"])
def test_what_was_refused_stays_refused_though_another_one_was_let_in(ask, listing, clock, headers):
    secret = signing.SECRET if headers else "guessed"
    bad = signed("GET", "/queues", now=clock.now(), secret=secret, headers=headers)
    expected = "InvalidDegist" if headers else "SignatureDoesNotMatch"
    assert [ask(each) for each in (bad, listing, bad, listing, bad)] == [expected, "", expected, "", expected]


def test_a_policy_is_asked_each_time(accounts, ask, clock):
    who = accounts.user(allow("mns:List*"), name="ann")
    request = signed("GET", "/queues", now=clock.now(), key=who.key, secret=who.secret, host="127.0.0.1:8000")
    assert ask(request) == ""
    denial = accounts.grant(ram.User, "ann", deny("mns:ListQueue"))
    assert ask(request) == "AccessDenied"
    accounts.verbs.directory.detach(signing.ACCOUNT, ram.User, "ann", ram.CUSTOM, denial)
    assert ask(request) == ""


def test_conditions_look_at_each_client_and_each_moment(accounts, ask, clock):
    here = {"IpAddress": {"acs:SourceIp": "192.0.2.0/24"}}
    until = {"DateLessThan": {"acs:CurrentTime": "2024-01-02T03:05:00Z"}}
    who = accounts.user(allow("mns:ListQueue", **here, **until))
    request = signed("GET", "/queues", now=clock.now(), key=who.key, secret=who.secret, host="127.0.0.1:8000")
    assert [ask(request, address) for address in ("192.0.2.1", "203.0.113.1", "192.0.2.2")] == ["", "AccessDenied", ""]
    clock.advance(60)
    assert ask(request) == "AccessDenied"


def test_the_access_control_list_looks_at_each_client(application, ask, listing):
    assert ask(listing, "203.0.113.1") == ""
    application.verbs.acls.authorize(HERE, ["192.0.2.0/24"])
    assert [ask(listing, address) for address in ("192.0.2.1", "203.0.113.1", "")] == [
        "",
        "AccessDenied",
        "AccessDenied",
    ]
    application.verbs.acls.enable(HERE, on=False)
    assert ask(listing) == "AccessDenied"


def test_a_temporary_key_ends_and_so_does_its_role(accounts, ask, clock):
    who = accounts.user(allow("sts:AssumeRole"))
    arn = accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"), allow("mns:List*"))
    session = accounts.assume(who, arn, seconds=900)
    headers = {"security-token": session.token}
    request = signed(
        "GET", "/queues", now=clock.now() + 600_000, key=session.key, secret=session.secret, headers=headers
    )
    assert ask(request) == ""
    clock.advance(899)
    assert ask(request) == ""
    clock.advance(1)
    assert ask(request) == "AccessDenied"


def test_the_rate_of_an_account_is_counted_each_time(application, ask, listing, monkeypatch):
    counted = []
    monkeypatch.setattr(throttle.Calls, "admit", lambda _, namespace, metadata: counted.append(metadata))
    for _ in range(3):
        ask(listing)
    assert counted == [True] * 3


def test_each_has_an_id_of_its_own(application, listing):
    responses = [application.door.run(listing.again(address="", arrived_at=0)) for _ in range(3)]
    assert len({response.headers["x-mns-request-id"] for response in responses}) == 3


def test_what_one_application_knows_of_a_request_is_nothing_to_another_one(ask, listing, engine, prefix, clock):
    """What connections keep is shared by all that run in a process."""
    assert ask(listing) == ""
    engines.make_tables(engine, f"{prefix}other-")
    other = bootstrap.build(
        settings.Settings(table_prefix=f"{prefix}other-"), engine=engine, clock=clock, vault=vault.in_memory()
    )
    assert code(other.door.run(listing)) == "InvalidAccessKeyId"
    replace(other, secret=OTHER_SECRET)
    assert code(other.door.run(listing)) == "SignatureDoesNotMatch"
    assert ask(listing) == ""


def test_a_changed_copy_knows_nothing(ask, listing):
    assert ask(listing) == ""
    other = dataclasses.replace(listing, path="/topics")
    assert other.known == {}
    assert ask(other) == "SignatureDoesNotMatch"
