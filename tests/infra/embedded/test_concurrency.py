"""Threads, processes and sudden death."""

import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from botocore.exceptions import ClientError

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}


def run_threads(*work):
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def claim(engine, who, winners):
    try:
        engine.update_item(
            TableName="things",
            Key=KEY,
            UpdateExpression="SET claimed = :who",
            ConditionExpression="attribute_not_exists(claimed)",
            ExpressionAttributeValues={":who": {"N": str(who)}},
        )
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"  # noqa: PT017 - losing is fine
    else:
        winners.append(who)


def test_of_many_threads_that_claim_an_item_one_wins(open_engine, requests_for_tables):
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    for _ in range(20):
        engine.put_item(TableName="things", Item=KEY)
        winners = []
        run_threads(*(functools.partial(claim, engine, who, winners) for who in range(8)))
        assert len(winners) == 1


def test_of_two_engines_on_one_file_one_wins_each_claim(open_engine, requests_for_tables):
    engines = [open_engine(), open_engine()]
    engines[0].create_table(**requests_for_tables["things"]())
    for _ in range(20):
        engines[0].put_item(TableName="things", Item=KEY)
        winners = []
        run_threads(*(functools.partial(claim, engines[who], who, winners) for who in range(2)))
        assert len(winners) == 1


def test_no_increment_is_lost_between_threads_and_batches(open_engine, requests_for_tables):
    engines = [open_engine(), open_engine()]
    engines[0].create_table(**requests_for_tables["things"]())

    def increment(engine):
        for _ in range(25):
            engine.update_item(
                TableName="things",
                Key=KEY,
                UpdateExpression="ADD v :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def increment_in_batch(engine):
        with engine.batch():
            increment(engine)

    run_threads(
        *(functools.partial(increment, engine) for engine in engines * 2),
        *(functools.partial(increment_in_batch, engine) for engine in engines * 2),
    )
    assert engines[0].get_item(TableName="things", Key=KEY)["Item"]["v"] == {"N": "200"}


def test_one_engine_sees_the_tables_that_another_makes_changes_and_deletes(open_engine, requests_for_tables, clock):
    one, two = open_engine(), open_engine()
    one.create_table(**requests_for_tables["things"]())
    two.put_item(TableName="things", Item=KEY)
    one.update_time_to_live(TableName="things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    two.put_item(TableName="things", Item={**KEY, "ttl": {"N": "1700000001"}})
    clock.advance(60)
    assert one.expire(10) == 1
    one.delete_table(TableName="things")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        two.put_item(TableName="things", Item=KEY)
    one.create_table(**requests_for_tables["things"]())
    two.put_item(TableName="things", Item=KEY)
    assert one.scan(TableName="things")["Items"] == [KEY]


def test_a_stale_table_is_noticed_within_a_batch_too(open_engine, requests_for_tables):
    one, two = open_engine(), open_engine()
    for name in ("things", "plain"):
        one.create_table(**requests_for_tables[name]())
    two.put_item(TableName="plain", Item={"p": {"S": "0"}})
    two.put_item(TableName="things", Item=KEY)
    one.update_time_to_live(TableName="things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    with two.batch():
        two.put_item(TableName="plain", Item={"p": {"S": "1"}})
        two.put_item(TableName="things", Item={**KEY, "v": {"S": "x"}})
    assert one.scan(TableName="plain")["Count"] == 2
    assert one.get_item(TableName="things", Key=KEY)["Item"]["v"] == {"S": "x"}


def test_foreign_commits_are_noticed(open_engine, requests_for_tables):
    one, two = open_engine(), open_engine()
    before = one.foreign_commits()
    one.create_table(**requests_for_tables["things"]())
    assert one.foreign_commits() == before
    two.put_item(TableName="things", Item=KEY)
    assert one.foreign_commits() != before


WRITER = """
    import sys
    from infra.embedded.engine import EmbeddedEngine

    path, mode = sys.argv[1:]
    engine = EmbeddedEngine(path, now=lambda: 1_700_000_000_000)

    def put(number):
        item = {"p": {"S": mode}, "s": {"N": str(number)}, "l": {"S": "x"}, "v": {"S": "x" * 1000}}
        engine.put_item(TableName="things", Item=item)

    number = 0
    while True:
        if mode == "single":
            put(number)
        else:
            with engine.batch():
                for offset in range(5):
                    put(number + offset)
        number += 1 if mode == "single" else 5
        print(number, flush=True)
"""


@pytest.fixture
def start_writer(tmp_path):
    """Starts processes that write for ever and print how many items they have been promised; kills them."""
    started = []

    def start(path, mode):
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", textwrap.dedent(WRITER), path, mode],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(process):
    """Kill -9; returns the last number that was printed."""
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    return int(output.split("\n")[-2]) if "\n" in output else 0


def wait_for(process, number):
    while int(process.stdout.readline()) < number:
        pass


@pytest.mark.parametrize("mode", ["single", "batch"])
def test_what_was_promised_survives_kill_9(open_engine, requests_for_tables, tmp_path, records, start_writer, mode):
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    engine.close()
    promised = 0
    for target in (20, 200):
        process = start_writer(tmp_path / "mns.db", mode)
        wait_for(process, target)
        promised = max(promised, target, kill(process))
    engine = open_engine()
    stored, start = [], {}
    while True:
        page = engine.query(
            TableName="things",
            IndexName="by-l",
            KeyConditionExpression="p = :p",
            ExpressionAttributeValues={":p": {"S": mode}},
            **start,
        )
        stored += [int(item["s"]["N"]) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert stored == list(range(len(stored)))
    assert len(stored) >= promised
    assert mode == "single" or len(stored) % 5 == 0
    changed = {int(record["dynamodb"]["Keys"]["s"]["N"]) for record in records(engine)}
    assert changed == set(stored[: len(changed)])


def test_two_processes_write_one_file(open_engine, requests_for_tables, tmp_path, start_writer):
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    processes = {mode: start_writer(tmp_path / "mns.db", mode) for mode in ("single", "batch")}
    for process in processes.values():
        wait_for(process, 100)
    promised = {mode: max(100, kill(process)) for mode, process in processes.items()}
    for mode, number in promised.items():
        for sort_key in (0, number - 1):
            key = {"p": {"S": mode}, "s": {"N": str(sort_key)}}
            assert "Item" in engine.get_item(TableName="things", Key=key, ConsistentRead=True)
