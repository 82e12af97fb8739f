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


COUNTER = """
    import sys
    from botocore.exceptions import ClientError
    from infra.embedded.engine import EmbeddedEngine

    path, who, goal, size = sys.argv[1:]
    engine = EmbeddedEngine(path, now=lambda: 1_700_000_000_000)
    counter = {"p": {"S": "counter"}, "s": {"N": "1"}}
    tries = {"p": {"S": "tries"}, "s": {"N": who}}

    def increment(key, **condition):
        values = condition.pop("values", {})
        engine.update_item(
            TableName="things",
            Key=key,
            UpdateExpression="ADD v :one",
            ExpressionAttributeValues={":one": {"N": "1"}, **values},
            **condition,
        )

    def try_to_win():
        page = engine.batch_get_item(RequestItems={"things": {"Keys": [counter], "ConsistentRead": True}})
        seen = page["Responses"]["things"][0]["v"]
        if int(seen["N"]) >= int(goal):
            return None
        increment(tries)
        try:
            increment(counter, ConditionExpression="v = :seen", values={":seen": seen})
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return 0
        return int(seen["N"]) + 1

    print("ready", flush=True)
    input()
    tried = 0
    outcomes = [0]
    while None not in outcomes:
        with engine.batch():
            outcomes = [try_to_win() for _ in range(int(size))]
        tried += sum(outcome is not None for outcome in outcomes)
        print(*(outcome for outcome in outcomes if outcome), flush=True)
    print("tried", tried, flush=True)
"""


SLEEPER = """
    import sys, time
    from infra.embedded.engine import EmbeddedEngine

    engine = EmbeddedEngine(sys.argv[1], now=lambda: 1_700_000_000_000)
    with engine.batch():
        engine.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": "1"}, "v": {"S": "lost"}})
        print("wrote", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def start_process():
    """Starts scripts in processes of their own, and kills them at the end of the test."""
    started = []

    def start(script, *arguments):
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
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
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def start_writer(start_process):
    """Starts processes that write for ever and print how many items they have been promised."""
    return functools.partial(start_process, WRITER)


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


@pytest.fixture
def counting(open_engine, requests_for_tables, tmp_path, start_process):
    """An engine with a counter at 0, and processes that race to win its values, several in a transaction."""
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    engine.put_item(TableName="things", Item={"p": {"S": "counter"}, "s": {"N": "1"}, "v": {"N": "0"}})
    processes = [start_process(COUNTER, tmp_path / "mns.db", who, 1000, size) for who, size in enumerate((1, 2, 5))]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return engine, processes


def number_at(engine, partition, sort_key):
    item = engine.get_item(TableName="things", Key={"p": {"S": partition}, "s": {"N": str(sort_key)}})["Item"]
    return int(item["v"]["N"])


def test_of_several_processes_one_wins_each_value_and_no_increment_is_lost(counting):
    engine, processes = counting
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    won = [int(word) for output in outputs for word in output.partition("tried")[0].split()]
    assert sorted(won) == list(range(1, 1001))
    tried = [int(output.partition("tried")[2]) for output in outputs]
    assert [number_at(engine, "tries", who) for who in range(3)] == tried


def test_the_others_go_on_when_a_process_is_killed_while_it_writes(counting):
    engine, processes = counting
    killed = processes.pop()
    killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    won = [int(word) for output in outputs for word in output.partition("tried")[0].split()]
    assert len(set(won)) == len(won)
    assert number_at(engine, "counter", 1) == 1000


def test_a_writer_in_the_middle_of_its_batch_is_waited_for_and_may_die(open_engine, requests_for_tables, start_process):
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    sleeper = start_process(SLEEPER, engine._db.path)
    assert sleeper.stdout.readline() == "wrote\n"
    waiting = threading.Thread(target=engine.put_item, kwargs={"TableName": "things", "Item": KEY})
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    sleeper.send_signal(signal.SIGKILL)
    waiting.join(10)
    assert not waiting.is_alive()
    assert engine.scan(TableName="things")["Items"] == [KEY]


def test_what_was_read_in_a_batch_does_not_hinder_its_writes(open_engine, requests_for_tables):
    one, two = open_engine(), open_engine()
    one.create_table(**requests_for_tables["things"]())
    with one.batch():
        one.batch_get_item(RequestItems={"things": {"Keys": [KEY]}})
        two.put_item(TableName="things", Item={**KEY, "v": {"S": "two"}})
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            one.batch_get_item(RequestItems={"nowhere": {"Keys": [KEY]}})
        one.update_item(TableName="things", Key=KEY, UpdateExpression="SET w = v")
    assert two.get_item(TableName="things", Key=KEY)["Item"] == {**KEY, "v": {"S": "two"}, "w": {"S": "two"}}


def test_two_engines_in_one_thread_do_not_wait_for_ever(open_engine, requests_for_tables, refusal):
    one, two = open_engine(), open_engine()
    one.create_table(**requests_for_tables["things"]())
    two._db.execute("PRAGMA busy_timeout = 50").fetchone()
    with one.batch():
        one.put_item(TableName="things", Item=KEY)
        assert refusal(two.put_item, TableName="things", Item=KEY)["Error"]["Code"] == "ThrottlingException"
    two.put_item(TableName="things", Item={**KEY, "v": {"S": "two"}})
    one.put_item(TableName="things", Item={**KEY, "v": {"S": "one"}})
    assert two.get_item(TableName="things", Key=KEY)["Item"]["v"] == {"S": "one"}
