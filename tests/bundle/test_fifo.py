"""FIFO queues and topics, and dead letters, through the bundle: order is kept by whatever process a call reaches."""

import pytest

from tests import live
from tests.bundle.conftest import Server
from tests.bundle.deployment import Deployment
from tests.bundle.test_mns_open import SettledControl
from tests.sdk import test_fifo as suite
from tests.sdk.test_fifo import client, make, queue  # noqa: F401  # its fixtures

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})
SEVERAL = {
    "test_a_long_poll_wakes_when_a_delete_frees_a_group",
    "test_eight_consumers_and_four_producers_keep_two_hundred_messages_in_order",
}  # at once


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: dict[str, Server], lone_servers: dict[str, Server]) -> Server:
    return (servers if request.function.__name__ in SEVERAL else lone_servers)["function URL"]


@pytest.fixture
def control(server: Server, deployed: Deployment) -> SettledControl:
    made = SettledControl(server, live.OWNER, None)
    made.settle = deployed.settle
    return made
