"""What the functions' mappings gave up, by `mns aws replay`'s machinery and the functions themselves."""

import json

import boto3
import moto
import pytest

from infra.aws import replay
from tests.aws.test_replay import KEYS
from tests.bundle.conftest import Server
from tests.bundle.deployment import PREFIX, Deployment
from tests.sdk import test_operations as operations

pytestmark = operations.pytestmark  # the Python client warns of its own counts


@pytest.fixture
def door() -> str:
    return "HTTP API"


def test_a_publication_whose_record_was_given_up_is_brought_by_a_replay(
    deployed: Deployment, server: Server, client, queue
):
    """Here it has been brought once before, and comes again: a record does not show what has become of it."""
    subscription = f"<Endpoint>{endpoint(queue)}</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>"
    for path, body in (
        (f"/topics/{queue}", "<Topic/>"),
        (f"/topics/{queue}/subscriptions/sub", f"<Subscription>{subscription}</Subscription>"),
    ):
        assert server.ask("PUT", path, body=body).status == 201
    message = "<Message><MessageBody>aGVsbG8=</MessageBody></Message>"
    published = server.ask("POST", f"/topics/{queue}/messages", body=message).fields["MessageId"]
    first = client.receive(queue, wait=10)
    client.delete(queue, first.receipt_handle)
    with moto.mock_aws(config={"core": {"mock_credentials": False}}):
        sqs = boto3.session.Session().client("sqs", **KEYS)
        url = sqs.create_queue(QueueName=f"dead-{queue}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(given_up(deployed, published)))
        made = replay.Replay(queue=sqs, url=url, streams=deployed.tables, invoke=deployed.invoke, patience=0)
        assert [one.outcome for one in made.run()] == [replay.Outcome.DONE]
    again = client.receive(queue, wait=0)
    assert (again.message_id, again.body) == (first.message_id, first.body)


def endpoint(queue: str) -> str:
    return f"acs:mns:cn-hangzhou:1234567890123456:queues/{queue}"


def given_up(deployed: Deployment, message_id: str) -> dict:
    """What Lambda would tell of the record of a publication."""
    tables = deployed.tables
    arn = tables.describe_table(TableName=f"{PREFIX}publications")["Table"]["LatestStreamArn"]
    [shard] = tables.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = tables.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = tables.get_records(ShardIterator=start["ShardIterator"])["Records"]
    [sequence] = [
        record["dynamodb"]["SequenceNumber"]
        for record in records
        if record["dynamodb"]["Keys"]["sk"] == {"S": message_id}
    ]
    return {
        "timestamp": "2024-01-02T03:04:05.678Z",
        "requestContext": {"functionArn": "FanOut"},
        "DDBStreamBatchInfo": {
            "shardId": shard["ShardId"],
            "startSequenceNumber": sequence,
            "endSequenceNumber": sequence,
            "batchSize": 1,
            "streamArn": arn,
        },
    }
