"""The access to an endpoint: switched on and off, and narrowed down to some addresses."""

import pytest

from chalicelib.broker import acls
from chalicelib.model import acl, errors, limits
from tests.broker import memory
from tests.broker.fakes import ELSEWHERE, HERE, NOW


@pytest.fixture
def verb(process):
    return acls.Acls(store=process.tables.acls, clock=process.clock)


def cidrs(verb) -> list[str]:
    return [entry.cidr for entry in verb.get(HERE).entries]


def test_everybody_is_let_in_until_the_owner_says_otherwise(verb):
    assert verb.get(HERE) == acl.OPEN
    verb.check(HERE, "203.0.113.9")


def test_an_endpoint_is_switched_off_and_on_and_its_entries_stay(verb):
    verb.authorize(HERE, ["10.0.0.0/8"])
    verb.enable(HERE, on=False)
    with pytest.raises(errors.AccessDenied):
        verb.check(HERE, "10.0.0.1")
    verb.check(ELSEWHERE, "10.0.0.1")
    verb.enable(HERE, on=True)
    verb.check(HERE, "10.0.0.1")
    with pytest.raises(errors.AccessDenied):
        verb.check(HERE, "11.0.0.1")


def test_entries_are_added_once_and_taken_back(verb, clock):
    verb.authorize(HERE, ["10.0.0.0/8", "192.0.2.1"])
    clock.advance(1)
    verb.authorize(HERE, ["192.0.2.1/32", "::1", "::1"])
    assert [(entry.cidr, entry.created_at) for entry in verb.get(HERE).entries] == [
        ("10.0.0.0/8", NOW),
        ("192.0.2.1/32", NOW),
        ("::1/128", NOW + 1000),
    ]
    verb.revoke(HERE, ["192.0.2.1", "198.51.100.0/24"])
    assert cidrs(verb) == ["10.0.0.0/8", "::1/128"]


def test_what_is_no_block_changes_nothing(verb):
    for change in (verb.authorize, verb.revoke):
        with pytest.raises(errors.InvalidArgument):
            change(HERE, ["10.0.0.0/8", "nonsense"])
    assert verb.get(HERE) == acl.OPEN


def test_there_are_so_many_entries_at_most(verb):
    verb.authorize(HERE, [f"10.0.0.{number}" for number in range(limits.ACL_ENTRIES)])
    with pytest.raises(errors.InvalidArgument) as raised:
        verb.authorize(HERE, ["10.0.1.0"])
    assert raised.value.message == "The list would have 101 entries, but 100 is most."
    verb.authorize(HERE, ["10.0.0.7"])


def test_two_who_change_it_at_once_both_have_their_way(process):
    class Late(memory.Acls):
        """A table that another process writes to between reading and writing."""

        def put_rules(self, namespace, before, after):
            if not self.meddled:
                self.meddled = True
                self.stored[namespace] = acl.Acl(entries=(acl.Entry(cidr="192.0.2.0/24", created_at=NOW),))
            return super().put_rules(namespace, before, after)

        meddled = False

    verb = acls.Acls(store=Late(), clock=process.clock)
    verb.authorize(HERE, ["10.0.0.0/8"])
    assert cidrs(verb) == ["192.0.2.0/24", "10.0.0.0/8"]


def test_another_process_follows_within_five_seconds(process, verb, clock):
    other = acls.Acls(store=process.tables.acls, clock=clock)
    other.check(HERE, "10.0.0.1")
    verb.enable(HERE, on=False)
    other.check(HERE, "10.0.0.1")
    clock.advance(5)
    with pytest.raises(errors.AccessDenied):
        other.check(HERE, "10.0.0.1")
