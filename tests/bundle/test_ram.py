"""Users, roles, policies and temporary keys by the official clients through the bundle, with both signatures."""

import pytest

from tests.bundle.conftest import Server
from tests.scenarios import test_identities as scenarios
from tests.scenarios.test_identities import _closing  # noqa: F401  # its fixture
from tests.sdk import test_ram as suite
from tests.sdk.test_ram import algorithm, api  # noqa: F401  # its fixtures

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})


@pytest.fixture
def server(lone_servers: dict[str, Server]) -> Server:
    return lone_servers["REST API"]


@pytest.mark.parametrize("door", ["REST API", "HTTP API", "function URL"])
def test_two_networks_exchange_messages(lone_servers, door):
    scenarios.test_two_networks_exchange_messages_by_a_queue_of_one_of_them(lone_servers[door])
