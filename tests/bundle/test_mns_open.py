"""The control plane's official client through the bundle, behind every front, with both signatures."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import live
from tests.bundle.conftest import Server, SettledClient
from tests.bundle.deployment import Deployment
from tests.sdk import test_mns_open as suite
from tests.sdk.test_mns_open import control, guarded, topic  # noqa: F401  # its fixtures

pytestmark = suite.pytestmark
globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})


@pytest.fixture
def server(lone_servers: dict[str, Server], door: str) -> Server:
    return lone_servers[door]


class SettledControl(suite.Control):
    """Counts are a second behind on AWS; here they are waited for."""

    settle: Callable[[], None]

    def __call__(self, action: str, **parameters: Any) -> Any:
        self.settle()
        return super().__call__(action, **parameters)


@pytest.fixture(params=[None, "v2"], ids=["ACS3", "V1"])
def connect(request: pytest.FixtureRequest, server: Server, deployed: Deployment) -> Callable[..., SettledControl]:
    def make(key: live.Key = live.OWNER) -> SettledControl:
        made = SettledControl(server, key, request.param)
        made.settle = deployed.settle
        return made

    return make


@pytest.fixture
def xml(server: Server, deployed: Deployment) -> Iterator[SettledClient]:
    made = SettledClient(server.endpoint, live.OWNER, encoding=False)
    made.settle = deployed.settle
    yield made
    made.close()
