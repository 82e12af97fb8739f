"""The packaged zip, run as Lambda runs it, behind each kind of front."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.aws import package as packaging
from infra.aws import template
from infra.bench import lambdas, listening
from tests import live
from tests.bundle import deployment, fronts
from tests.sdk import clients

if not os.environ.get("CI"):
    pytest.importorskip("mns")
    pytest.importorskip("awslambdaric")

DOORS = {
    "REST API": template.Door.REST,
    "HTTP API": template.Door.HTTP,
    "function URL": template.Door.URL,
}
FRONTS = {"REST API": fronts.rest, "HTTP API": fronts.http_api, "function URL": fronts.function_url}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[template.Door, packaging.Package]:
    """What `make package` makes, for each kind of front."""
    folder = tmp_path_factory.mktemp("package")
    return {door: packaging.make("dev", door, region="us-east-1", into=folder / door.value) for door in DOORS.values()}


@pytest.fixture(scope="session")
def package(packages: dict[template.Door, packaging.Package]) -> Path:
    """The code, the same behind each front."""
    return packages[template.Door.REST].code


@pytest.fixture(scope="session")
def sandbox(package: Path, tmp_path_factory: pytest.TempPathFactory) -> lambdas.Sandbox:
    return lambdas.Sandbox.make(tmp_path_factory.mktemp("sandbox"), package)


@pytest.fixture(scope="session")
def deployed(packages, sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployment.Deployment]:
    """Everything, running; at the end no function may have logged a warning or an error, and no trigger failed."""
    folder = tmp_path_factory.mktemp("deployment")
    with lambdas.engine_server() as url, lambdas.kms_server() as kms:
        tables = deployment.Tables(url)
        stack = deployment.Stack(packages[template.Door.REST].template)
        made = deployment.Deployment(sandbox, stack, tables, url, kms, folder)
        public = Server(fronts.rest(made.function("APIHandler")))  # where receivers of pushes find the certificate
        made.announce(public.endpoint)
        try:
            made.set_up()
            yield made
        finally:
            public.close()
            made.close()
            tables.close()
        assert (made.log.read_text(), made.errors) == ("", [])


@pytest.fixture(autouse=True)
def _attended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Streams are read while a test needs them."""
    if "deployed" not in request.fixturenames:
        yield
        return
    with request.getfixturevalue("deployed").attended():
        yield


class Server:
    """A front and what it is called by; what the suites of `tests.sdk` ask of a server."""

    def __init__(self, respond: fronts.Respond) -> None:
        self._front = listening.Listener(respond)
        self.endpoint = self._front.url
        self.host = self.endpoint.removeprefix("http://")
        self.close = self._front.close

    def connect(self) -> live.Connection:
        return live.Connection(self._front.address)

    def ask(self, method: str, target: str, **arguments: object) -> live.Reply:
        with self.connect() as connection:
            return connection.ask(method, target, **arguments)


@pytest.fixture(scope="session")
def functions(deployed: deployment.Deployment, packages) -> dict[str, lambdas.Function]:
    """The function behind each front, as its template has it."""
    made = {
        name: deployed.another(name, deployment.Stack(packages[door].template).function("APIHandler"))
        for name, door in DOORS.items()
    }
    for function in made.values():
        function.provision(2)  # so that no test measures a start: one polls while the other sends
    return made


@pytest.fixture(scope="session")
def servers(deployed: deployment.Deployment, functions) -> Iterator[dict[str, Server]]:
    made = {name: Server(front(functions[name])) for name, front in FRONTS.items()}
    yield made
    for server in made.values():
        server.close()


@pytest.fixture(scope="session")
def lone_servers(deployed: deployment.Deployment, packages) -> Iterator[dict[str, Server]]:
    """One process behind each front: what one has changed, another may only see five seconds later."""
    made = {}
    for name, door in DOORS.items():
        options = deployment.Stack(packages[door].template).function("APIHandler")
        made[name] = Server(FRONTS[name](deployed.another(f"lone {name}", options, most=1)))
    yield made
    for server in made.values():
        server.close()


@pytest.fixture
def opened() -> Iterator[Callable[[fronts.Respond], Server]]:
    """Opens further fronts."""
    made: list[Server] = []

    def open_one(respond: fronts.Respond) -> Server:
        made.append(Server(respond))
        return made[-1]

    yield open_one
    for server in made:
        server.close()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def server(servers: dict[str, Server], door: str) -> Server:
    return servers[door]


class SettledClient(clients.PythonClient):
    """Counts are a second behind on AWS; here they are waited for."""

    settle: Callable[[], None]

    def get_attributes(self, name: str) -> dict[str, int | bool | str]:
        self.settle()
        return super().get_attributes(name)


@pytest.fixture
def connect(server: Server, deployed: deployment.Deployment) -> Iterator[Callable[..., clients.PythonClient]]:
    made: list[SettledClient] = []

    def make(key: live.Key = live.OWNER) -> SettledClient:
        made.append(SettledClient(server.endpoint, key))
        made[-1].settle = deployed.settle
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., clients.PythonClient]) -> clients.PythonClient:
    return connect()


@pytest.fixture
def name() -> str:
    return live.unique()


@pytest.fixture
def queue(client: clients.PythonClient, name: str) -> str:
    client.create_queue(name)
    return name
