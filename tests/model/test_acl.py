"""Access control lists: who is let in at an endpoint."""

import pytest

from chalicelib.model import acl, errors


def admitted(address: str, *cidrs: str, enabled: bool = True) -> bool:
    rules = acl.Acl(enabled=enabled, entries=tuple(acl.Entry(cidr=cidr, created_at=0) for cidr in cidrs))
    try:
        rules.check(address)
    except errors.AccessDenied:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "cidrs", "expected"),
    [
        ("203.0.113.9", (), True),
        ("", (), True),
        ("203.0.113.9", ("203.0.113.0/24",), True),
        ("203.0.114.9", ("203.0.113.0/24",), False),
        ("203.0.114.9", ("203.0.113.0/24", "203.0.114.9/32"), True),
        ("::ffff:203.0.113.9", ("203.0.113.0/24",), True),
        ("203.0.113.9", ("::ffff:203.0.113.0/120",), True),
        ("203.0.114.9", ("::ffff:203.0.113.0/120",), False),
        ("203.0.113.9", ("::/0",), False),
        ("2001:db8::1", ("2001:db8::/32",), True),
        ("2001:db9::1", ("2001:db8::/32", "0.0.0.0/0"), False),
        ("", ("0.0.0.0/0",), False),
        ("no address", ("0.0.0.0/0",), False),
    ],
)
def test_an_address_is_let_in_if_an_entry_has_it_or_there_are_none(address, cidrs, expected):
    assert admitted(address, *cidrs) is expected


def test_nobody_is_let_in_while_the_endpoint_is_off():
    assert not admitted("203.0.113.9", "0.0.0.0/0", enabled=False)


def test_who_is_not_let_in_is_told_why():
    with pytest.raises(errors.AccessDenied) as disabled:
        acl.Acl(enabled=False).check("192.0.2.1")
    with pytest.raises(errors.AccessDenied) as outside:
        acl.Acl(entries=(acl.Entry(cidr="10.0.0.0/8", created_at=0),)).check("192.0.2.1")
    assert [disabled.value.message, outside.value.message] == [
        "The public endpoint of the account is disabled in this region.",
        "The address 192.0.2.1 is not in the access control list of the public endpoint.",
    ]


@pytest.mark.parametrize(
    ("text", "cidr"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 192.0.2.1 ", "192.0.2.1/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
    ],
)
def test_a_block_of_addresses_is_written_in_one_way(text, cidr):
    assert acl.parse_cidr(text) == cidr


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "1.2.3.4.5", "::/129"])
def test_anything_else_is_none(text):
    with pytest.raises(errors.InvalidArgument):
        acl.parse_cidr(text)
