"""What functions gave up is done again: the queue is moto's, the stream the embedded engine's."""

import json

import boto3
import moto
import pytest

from chalicelib.storage import schema
from infra.aws import replay
from infra.bench import listening
from infra.local import engine as engines
from tests import live

PREFIX = "openmns-dev-"
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:openmns-dev-FanOut-1"
AT = "2024-01-02T03:04:05.678Z"


class World:
    """A queue of dead records, a stream with three publications, and a function that notes what it is handed."""

    def __init__(self, engine):
        self.engine = engine
        self.queue = boto3.client("sqs", **KEYS)
        self.url = self.queue.create_queue(QueueName=live.unique("dead"))["QueueUrl"]  # moto may be in use
        for name in "abc":
            item = {"pk": {"S": "t1#0"}, "sk": {"S": name}, "body": {"S": name}}
            engine.put_item(TableName=PREFIX + schema.PUBLICATIONS.name, Item=item)
            changed = item | {"body": {"S": "changed"}}  # a record that no filter lets pass
            engine.put_item(TableName=PREFIX + schema.PUBLICATIONS.name, Item=changed)
        self.handed = []
        self.answers = []

    def invoke(self, function, event):
        assert function == FUNCTION
        self.handed.append(event)
        answer = self.answers.pop(0) if self.answers else {"batchItemFailures": []}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def records(self):
        arn = self.engine.describe_table(TableName=PREFIX + schema.PUBLICATIONS.name)["Table"]["LatestStreamArn"]
        [shard] = self.engine.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        records = self.engine.get_records(ShardIterator=self.engine.get_shard_iterator(**start)["ShardIterator"])
        return arn, shard["ShardId"], [record["dynamodb"]["SequenceNumber"] for record in records["Records"]]

    def give_up(self, first: int = 0, last: int = -1, **changes):
        """As Lambda tells of a stream's batch that its function has failed at too often."""
        arn, shard, sequences = self.records()
        batch = {
            "shardId": shard,
            "startSequenceNumber": sequences[first],
            "endSequenceNumber": sequences[last],
            "approximateArrivalOfFirstRecord": AT,
            "approximateArrivalOfLastRecord": AT,
            "batchSize": 3,
            "streamArn": arn,
        }
        self.tell({"DDBStreamBatchInfo": batch | changes})

    def tell(self, what):
        context = {"requestId": "r", "functionArn": FUNCTION, "condition": "RetryAttemptsExhausted"}
        body = {"version": "1.0", "timestamp": AT, "requestContext": context} | what
        self.queue.send_message(QueueUrl=self.url, MessageBody=json.dumps(body))

    def run(self, **told):
        made = replay.Replay(queue=self.queue, url=self.url, streams=self.engine, invoke=self.invoke, patience=0)
        return [(one.outcome.value, one.detail) for one in made.run(**told)]

    def left(self) -> int:
        wanted = ["ApproximateNumberOfMessages"]
        found = self.queue.get_queue_attributes(QueueUrl=self.url, AttributeNames=wanted)["Attributes"]
        return int(found[wanted[0]])


@pytest.fixture
def world(embedded_engine):
    engines.make_tables(embedded_engine, PREFIX)
    with moto.mock_aws(config={"core": {"mock_credentials": False}}):
        yield World(embedded_engine)


def bodies(event):
    return [record["dynamodb"]["NewImage"]["body"]["S"] for record in event["Records"]]


def test_the_records_of_a_batch_are_handed_to_their_function_as_its_mapping_does_and_the_message_goes(world):
    world.give_up()
    assert world.run() == [("done", "3 records of openmns-dev-publications")]
    [event] = world.handed
    assert bodies(event) == ["a", "b", "c"]
    record = json.loads(json.dumps(event["Records"][0]))  # it is JSON's
    assert (record["eventName"], record["eventSourceARN"]) == ("INSERT", world.records()[0])
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)
    assert world.left() == 0
    assert world.run() == []


