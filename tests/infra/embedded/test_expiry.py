"""Time to live."""

import pytest

START = 1_700_000_000


def put(engine, number, **attributes):
    engine.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": str(number)}, **attributes})


def enable(engine, attribute="ttl", *, enabled=True):
    engine.update_time_to_live(
        TableName="things", TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
    )


def stored(engine):
    return [int(item["s"]["N"]) for item in engine.scan(TableName="things")["Items"]]


@pytest.fixture
def mortal(things):
    enable(things)
    return things


def test_an_item_is_removed_once_its_time_is_over_and_not_before(mortal, clock):
    put(mortal, 1, ttl={"N": str(START + 10)})
    put(mortal, 2)
    clock.advance(10)
    assert mortal.expire(100) == 0
    clock.advance(1)
    assert stored(mortal) == [1, 2]
    assert mortal.expire(100) == 1
    assert stored(mortal) == [2]


def test_a_removal_is_recorded_as_the_services_own(mortal, clock, records):
    put(mortal, 1, ttl={"N": str(START + 10)}, l={"S": "x"})
    clock.advance(60)
    mortal.expire(100)
    removal = records(mortal)[-1]
    assert removal["eventName"] == "REMOVE"
    assert removal["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert removal["dynamodb"]["OldImage"]["ttl"] == {"N": str(START + 10)}
    assert mortal.scan(TableName="things", IndexName="by-l")["Items"] == []


def test_removal_stops_at_its_limit_and_takes_the_longest_overdue_first(mortal, clock):
    for number in range(5):
        put(mortal, number, ttl={"N": str(START + 10 - number)})
    clock.advance(60)
    assert mortal.expire(2) == 2
    assert stored(mortal) == [0, 1, 2]
    assert [mortal.expire(2), mortal.expire(2)] == [2, 1]


def test_an_update_moves_the_time(mortal, clock):
    put(mortal, 1, ttl={"N": str(START + 10)})
    mortal.update_item(
        TableName="things",
        Key={"p": {"S": "a"}, "s": {"N": "1"}},
        UpdateExpression="SET #t = :t",
        ExpressionAttributeNames={"#t": "ttl"},
        ExpressionAttributeValues={":t": {"N": str(START + 1000)}},
    )
    clock.advance(60)
    assert mortal.expire(100) == 0
    clock.advance(1000)
    assert mortal.expire(100) == 1


@pytest.mark.parametrize(
    "ttl", [{"S": str(START)}, {"N": "1"}, {"N": "1" + "0" * 40}, {"N": str(START - 6 * 365 * 24 * 3600)}]
)
def test_what_is_no_time_or_older_than_five_years_keeps_its_item(mortal, clock, ttl):
    put(mortal, 1, ttl=ttl)
    clock.advance(60)
    assert mortal.expire(100) == 0


def test_enabling_it_covers_items_that_are_there_already(things, clock):
    for number in range(3):
        put(things, number, end={"N": str(START + number)})
    enable(things, "end")
    clock.advance(2)
    assert things.expire(100) == 2
    enable(things, "end", enabled=False)
    clock.advance(60)
    assert things.expire(100) == 0


def test_the_setting_is_described_and_guarded(things, message):
    def described():
        return things.describe_time_to_live(TableName="things")["TimeToLiveDescription"]

    request = {"TableName": "things", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"}}
    disable = {"TableName": "things", "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "ttl"}}
    other = {"TableName": "things", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "end"}}
    assert described() == {"TimeToLiveStatus": "DISABLED"}
    assert "already disabled" in message(things.update_time_to_live, **disable)
    things.update_time_to_live(**request)
    assert described() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    assert "already enabled" in message(things.update_time_to_live, **request)
    assert "different AttributeName" in message(things.update_time_to_live, **other)
