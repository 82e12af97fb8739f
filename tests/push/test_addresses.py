"""Which addresses a push may reach."""

import socket

import pytest

from chalicelib.push import addresses


def resolving(*found: str):
    """A resolver that answers these addresses."""
    family = {True: socket.AF_INET6, False: socket.AF_INET}

    def resolve(host, port, type):  # noqa: A002  # as socket.getaddrinfo
        return [(family[":" in text], type, 6, "", (text, port)) for text in found]

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104  # no bind
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "100.64.0.1",
        "192.0.2.1",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "3fff::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_what_is_not_public_may_not_be_reached(address):
    with pytest.raises(addresses.RefusedError):
        addresses.Guard(resolve=resolving(address)).addresses("example.test", 80)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_may_be_reached(address):
    [(_, found)] = addresses.Guard(resolve=resolving(address)).addresses("example.test", 81)
    assert found == (address, 81)


def test_only_the_public_ones_of_several_addresses_are_left():
    guard = addresses.Guard(resolve=resolving("10.0.0.1", "8.8.8.8", "::1"))
    assert guard.addresses("example.test", 80) == [(socket.AF_INET, ("8.8.8.8", 80))]


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("127.1.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("8.8.8.8", True),
    ],
)
def test_a_deployment_allows_networks_of_its_own_and_no_others(address, is_allowed):
    guard = addresses.Guard("127.0.0.0/16, ::1/128", resolve=resolving(address))
    if is_allowed:
        assert guard.addresses("example.test", 80)
    else:
        with pytest.raises(addresses.RefusedError):
            guard.addresses("example.test", 80)


def test_what_is_no_network_is_refused_at_once():
    with pytest.raises(ValueError, match="nonsense"):
        addresses.Guard("127.0.0.0/8,nonsense")


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_a_name_that_does_not_resolve_is_refused(error):
    def resolve(host, port, type):  # noqa: A002  # as socket.getaddrinfo
        raise error

    with pytest.raises(addresses.RefusedError, match=r"example\.test does not resolve"):
        addresses.Guard(resolve=resolve).addresses("example.test", 80)


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "localhost"])
def test_other_ways_to_write_loopback_are_seen_through(host):
    with pytest.raises(addresses.RefusedError):
        addresses.Guard().addresses(host, 80)


def test_every_attempt_resolves_anew():
    answers = ["127.0.0.1", "8.8.8.8"]

    def resolve(host, port, type):  # noqa: A002  # as socket.getaddrinfo
        return resolving(answers.pop())(host, port, type)

    guard = addresses.Guard(resolve=resolve)
    assert guard.addresses("example.test", 80)
    with pytest.raises(addresses.RefusedError):
        guard.addresses("example.test", 80)
