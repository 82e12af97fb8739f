"""One live server for all client tests, and the clients to drive it."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import live
from tests.sdk import clients

_NODE = Path(__file__).parent.parent / "node"


def _missing(reason: str) -> None:
    """A client that is not there: a skip on a laptop, a failure in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI runs every client")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    """`mns serve` with two accounts; at the end it must stop cleanly and have logged nothing."""
    folder = tmp_path_factory.mktemp("sdk-server")
    (folder / "accounts.toml").write_text(live.TWO_ACCOUNTS)
    with live.serving(folder, "--port", "0", "--memory", "--config", "accounts.toml") as running:
        yield running
        assert live.stopped_cleanly(running) == (0, "")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clients.NodeProcess]:
    """The Node client's process."""
    if not shutil.which("node"):
        _missing("there is no node")
    if not (_NODE / "node_modules" / "@alicloud" / "mns").exists():
        _missing("the Node client is not installed (make test does it)")
    process = clients.NodeProcess(["node", "client.js"], str(_NODE))
    yield process
    assert process.close() == 0


Connect = Callable[..., clients.Client]


@pytest.fixture(params=["python", "node"])
def connect(request: pytest.FixtureRequest, server: live.Server) -> Iterator[Connect]:
    """Makes clients of one kind, of the first account unless another key is given."""
    made: list[clients.Client] = []

    def make(key: live.Key = live.OWNER) -> clients.Client:
        if request.param == "node":
            made.append(clients.NodeClient(request.getfixturevalue("node"), server.endpoint, key))
        else:
            if importlib.util.find_spec("mns") is None:
                _missing("aliyun-mns-sdk is not installed")
            made.append(clients.PythonClient(server.endpoint, key))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Connect) -> clients.Client:
    return connect()


@pytest.fixture
def name() -> str:
    """A queue name of this test's own."""
    return live.unique()


@pytest.fixture
def queue(client: clients.Client, name: str) -> str:
    """A queue of this test's own, with the default attributes."""
    client.create_queue(name)
    return name
