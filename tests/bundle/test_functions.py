"""What streams and schedules bring about, by the deployed functions alone."""

import time

import pytest

from tests.bundle import fronts
from tests.bundle.conftest import Server
from tests.bundle.deployment import Deployment
from tests.push import servers as receivers
from tests.scenarios.test_topics import is_signed
from tests.sdk import clients
from tests.sdk import test_operations as operations
from tests.sdk.clients import Draft

pytestmark = operations.pytestmark  # the Python client warns of its own counts


@pytest.fixture
def door() -> str:
    return "REST API"


@pytest.fixture
def topic(server: Server, name: str) -> str:
    assert server.ask("PUT", f"/topics/{name}", body="<Topic/>").status == 201
    return name


def subscribe(server: Server, topic: str, endpoint: str, more: str = "") -> None:
    body = f"<Subscription><Endpoint>{endpoint}</Endpoint>{more}</Subscription>"
    assert server.ask("PUT", f"/topics/{topic}/subscriptions/sub", body=body).status == 201


def publish(server: Server, topic: str, body: str) -> None:
    message = f"<Message><MessageBody>{body}</MessageBody></Message>"
    assert server.ask("POST", f"/topics/{topic}/messages", body=message).status == 201


def counts(client: clients.PythonClient, queue: str) -> list[int]:
    """Active, Inactive and Delayed messages."""
    attributes = client.get_attributes(queue)
    return [attributes[name] for name in ("ActiveMessages", "InactiveMessages", "DelayMessages")]


def until(condition, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_delay_that_is_over_is_ended_by_the_schedule_while_nobody_receives(deployed, client, queue):
    client.send(queue, Draft(body="later", delay=1))
    assert counts(client, queue) == [0, 0, 1]
    deployed.schedule("Release")
    until(lambda: counts(client, queue) == [1, 0, 0])
    assert client.receive(queue).body == "later"


def test_what_is_published_is_pushed_to_a_web_server_signed_with_the_deployments_certificate(server, topic):
    with receivers.web() as web:
        subscribe(server, topic, f"http://127.0.0.1:{web.port}/hook")
        publish(server, topic, "hello")
        until(lambda: web.got)
    [got] = web.got
    assert (got.target, is_signed(got)) == ("/hook", True)
    assert b"<Message>hello</Message>" in got.body


def test_a_push_that_fails_is_made_again_by_the_schedule(deployed: Deployment, server, topic):
    decay = "<NotifyStrategy>EXPONENTIAL_DECAY_RETRY</NotifyStrategy>"
    with receivers.web(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as web:
        subscribe(server, topic, f"http://127.0.0.1:{web.port}/", decay)
        publish(server, topic, "again")
        until(lambda: web.got)
        web.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        deployed.schedule("Redeliver")  # the retry is due after a second
        until(lambda: len(web.got) == 2)


def test_a_deleted_queue_is_emptied(deployed: Deployment, client, queue):
    client.send(queue, Draft(body="of nobody"))
    client.delete_queue(queue)

    def held() -> list[dict]:
        items = deployed.tables.scan(TableName="bundle-messages", ConsistentRead=True)["Items"]
        return [item for item in items if item.get("body") == {"S": client.on_wire("of nobody")}]

    until(lambda: not held())


def test_a_message_claimed_for_a_client_whose_gateway_has_hung_up_comes_back_when_its_visibility_is_over(
    functions, opened, client, name
):
    hasty = opened(fronts.rest(functions["REST API"], seconds=0.5))
    client.create_queue(name, VisibilityTimeout=1)
    assert hasty.ask("GET", f"/queues/{name}/messages?waitseconds=3").status == 504
    client.send(name, Draft(body="kept"))
    until(lambda: counts(client, name) == [0, 1, 0])  # the function that still waits has taken it
    assert client.receive(name, 10).dequeue_count == 2


@pytest.mark.parametrize("handler", ["app.app", "chalicelib.api.direct.handler"])
def test_a_long_poll_is_answered_before_the_functions_time_out(deployed, opened, queue, handler):
    function = deployed.another(f"short-lived {handler}", {"handler": handler, "seconds": 4})
    short_lived = opened(fronts.rest(function))
    started = time.monotonic()
    reply = short_lived.ask("GET", f"/queues/{queue}/messages?waitseconds=20")
    assert reply.outcome == (404, "MessageNotExist")
    assert 0.9 < time.monotonic() - started < 4


def test_a_deployment_without_tables_answers_with_an_mns_error_and_says_so_in_the_log(deployed, opened, tmp_path):
    log = tmp_path / "log"
    variables = {"OPENMNS_TABLE_PREFIX": "nowhere-"}
    server = opened(fronts.rest(deployed.another("lost", {"handler": "app.app"}, variables=variables, log=log)))
    reply = server.ask("GET", "/queues")
    assert reply.outcome == (500, "InternalError")
    [line] = [line for line in log.read_text().splitlines() if '"request failed"' in line]
    assert f'"request_id":"{reply.fields["RequestId"]}"' in line
