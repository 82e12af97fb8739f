"""Creating, describing, listing and deleting tables."""

import pytest


def test_a_table_is_described_as_it_was_created(engine, clock, requests_for_tables):
    request = requests_for_tables["things"]()
    created = engine.create_table(**request)["TableDescription"]
    described = engine.describe_table(TableName="things")["Table"]
    assert created == described
    assert described["TableStatus"] == "ACTIVE"
    assert described["KeySchema"] == request["KeySchema"]
    assert described["AttributeDefinitions"] == request["AttributeDefinitions"]
    assert described["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert described["CreationDateTime"].timestamp() * 1000 == clock.now
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert [index["IndexName"] for index in described["LocalSecondaryIndexes"]] == ["by-l", "by-m"]
    assert {index["IndexStatus"] for index in described["GlobalSecondaryIndexes"]} == {"ACTIVE"}


def test_a_name_can_be_used_once_until_the_table_is_deleted(things, requests_for_tables, refusal):
    request = requests_for_tables["things"]()
    assert refusal(things.create_table, **request)["Error"]["Code"] == "ResourceInUseException"
    things.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": "1"}})
    assert things.delete_table(TableName="things")["TableDescription"]["TableStatus"] == "DELETING"
    assert refusal(things.describe_table, TableName="things")["Error"]["Code"] == "ResourceNotFoundException"
    things.create_table(**request)
    assert things.scan(TableName="things")["Items"] == []


def test_a_recreated_table_has_another_stream_even_at_the_same_moment(things, requests_for_tables):
    before = things.describe_table(TableName="things")["Table"]["LatestStreamArn"]
    things.delete_table(TableName="things")
    things.create_table(**requests_for_tables["things"]())
    assert things.describe_table(TableName="things")["Table"]["LatestStreamArn"] != before


def test_tables_are_listed_by_name_in_pages(engine, requests_for_tables):
    for name in ("ccc", "aaa", "bbb"):
        engine.create_table(**requests_for_tables["plain"](name))
    first = engine.list_tables(Limit=2)
    second = engine.list_tables(ExclusiveStartTableName=first["LastEvaluatedTableName"])
    assert first["TableNames"] == ["aaa", "bbb"]
    assert second["TableNames"] == ["ccc"]
    assert "LastEvaluatedTableName" not in second


def test_a_table_can_be_named_by_its_resource_name(things):
    arn = things.describe_table(TableName="things")["Table"]["TableArn"]
    things.put_item(TableName=arn, Item={"p": {"S": "a"}, "s": {"N": "1"}})
    assert things.scan(TableName="things")["Count"] == 1


def test_a_protected_table_is_not_deleted(engine, requests_for_tables, message):
    engine.create_table(**requests_for_tables["plain"](DeletionProtectionEnabled=True))
    assert "protected against deletion" in message(engine.delete_table, TableName="plain")


HASH = [{"AttributeName": "p", "KeyType": "HASH"}]
RANGE = [{"AttributeName": "q", "KeyType": "RANGE"}]
P = {"AttributeName": "p", "AttributeType": "S"}
Q = {"AttributeName": "q", "AttributeType": "S"}
ALL = {"ProjectionType": "ALL"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TableName": "a b"}, "Member must satisfy regular expression pattern"),
        ({"TableName": "ab"}, "Member must satisfy regular expression pattern"),
        ({"KeySchema": RANGE}, "The first KeySchemaElement is not a HASH key type"),
        ({"KeySchema": HASH + HASH}, "The second KeySchemaElement is not a RANGE key type"),
        ({"KeySchema": [*HASH, {"AttributeName": "p", "KeyType": "RANGE"}]}, "have the same name"),
        ({"KeySchema": HASH + RANGE}, "not defined in AttributeDefinitions"),
        ({"AttributeDefinitions": [P, Q]}, "AttributeDefinitions"),
        ({"AttributeDefinitions": [P, P]}, "Duplicate AttributeName"),
        ({"AttributeDefinitions": [{**P, "AttributeType": "L"}]}, "Member must satisfy enum value set"),
        ({"BillingMode": "FREE"}, "Member must satisfy enum value set"),
        ({"BillingMode": "PROVISIONED"}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "can be specified when BillingMode",
        ),
        ({"LocalSecondaryIndexes": []}, "List of LocalSecondaryIndexes is empty"),
        ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
        (
            {"LocalSecondaryIndexes": [{"IndexName": "iii", "KeySchema": HASH, "Projection": ALL}]},
            "does not have a range key",
        ),
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "iii", "KeySchema": HASH, "Projection": {}}]},
            "Unknown ProjectionType: None",
        ),
        (
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "iii", "KeySchema": HASH, "Projection": {**ALL, "NonKeyAttributes": ["x"]}}
                ]
            },
            "but NonKeyAttributes is specified",
        ),
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "iii", "KeySchema": HASH, "Projection": ALL}] * 2},
            "Duplicate index name: iii",
        ),
        (
            {
                "KeySchema": HASH + RANGE,
                "AttributeDefinitions": [P, Q],
                "LocalSecondaryIndexes": [
                    {
                        "IndexName": "iii",
                        "KeySchema": [
                            {"AttributeName": "q", "KeyType": "HASH"},
                            {"AttributeName": "p", "KeyType": "RANGE"},
                        ],
                        "Projection": ALL,
                    }
                ],
            },
            "does not have the same leading hash key",
        ),
        ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType must be specified"),
    ],
)
def test_a_faulty_table_is_refused(engine, requests_for_tables, message, changes, reason):
    assert reason in message(engine.create_table, **{**requests_for_tables["plain"](), **changes})
    assert engine.list_tables()["TableNames"] == []


def test_an_index_may_share_keys_with_its_table(engine):
    engine.create_table(
        TableName="mirrored",
        AttributeDefinitions=[P, Q],
        KeySchema=HASH + RANGE,
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "reversed",
                "KeySchema": [{"AttributeName": "q", "KeyType": "HASH"}, {"AttributeName": "p", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    for p in "cab":
        engine.put_item(TableName="mirrored", Item={"p": {"S": p}, "q": {"S": "x"}})
    request = {
        "TableName": "mirrored",
        "IndexName": "reversed",
        "KeyConditionExpression": "q = :q",
        "ExpressionAttributeValues": {":q": {"S": "x"}},
    }
    first = engine.query(**request, Limit=2)
    second = engine.query(**request, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["p"]["S"] for item in first["Items"] + second["Items"]] == ["a", "b", "c"]
