"""The database file: what survives, and which files are refused and left as they are."""

import hashlib
import shutil
import sqlite3
import struct
import threading

import pytest
from botocore.exceptions import ClientError

from infra.embedded import engine as embedded
from infra.embedded import errors

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}


@pytest.fixture
def file(open_engine, requests_for_tables, tmp_path):
    """A closed database file with one item."""
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    engine.update_time_to_live(TableName="things", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    engine.put_item(TableName="things", Item={**KEY, "ttl": {"N": "1700000005"}})
    engine.close()
    return tmp_path / "mns.db"


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_everything_is_there_after_a_restart(file, open_engine, clock, records, durability):
    engine = open_engine(durability=durability)
    table = engine.describe_table(TableName="things")["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert engine.describe_time_to_live(TableName="things")["TimeToLiveDescription"]["AttributeName"] == "ttl"
    (record,) = records(engine)
    assert record["dynamodb"]["Keys"] == KEY
    clock.advance(60)
    assert engine.expire(10) == 1
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records(engine)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 2


def test_an_iterator_outlives_a_restart(file, open_engine):
    engine = open_engine()
    stream = engine.list_streams()["Streams"][0]["StreamArn"]
    (shard,) = engine.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    iterator = engine.get_shard_iterator(StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="LATEST")
    engine.put_item(TableName="things", Item={**KEY, "v": {"S": "later"}})
    engine.close()
    (record,) = open_engine().get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert record["dynamodb"]["NewImage"]["v"] == {"S": "later"}


def refused(folder, clock, kind, reason):
    before = contents(folder)
    with pytest.raises(kind, match=reason):
        embedded.EmbeddedEngine(folder / "mns.db", now=clock)
    assert contents(folder) == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path, clock):
    (tmp_path / "mns.db").write_bytes(b"my precious notes\n" * 1000)
    refused(tmp_path, clock, errors.ForeignFileError, "choose another file name")


def test_a_database_of_another_program_is_left_alone(tmp_path, clock):
    connection = sqlite3.connect(tmp_path / "mns.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    refused(tmp_path, clock, errors.ForeignFileError, "is not an OpenMNS database")


def test_a_file_of_a_newer_version_is_left_alone(file, clock):
    data = bytearray(file.read_bytes())
    data[60:64] = struct.pack(">I", 99)
    file.write_bytes(data)
    refused(file.parent, clock, errors.NewerFileError, "layout version 99.*Upgrade OpenMNS")


def test_a_file_of_an_older_version_is_left_alone(file, clock):
    data = bytearray(file.read_bytes())
    data[60:64] = struct.pack(">I", 1)
    file.write_bytes(data)
    refused(file.parent, clock, errors.OlderFileError, "layout version 1.*move it away")


def test_a_truncated_file_is_left_alone(file, clock):
    file.write_bytes(file.read_bytes()[:-4096])
    refused(file.parent, clock, errors.DamagedFileError, "shorter than its header says")


def test_a_file_with_a_damaged_catalog_is_left_alone(file, clock):
    data = bytearray(file.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 200] = b"\xa5" * 200
    file.write_bytes(data)
    refused(file.parent, clock, errors.DamagedFileError, "restore a backup")


def test_damage_found_later_is_reported_and_not_written_over(file, open_engine):
    engine = open_engine()
    for number in range(300):
        engine.put_item(TableName="things", Item={**KEY, "s": {"N": str(number)}, "v": {"S": "x" * 500}})
    engine.close()
    data = bytearray(file.read_bytes())
    for page in range(len(data) // 2 // 4096 * 4096, len(data), 4096):
        data[page : page + 100] = b"\xa5" * 100
    file.write_bytes(data)
    engine = open_engine()

    def read_everything():
        for number in range(300):
            engine.get_item(TableName="things", Key={**KEY, "s": {"N": str(number)}})

    with pytest.raises(errors.DamagedFileError):
        read_everything()
    engine.close()
    assert file.read_bytes() == data


def test_a_file_without_its_folder_cannot_be_opened(tmp_path, clock):
    with pytest.raises(errors.UnusableFileError, match="check that its folder exists"):
        embedded.EmbeddedEngine(tmp_path / "nowhere" / "mns.db", now=clock)


def test_a_copy_with_its_log_is_as_good_as_the_original(open_engine, requests_for_tables, tmp_path):
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    engine.put_item(TableName="things", Item=KEY)
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"mns.db{suffix}", tmp_path / f"copy.db{suffix}")
    assert open_engine("copy.db").get_item(TableName="things", Key=KEY)["Item"] == KEY


@pytest.fixture
def full_disk(open_engine, requests_for_tables):
    """An engine whose file cannot grow any more, and the function that lets it grow again."""
    engine = open_engine()
    engine.create_table(**requests_for_tables["things"]())
    (pages,) = engine._db.execute("PRAGMA page_count").fetchone()
    engine._db.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    return engine, lambda: engine._db.execute("PRAGMA max_page_count = 1000000").fetchone()


def test_a_write_that_finds_the_disk_full_is_undone_and_reported(full_disk, refusal):
    engine, make_room = full_disk
    large = {**KEY, "v": {"S": "x" * 100_000}}
    told = []
    engine.subscribe(told.append)
    assert refusal(engine.put_item, TableName="things", Item=large)["Error"]["Code"] == "InternalServerError"
    assert told == []
    make_room()
    assert engine.scan(TableName="things")["Items"] == []
    engine.put_item(TableName="things", Item=large)
    assert engine.get_item(TableName="things", Key=KEY)["Item"] == large


def test_a_batch_that_finds_the_disk_full_is_lost_as_a_whole(full_disk, refusal):
    engine, make_room = full_disk

    def run_batch():
        with engine.batch():
            engine.put_item(TableName="things", Item={**KEY, "s": {"N": "0"}})
            refusal(engine.put_item, TableName="things", Item={**KEY, "v": {"S": "x" * 100_000}})
            refusal(engine.put_item, TableName="things", Item={**KEY, "s": {"N": "2"}})

    with pytest.raises(ClientError, match="InternalServerError"):
        run_batch()
    make_room()
    assert engine.scan(TableName="things")["Items"] == []
    with engine.batch():
        engine.put_item(TableName="things", Item=KEY)
    assert engine.scan(TableName="things")["Items"] == [KEY]


def test_engines_that_open_a_new_file_at_the_same_moment_share_it(open_engine, requests_for_tables):
    engines = []
    threads = [threading.Thread(target=lambda: engines.append(open_engine())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engines[0].create_table(**requests_for_tables["things"]())
    for number, engine in enumerate(engines):
        engine.put_item(TableName="things", Item={**KEY, "s": {"N": str(number)}})
    assert [engine.scan(TableName="things")["Count"] for engine in engines] == [6] * 6
