"""One live server for the HTTP tests of this folder; tests that stop or configure a server start their own."""

from collections.abc import Iterator

import pytest

from tests import live

_REFUSED = "WARNING:  Invalid HTTP request received.\n"  # what it logs of bytes that are no HTTP


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    """`mns serve`; at the end it must stop cleanly and have logged nothing, whatever the tests sent it."""
    with live.serving(tmp_path_factory.mktemp("local-server"), "--port", "0", "--memory") as running:
        yield running
        status, logged = live.stopped_cleanly(running)
        assert (status, logged.replace(_REFUSED, "")) == (0, "")


@pytest.fixture
def queue(server: live.Server) -> str:
    """A queue of this test's own."""
    name = live.unique()
    assert server.ask("PUT", f"/queues/{name}", body="<Queue/>").status == 201
    return name
