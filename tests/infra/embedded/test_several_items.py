"""Batches and transactions."""

import pytest


def key(number):
    return {"p": {"S": "a"}, "s": {"N": str(number)}}


def put(number, **attributes):
    return {"PutRequest": {"Item": {**key(number), **attributes}}}


def stored(engine):
    return [item["s"]["N"] for item in engine.scan(TableName="things")["Items"]]


def test_a_batch_puts_and_deletes_in_several_tables(things, requests_for_tables):
    things.create_table(**requests_for_tables["plain"]())
    things.put_item(TableName="things", Item=key(9))
    response = things.batch_write_item(
        RequestItems={
            "things": [put(1), put(2), {"DeleteRequest": {"Key": key(9)}}],
            "plain": [{"PutRequest": {"Item": {"p": {"S": "x"}}}}],
        }
    )
    assert response["UnprocessedItems"] == {}
    assert stored(things) == ["1", "2"]
    assert things.scan(TableName="plain")["Items"] == [{"p": {"S": "x"}}]


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ([put(number) for number in range(26)], "Too many items requested"),
        ([put(1), put("1.0")], "Provided list of item keys contains duplicates"),
        ([put(1), {"DeleteRequest": {"Key": key(1)}}], "Provided list of item keys contains duplicates"),
        ([], "Member must have length greater than or equal to 1"),
        ([put(1), put(2, l={"N": "1"})], "Type mismatch for Index Key"),
        ([put(1), {}], "must contain exactly one"),
    ],
)
def test_a_faulty_batch_write_is_refused_as_a_whole(things, message, requests, reason):
    assert reason in message(things.batch_write_item, RequestItems={"things": requests})
    assert stored(things) == []


def test_a_batch_get_finds_what_is_there(things):
    for number in range(3):
        things.put_item(TableName="things", Item={**key(number), "v": {"S": "x"}})
    response = things.batch_get_item(
        RequestItems={
            "things": {
                "Keys": [key(number) for number in (2, 0, 7)],
                "ProjectionExpression": "#s",
                "ExpressionAttributeNames": {"#s": "s"},
            }
        }
    )
    assert response["Responses"] == {"things": [{"s": {"N": "2"}}, {"s": {"N": "0"}}]}
    assert response["UnprocessedKeys"] == {}


def test_a_batch_get_leaves_keys_over_when_16_mb_are_reached(things):
    for number in range(45):
        things.put_item(TableName="things", Item={**key(number), "v": {"S": "x" * 390_000}})
    response = things.batch_get_item(RequestItems={"things": {"Keys": [key(number) for number in range(45)]}})
    left = response["UnprocessedKeys"]["things"]["Keys"]
    assert len(response["Responses"]["things"]) + len(left) == 45
    assert left == [key(44)]


def test_a_faulty_batch_get_is_refused(things, message):
    too_many = {"things": {"Keys": [key(number) for number in range(101)]}}
    doubled = {"things": {"Keys": [key(1), key("1.0")]}}
    assert "Too many items requested" in message(things.batch_get_item, RequestItems=too_many)
    assert "contains duplicates" in message(things.batch_get_item, RequestItems=doubled)


def action(kind, number, **members):
    subject = {"Item": key(number)} if kind == "Put" else {"Key": key(number)}
    return {kind: {"TableName": "things", **subject, **members}}


def test_a_transaction_does_everything(things):
    things.put_item(TableName="things", Item=key(1))
    things.put_item(TableName="things", Item=key(3))
    things.transact_write_items(
        TransactItems=[
            action("Delete", 1),
            action("Put", 2),
            action("ConditionCheck", 3, ConditionExpression="attribute_exists(p)"),
            action("Update", 4, UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "x"}}),
        ]
    )
    assert stored(things) == ["2", "3", "4"]


