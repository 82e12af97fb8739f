"""What happens to objects, from a bucket to the consumer of a queue or topic, by the bundle's functions."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from alibabacloud_mns_open20220119 import client as mns_open

from infra.local import objects
from tests import live
from tests.bundle.conftest import Server
from tests.bundle.deployment import Deployment
from tests.sdk import test_policies as suite
from tests.sdk.test_mns_open import Control
from tests.sdk.test_policies import account, queue, rules  # noqa: F401  # its fixtures
from tests.wire.test_object_events import bridged

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_") and "rule" in name})


@pytest.fixture
def server(lone_servers: dict[str, Server]) -> Server:
    return lone_servers["HTTP API"]


@pytest.fixture
def control(server: Server) -> mns_open.Client:
    return Control(server, live.OWNER, None).client


@pytest.fixture
def bucket(deployed: Deployment) -> Iterator[Any]:
    """An S3 client, its bucket `photos` there, which calls the deployed function."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        store = objects.ObjectStore(listener, lambda event: deployed.invoke("ObjectEvents", event))
        held.callback(store.close)
        keys = {"aws_access_key_id": "anybody", "aws_secret_access_key": "anything"}
        url = "http://{}:{}".format(*listener.getsockname())
        client = boto3.session.Session().client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        held.callback(client.close)
        client.create_bucket(Bucket="photos")
        yield client


def test_eventbridge_may_bring_the_events_of_all_buckets(deployed: Deployment, control, account, queue, rules):  # noqa: F811
    control.create_event_rule(suite.rule("a-rule", endpoint=suite.to_queue(queue)))
    event = bridged("Object Created", reason="PutObject")
    assert [deployed.invoke("ObjectEvents", event) for _ in range(2)] == [{"events": 1, "messages": 1}] * 2
    assert suite.events(suite.drain(account.get_queue(queue))) == [("ObjectCreated:PutObject", "a/消 1.jpg", 3)]
