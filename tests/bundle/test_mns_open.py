"""The control plane's official client through the bundle, behind every front, with both signatures."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import live
from tests.bundle import fronts
from tests.bundle.conftest import DOORS, Server, SettledClient
from tests.bundle.deployment import Deployment, Stack
from tests.sdk import test_mns_open as suite
from tests.sdk.test_mns_open import control, guarded, topic  # noqa: F401  # its fixtures

pytestmark = suite.pytestmark
globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})


@pytest.fixture(scope="module")
def servers(deployed: Deployment, packages) -> Iterator[dict[str, Server]]:
    """A process behind each front: what one has changed, another may only see five seconds later."""
    kinds = {"REST API": fronts.rest, "HTTP API": fronts.http_api, "function URL": fronts.function_url}
    made = {}
    for name, door in DOORS.items():
        options = Stack(packages[door].template).function("APIHandler")
        made[name] = Server(kinds[name](deployed.another(f"control {name}", options, most=1)))
    yield made
    for server in made.values():
        server.close()


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