def test_a_transaction_does_nothing_when_one_condition_fails(things, refusal):
    things.put_item(TableName="things", Item={**key(1), "v": {"S": "old"}})
    response = refusal(
        things.transact_write_items,
        TransactItems=[
            action("Put", 2),
            action(
                "Delete",
                1,
                ConditionExpression="attribute_not_exists(v)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ),
            action("Update", 1.5, UpdateExpression="SET a = b"),
        ],
    )
    assert response["Error"] == {
        "Code": "TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ValidationError]",
    }
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {**key(1), "v": {"S": "old"}},
        },
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
    ]
    assert stored(things) == ["1"]


@pytest.mark.parametrize(
    ("actions", "reason"),
    [
        ([action("Put", 1), action("Delete", 1)], "cannot include multiple operations on one item"),
        ([action("Put", number) for number in range(101)], "Member must have length less than or equal to 100"),
        ([{**action("Put", 1), **action("Delete", 2)}], "can only contain one of Check, Put, Update or Delete"),
        ([action("ConditionCheck", 1)], "The ConditionExpression of a ConditionCheck must not be null"),
        ([action("Put", 1), action("Put", 2, ConditionExpression="(")], "Syntax error"),
    ],
)
def test_a_faulty_transaction_is_refused(things, message, actions, reason):
    assert reason in message(things.transact_write_items, TransactItems=actions)
    assert stored(things) == []


def test_a_transaction_repeated_with_its_token_happens_once(things, clock, refusal):
    update = {"UpdateExpression": "ADD v :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    request = {"TransactItems": [action("Update", 1, **update)], "ClientRequestToken": "token"}
    for _ in range(2):
        things.transact_write_items(**request)
    assert things.get_item(TableName="things", Key=key(1))["Item"]["v"] == {"N": "1"}
    other = {"TransactItems": [action("Put", 2)], "ClientRequestToken": "token"}
    error = refusal(things.transact_write_items, **other)["Error"]
    assert error["Code"] == "IdempotentParameterMismatchException"
    clock.advance(601)
    things.transact_write_items(**request)
    assert things.get_item(TableName="things", Key=key(1))["Item"]["v"] == {"N": "2"}


def test_a_transactional_get_answers_in_order(things):
    things.put_item(TableName="things", Item=key(1))
    gets = [{"Get": {"TableName": "things", "Key": key(number)}} for number in (2, 1)]
    assert things.transact_get_items(TransactItems=gets)["Responses"] == [{}, {"Item": key(1)}]


def test_calls_of_one_engine_batch_share_a_commit_and_keep_their_own_fate(things, refusal):
    woken = []
    things.subscribe(woken.append)
    with things.batch():
        things.put_item(TableName="things", Item=key(1))
        failed = refusal(
            things.put_item, TableName="things", Item=key(1), ConditionExpression="attribute_not_exists(p)"
        )
        refusal(things.put_item, TableName="things", Item={"p": {"S": "a"}})
        things.update_item(
            TableName="things", Key=key(1), UpdateExpression="SET v = :v", ExpressionAttributeValues={":v": {"S": "x"}}
        )
        things.transact_write_items(TransactItems=[action("Put", 2)])
        assert woken == []
    assert failed["Error"]["Code"] == "ConditionalCheckFailedException"
    assert things.get_item(TableName="things", Key=key(1))["Item"] == {**key(1), "v": {"S": "x"}}
    assert stored(things) == ["1", "2"]
    assert woken == [frozenset({"things"})]


def test_a_batch_within_a_batch_is_a_mistake(things):
    with things.batch(), pytest.raises(RuntimeError), things.batch():
        pass


def test_an_exception_of_the_caller_undoes_what_a_batch_has_done_and_the_next_one_is_whole(things):
    woken = []
    things.subscribe(woken.append)

    def put_and_fail():
        with things.batch():
            things.put_item(TableName="things", Item=key(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put_and_fail()
    assert (stored(things), woken) == ([], [])
    with things.batch():
        things.put_item(TableName="things", Item=key(2))
    assert stored(things) == ["2"]