def test_no_record_beyond_the_batch_is_handed_over(world):
    world.give_up(2, 3)
    assert world.run() == [("done", "1 records of openmns-dev-publications")]
    assert bodies(world.handed[0]) == ["b"]


def test_an_event_of_a_bucket_is_handed_over_as_it_is_told(world):
    event = {"Records": [{"s3": "…"}]}
    world.answers = [{"events": 1, "messages": 1}]
    world.tell({"requestPayload": event, "responsePayload": {"errorMessage": "no"}})
    assert world.run() == [("done", "an event of a bucket")]
    assert (world.handed, world.left()) == ([event], 0)


def test_what_a_function_leaves_over_is_handed_over_again_as_long_as_it_gets_on(world):
    _, _, sequences = world.records()
    stuck = {"batchItemFailures": [{"itemIdentifier": sequences[2]}]}
    world.answers = [stuck, stuck]
    world.give_up()
    assert world.run() == [("failed", f"2 records are left over, from {sequences[2]} on")]
    assert [bodies(event) for event in world.handed] == [["a", "b", "c"], ["b", "c"]]
    assert world.left() == 1


def test_what_fails_again_stays_for_the_next_time_and_holds_up_nothing_else(world):
    world.give_up()
    world.give_up()
    world.answers = [replay.FunctionError("still broken")]
    assert sorted(world.run()) == [("done", "3 records of openmns-dev-publications"), ("failed", "still broken")]
    assert world.run() == [("done", "3 records of openmns-dev-publications")]
    assert world.left() == 0


def test_records_that_their_stream_has_no_more_are_told_of_and_forgotten_if_wanted(world):
    arn, _, sequences = world.records()
    world.give_up()
    world.engine.trim(1_000, {arn: sequences[-1]})
    gone = ("gone", "3 records of openmns-dev-publications can be read no more")
    assert (world.run(), world.left()) == ([gone], 1)
    assert (world.run(discard=True), world.left()) == ([gone], 0)
    assert world.handed == []


@pytest.mark.parametrize(
    "body", ["", "hello", "[]", "{}", '{"timestamp": "x", "requestContext": {"functionArn": "f"}}']
)
def test_what_is_no_message_of_lambdas_stays_and_holds_up_nothing(world, body):
    world.queue.send_message(QueueUrl=world.url, MessageBody=body or " ")
    world.give_up()
    no, done = "this is no message of Lambda's: delete it by hand", "3 records of openmns-dev-publications"
    assert sorted(world.run()) == [("done", done), ("failed", no)]
    assert world.left() == 1


def test_who_only_looks_changes_nothing(world):
    world.give_up()
    for _ in range(2):
        assert world.run(look=True) == [("seen", "3 records of openmns-dev-publications")]
    assert (world.handed, world.left()) == ([], 1)


@pytest.mark.parametrize("failure", [None, "still broken"])
def test_a_function_is_invoked_by_lambdas_client(failure):
    asked = []

    def answer(request: listening.Request) -> listening.Answer:
        asked.append((request.path, json.loads(request.body)))
        if failure:
            headers = [("X-Amz-Function-Error", "Unhandled")]
            return listening.Answer(status=200, headers=headers, body=json.dumps({"errorMessage": failure}).encode())
        return listening.Answer(status=200, body=b'{"batchItemFailures": []}')

    listener = listening.Listener(answer)
    client = boto3.session.Session().client("lambda", endpoint_url=listener.url, **KEYS)
    invoke = replay.by_lambda(client)
    event = {"Records": [{"dynamodb": {"NewImage": {"sealed": {"B": b"\x00\xff"}}}}]}
    if failure:
        with pytest.raises(replay.FunctionError, match=failure):
            invoke("FanOut", event)
    else:
        assert invoke("FanOut", event) == {"batchItemFailures": []}
    client.close()
    listener.close()
    image = {"Records": [{"dynamodb": {"NewImage": {"sealed": {"B": "AP8="}}}}]}
    assert asked == [("/2015-03-31/functions/FanOut/invocations", image)]
