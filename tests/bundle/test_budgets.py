"""What an operation costs through the deployed function: the calls that reach DynamoDB, and their units.

The table of docs/architecture.md, in a warm process, which remembers the key and the queue from the call before.
"""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from infra.bench import listening
from tests import live
from tests.bundle import fronts
from tests.bundle.conftest import Server
from tests.bundle.deployment import Deployment
from tests.sdk.test_mns_open import Control

READS = ("GetItem", "Query", "BatchGetItem")
SMALL = "<Message><MessageBody>x</MessageBody></Message>"
LARGE = f"<Message><MessageBody>{'x' * 20_000}</MessageBody></Message>"


class Meter:
    """Stands before the engine, and notes what passes: operations, write units, read units.

    The next transactions are answered with what is in `refusals`.
    """

    def __init__(self, url: str) -> None:
        self.refusals: list[dict] = []
        self._engine = url
        self._listener = listening.Listener(self._pass_on)
        self.url, self.close = self._listener.url, self._listener.close
        self.reset()

    def reset(self) -> None:
        self.operations: list[str] = []
        self.written = self.read = 0.0

    def _pass_on(self, asked: listening.Request) -> listening.Answer:
        body = json.dumps(json.loads(asked.body) | {"ReturnConsumedCapacity": "TOTAL"}).encode()
        target = dict(asked.headers)["X-Amz-Target"]
        if target.endswith(".TransactWriteItems") and self.refusals:
            self.operations.append("refused")
            return listening.Answer(status=400, body=json.dumps(self.refusals.pop(0)).encode())
        request = urllib.request.Request(self._engine, data=body, headers={"X-Amz-Target": target})
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
        capacity = json.loads(content).get("ConsumedCapacity", [])
        units = sum(entry["CapacityUnits"] for entry in (capacity if isinstance(capacity, list) else [capacity]))
        operation = target.partition(".")[2]
        self.operations.append(operation)
        if operation in READS:
            self.read += units
        else:
            self.written += units
        return listening.Answer(status=200, body=content)


@pytest.fixture(scope="module")
def meter(deployed: Deployment) -> Iterator[Meter]:
    made = Meter(deployed.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def metered(deployed: Deployment, meter: Meter) -> Iterator[Server]:
    """The API's function behind a REST API, its tables behind the meter."""
    variables = {"AWS_ENDPOINT_URL_DYNAMODB": meter.url}
    made = Server(fronts.rest(deployed.another("metered", {"handler": "app.app", "most": 1}, variables=variables)))
    yield made
    made.close()


@pytest.fixture
def measured(metered: Server, meter: Meter) -> str:
    """The path of a queue whose attributes the function remembers; nothing counted yet."""
    path = f"/queues/{live.unique()}"
    assert metered.ask("PUT", path, body="<Queue/>").status == 201
    assert metered.ask("GET", f"{path}/messages?waitseconds=0").outcome == (404, "MessageNotExist")
    meter.reset()
    return path


def test_a_send_is_one_call_of_two_write_units(metered, meter, measured):
    assert metered.ask("POST", f"{measured}/messages", body=SMALL).status == 201
    assert (meter.operations, meter.written, meter.read) == (["PutItem"], 2, 0)


def test_a_send_of_20_kb_is_two_calls_of_two_write_units_and_one_for_each_kb(metered, meter, measured):
    assert metered.ask("POST", f"{measured}/messages", body=LARGE).status == 201
    assert (len(meter.operations), meter.written, meter.read) == (2, 2 + 20, 0)


def test_a_batch_of_16_is_one_call_of_32_write_units(metered, meter, measured):
    body = f"<Messages>{SMALL * 16}</Messages>"
    assert metered.ask("POST", f"{measured}/messages", body=body).status == 201
    assert (meter.operations, meter.written, meter.read) == (["BatchWriteItem"], 32, 0)


def test_a_receive_its_delete_and_a_receive_of_nothing(metered, meter, measured):
    metered.ask("POST", f"{measured}/messages", body=SMALL)
    meter.reset()
    handle = metered.ask("GET", f"{measured}/messages").fields["ReceiptHandle"]
    assert (len(meter.operations), meter.written, meter.read) == (3, 3, 2)
    meter.reset()
    changed = metered.ask("PUT", f"{measured}/messages?ReceiptHandle={handle}&VisibilityTimeout=60")
    assert (meter.operations, meter.written, meter.read) == (["UpdateItem"], 3, 0)
    meter.reset()
    handle = changed.fields["ReceiptHandle"]
    assert metered.ask("DELETE", f"{measured}/messages?ReceiptHandle={handle}").status == 204
    assert (meter.operations, meter.written, meter.read) == (["DeleteItem"], 2, 0)
    meter.reset()
    assert metered.ask("GET", f"{measured}/messages").status == 404
    assert (meter.operations, meter.written, meter.read) == (["Query", "Query"], 0, 2)


def test_a_batch_receive_of_16_is_two_queries_and_a_claim_for_each(metered, meter, measured):
    metered.ask("POST", f"{measured}/messages", body=f"<Messages>{SMALL * 16}</Messages>")
    meter.reset()
    assert len(metered.ask("GET", f"{measured}/messages?numOfMessages=16").entries) == 16
    assert sorted(meter.operations) == ["Query"] * 2 + ["UpdateItem"] * 16
    assert (meter.written, meter.read) == (48, 2)


def test_a_publication_is_one_call_of_one_write_unit(metered, meter, name):
    assert metered.ask("PUT", f"/topics/{name}", body="<Topic/>").status == 201
    assert metered.ask("POST", f"/topics/{name}/messages", body=SMALL).status == 201
    meter.reset()
    assert metered.ask("POST", f"/topics/{name}/messages", body=SMALL).status == 201
    assert (meter.operations, meter.written, meter.read) == (["PutItem"], 1, 0)


def test_an_ordered_send_that_is_throttled_is_made_again_by_the_client_of_dynamodb(metered, meter, name):
    """Of transactions boto3 does not do so by itself."""
    Control(metered, live.OWNER, None)("create_queue", queue_name=name, queue_type="fifo")
    reasons = [{"Code": "ProvisionedThroughputExceeded"}, {"Code": "None"}]
    kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    meter.reset()
    meter.refusals = [{"__type": kind, "Message": "Transaction cancelled", "CancellationReasons": reasons}]
    body = "<Message><MessageBody>x</MessageBody><MessageGroupId>g</MessageGroupId></Message>"
    assert metered.ask("POST", f"/queues/{name}/messages", body=body).status == 201
    assert meter.operations[-2:] == ["refused", "TransactWriteItems"]
