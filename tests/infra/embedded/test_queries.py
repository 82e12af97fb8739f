"""Queries and scans of tables and indexes: order, bounds, paging, projections and what is refused."""

import decimal

import pytest


@pytest.fixture
def filled(things):
    """Ten items under one partition key; even ones have `l`, `m` falls while `s` rises, all have `g`."""
    for number in range(10):
        item = {
            "p": {"S": "a"},
            "s": {"N": str(number)},
            "m": {"N": str(100 - number)},
            "g": {"S": "group"},
            "x": {"S": f"x{number}"},
            "y": {"N": str(number % 3)},
        }
        if number % 2 == 0:
            item["l"] = {"S": f"l{number // 4}-{number}"}
        things.put_item(TableName="things", Item=item)
    things.put_item(TableName="things", Item={"p": {"S": "b"}, "s": {"N": "1"}})
    return things


def query(engine, condition, values, **request):
    return engine.query(
        TableName="things", KeyConditionExpression=condition, ExpressionAttributeValues=values, **request
    )


def sort_keys(response):
    return [int(item["s"]["N"]) for item in response["Items"]]


A = {":p": {"S": "a"}}


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("p = :p", {}, list(range(10))),
        (":p = p", {}, list(range(10))),
        ("p = :p AND s = :s", {":s": {"N": "3.0"}}, [3]),
        ("p = :p AND s < :s", {":s": {"N": "3"}}, [0, 1, 2]),
        ("p = :p AND s <= :s", {":s": {"N": "3"}}, [0, 1, 2, 3]),
        ("s > :s AND p = :p", {":s": {"N": "7"}}, [8, 9]),
        ("p = :p AND :s <= s", {":s": {"N": "7"}}, [7, 8, 9]),
        ("p = :p AND s BETWEEN :s AND :t", {":s": {"N": "2"}, ":t": {"N": "4"}}, [2, 3, 4]),
        ("p = :p AND (s BETWEEN :s AND :t)", {":s": {"N": "20"}, ":t": {"N": "40"}}, []),
    ],
)
def test_key_conditions_select_a_range(filled, condition, values, expected):
    response = query(filled, condition, {**A, **values})
    assert sort_keys(response) == expected
    assert (response["Count"], response["ScannedCount"]) == (len(expected), len(expected))
    assert sort_keys(query(filled, condition, {**A, **values}, ScanIndexForward=False)) == expected[::-1]


def test_numbers_sort_by_value(things):
    numbers = ["-1e30", "-12.5", "-12", "-0.5", "-0.004", "0", "0.004", "0.5", "9", "10", "10.5", "100", "3e40"]
    for number in numbers[::2] + numbers[1::2]:
        things.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": number}})
    items = query(things, "p = :p", A)["Items"]
    assert [decimal.Decimal(item["s"]["N"]) for item in items] == [decimal.Decimal(number) for number in numbers]


def test_an_index_holds_only_items_that_have_its_keys(filled):
    response = query(filled, "p = :p", A, IndexName="by-l")
    assert response["Items"] == [
        {"p": {"S": "a"}, "s": {"N": str(number)}, "l": {"S": f"l{number // 4}-{number}"}} for number in range(0, 10, 2)
    ]


def test_begins_with_selects_a_prefix_of_a_sort_key(filled):
    assert sort_keys(query(filled, "p = :p AND begins_with(l, :l)", {**A, ":l": {"S": "l1-"}}, IndexName="by-l")) == [
        4,
        6,
    ]


def test_begins_with_works_at_the_ends_of_unicode(things):
    for number, text in enumerate(["a\U0010ffff", "a\U0010ffff\U0010ffffz", "a\ud7ff", "b", "\U0010ffff", "\ue000"]):
        things.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": str(number)}, "l": {"S": text}})

    def found(prefix):
        values = {**A, ":l": {"S": prefix}}
        return sort_keys(query(things, "p = :p AND begins_with(l, :l)", values, IndexName="by-l"))

    assert found("a\U0010ffff") == [0, 1]
    assert found("a") == [2, 0, 1]
    assert found("\U0010ffff") == [4]
    assert found("a\ud7ff") == [2]


def test_a_binary_partition_key_of_an_index(things):
    for number in range(3):
        item = {"p": {"S": "a"}, "s": {"N": str(number)}, "h": {"B": bytes([number % 2, 255])}}
        things.put_item(TableName="things", Item=item)
    response = query(things, "h = :h", {":h": {"B": b"\x00\xff"}}, IndexName="by-h")
    assert sort_keys(response) == [0, 2]


def test_projections_of_indexes(filled):
    keys_only = query(filled, "g = :g", {":g": {"S": "group"}}, IndexName="by-g", Limit=1)["Items"]
    include = query(filled, "g = :g AND m = :m", {":g": {"S": "group"}, ":m": {"N": "97"}}, IndexName="by-gm")["Items"]
    everything = query(filled, "p = :p AND m = :m", {**A, ":m": {"N": "97"}}, IndexName="by-m")["Items"]
    assert keys_only == [{"p": {"S": "a"}, "s": {"N": "0"}, "g": {"S": "group"}}]
    key = {"p": {"S": "a"}, "s": {"N": "3"}, "g": {"S": "group"}, "m": {"N": "97"}}
    assert include == [{**key, "x": {"S": "x3"}}]
    assert everything == [{**key, "x": {"S": "x3"}, "y": {"N": "0"}}]


def test_a_local_index_fetches_what_it_does_not_hold(filled):
    values = {**A, ":l": {"S": "l0-2"}}
    projected = query(filled, "p = :p AND l = :l", values, IndexName="by-l", ProjectionExpression="x")
    whole = query(filled, "p = :p AND l = :l", values, IndexName="by-l", Select="ALL_ATTRIBUTES")
    assert projected["Items"] == [{"x": {"S": "x2"}}]
    assert whole["Items"][0]["y"] == {"N": "2"}


def test_an_update_moves_adds_and_removes_index_entries(filled):
    def update(number, expression, **values):
        filled.update_item(
            TableName="things",
            Key={"p": {"S": "a"}, "s": {"N": str(number)}},
            UpdateExpression=expression,
            **(
                {"ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()}}
                if values
                else {}
            ),
        )

    update(0, "SET l = :l", l="l9")
    update(1, "SET l = :l", l="l0")
    update(2, "REMOVE l")
    filled.delete_item(TableName="things", Key={"p": {"S": "a"}, "s": {"N": "4"}})
    assert sort_keys(query(filled, "p = :p", A, IndexName="by-l")) == [1, 6, 8, 0]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 3, 10, 11])
@pytest.mark.parametrize(
    ("condition", "values", "index"),
    [
        ("p = :p", A, None),
        ("p = :p AND s > :s", {**A, ":s": {"N": "2"}}, None),
        ("p = :p AND s BETWEEN :s AND :t", {**A, ":s": {"N": "2"}, ":t": {"N": "8"}}, None),
        ("p = :p", A, "by-l"),
        ("p = :p AND l > :l", {**A, ":l": {"S": "l0-1"}}, "by-l"),
        ("p = :p", A, "by-m"),
        ("g = :g", {":g": {"S": "group"}}, "by-g"),
        ("g = :g AND m < :m", {":g": {"S": "group"}, ":m": {"N": "99"}}, "by-gm"),
    ],
)
def test_pages_join_to_the_whole(filled, condition, values, index, limit, forward):
    request = {"ScanIndexForward": forward, **({"IndexName": index} if index else {})}
    whole = query(filled, condition, values, **request)
    assert "LastEvaluatedKey" not in whole
    joined, start = [], {}
    while True:
        page = query(filled, condition, values, **request, **start, Limit=limit)
        assert page["ScannedCount"] <= limit
        joined += page["Items"]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert joined == whole["Items"]


def test_a_page_that_ends_exactly_at_the_limit_says_where_to_go_on(filled):
    page = query(filled, "p = :p AND l > :l", {**A, ":l": {"S": "l1"}}, IndexName="by-l", Limit=3)
    assert page["LastEvaluatedKey"] == {"p": {"S": "a"}, "s": {"N": "8"}, "l": {"S": "l2-8"}}


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
@pytest.mark.parametrize(
    "request_members",
    [{}, {"Select": "COUNT"}, {"ScanIndexForward": False}, {"ProjectionExpression": "l, s"}, {"ConsistentRead": True}],
)
def test_a_page_of_index_entries_is_the_same_whether_it_is_priced_or_not(filled, limit, request_members):
    page = {"TableName": "things", "IndexName": "by-l", "Limit": limit, **request_members}
    condition = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": A}
    for read, told in ((filled.query, condition), (filled.scan, {})):
        if read == filled.scan and "ScanIndexForward" in page:
            continue
        free = read(**page, **told)
        priced = read(**page, **told, ReturnConsumedCapacity="INDEXES")
        assert priced.pop("ConsumedCapacity")["CapacityUnits"] > 0
        assert free == priced
        assert free["Count"] == min(limit, 5)
        assert ("LastEvaluatedKey" in free) == (limit <= 5)


def test_the_start_need_not_exist(filled):
    start = {"p": {"S": "a"}, "s": {"N": "4.5"}}
    assert sort_keys(query(filled, "p = :p", A, ExclusiveStartKey=start)) == [5, 6, 7, 8, 9]
    start = {"p": {"S": "a"}, "s": {"N": "77"}, "l": {"S": "l1-6"}}
    assert sort_keys(query(filled, "p = :p", A, IndexName="by-l", ExclusiveStartKey=start)) == [8]


def test_items_equal_in_an_index_key_are_paged_without_loss(things):
    for number in range(7):
        things.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": str(number)}, "l": {"S": "same"}})
    seen, start = [], {}
    while True:
        page = query(things, "p = :p", A, IndexName="by-l", Limit=2, **start)
        seen += sort_keys(page)
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert seen == list(range(7))


def test_a_page_ends_at_one_megabyte(things):
    for number in range(5):
        item = {"p": {"S": "a"}, "s": {"N": str(number)}, "v": {"S": "x" * 300_000}}
        things.put_item(TableName="things", Item=item)
    first = query(things, "p = :p", A)
    assert sort_keys(first) == [0, 1, 2, 3]
    assert sort_keys(query(things, "p = :p", A, ExclusiveStartKey=first["LastEvaluatedKey"])) == [4]


def test_a_filter_is_applied_after_the_limit(filled):
    response = query(filled, "p = :p", {**A, ":y": {"N": "0"}}, FilterExpression="y = :y", Limit=5)
    assert sort_keys(response) == [0, 3]
    assert (response["Count"], response["ScannedCount"]) == (2, 5)
    assert response["LastEvaluatedKey"] == {"p": {"S": "a"}, "s": {"N": "4"}}


def test_counting_returns_no_items(filled):
    response = query(filled, "p = :p", {**A, ":y": {"N": "0"}}, FilterExpression="y = :y", Select="COUNT")
    assert "Items" not in response
    assert (response["Count"], response["ScannedCount"]) == (4, 10)


def test_a_scan_sees_every_item_once_whatever_the_pages_and_segments(filled):
    everything = {(item["p"]["S"], item["s"]["N"]) for item in filled.scan(TableName="things")["Items"]}
    assert len(everything) == 11
    for segments in (1, 3):
        seen = []
        for segment in range(segments):
            start = {}
            while True:
                page = filled.scan(TableName="things", Limit=2, Segment=segment, TotalSegments=segments, **start)
                seen += [(item["p"]["S"], item["s"]["N"]) for item in page["Items"]]
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert sorted(seen) == sorted(everything)


def test_a_scan_of_an_index_sees_its_items(filled):
    response = filled.scan(
        TableName="things",
        IndexName="by-l",
        FilterExpression="s > :s",
        ExpressionAttributeValues={":s": {"N": "3"}},
    )
    assert sorted(sort_keys(response)) == [4, 6, 8]
    assert response["ScannedCount"] == 5


@pytest.mark.parametrize(
    ("condition", "values", "request_members", "reason"),
    [
        ("s = :s", {":s": {"N": "1"}}, {}, "Query condition missed key schema element: p"),
        ("p > :p", A, {}, "Query key condition not supported"),
        ("p = :p AND x = :x", {**A, ":x": {"S": "x"}}, {}, "Query condition missed key schema element: s"),
        ("p = :p AND p = :p", A, {}, "must only contain one condition per key"),
        ("p = :p AND s <> :s", {**A, ":s": {"N": "1"}}, {}, "Invalid operator used in KeyConditionExpression: <>"),
        ("p = :p OR s = :s", {**A, ":s": {"N": "1"}}, {}, "Invalid operator used in KeyConditionExpression: OR"),
        ("p = :p AND NOT s = :s", {**A, ":s": {"N": "1"}}, {}, "Invalid operator used in KeyConditionExpression: NOT"),
        ("p = :p AND s IN (:s)", {**A, ":s": {"N": "1"}}, {}, "Invalid operator used in KeyConditionExpression: IN"),
        ("p = :p AND attribute_exists(s)", A, {}, "Invalid operator used in KeyConditionExpression: attribute_exists"),
        ("p = :p AND s.a = :s", {**A, ":s": {"N": "1"}}, {}, "cannot have conditions on nested attributes"),
        ("p = :p AND s = :s", {**A, ":s": {"S": "1"}}, {}, "Condition parameter type does not match schema type"),
        ("p = :p", {":p": {"S": ""}}, {}, "cannot contain an empty string value. Key: p"),
        ("p = :p AND begins_with(l, :p)", A, {}, "Query condition missed key schema element: s"),
        ("g = :p AND m = :m", {**A, ":m": {"N": "1"}}, {"IndexName": "by-g"}, "Query key condition not supported"),
        ("p = :p", A, {"IndexName": "nowhere"}, "The table does not have the specified index: nowhere"),
        ("g = :p", A, {"IndexName": "by-g", "ConsistentRead": True}, "Consistent reads are not supported on global"),
        ("g = :p", A, {"IndexName": "by-g", "Select": "ALL_ATTRIBUTES"}, "its projection type is not ALL"),
        ("g = :p", A, {"IndexName": "by-g", "ProjectionExpression": "x"}, "not projected into the global"),
        ("p = :p", A, {"Select": "ALL_PROJECTED_ATTRIBUTES"}, "can be used only when Querying using an IndexName"),
        ("p = :p", A, {"Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or ProjectionExpression"),
        ("p = :p", A, {"Select": "COUNT", "ProjectionExpression": "x"}, "Cannot specify the ProjectionExpression"),
        ("p = :p", A, {"Limit": 0}, "Member must have value greater than or equal to 1"),
        ("p = :p", A, {"FilterExpression": "attribute_exists(s)"}, "can only contain non-primary key attributes"),
        ("p = :p", A, {"ExclusiveStartKey": {"p": {"S": "a"}}}, "The provided starting key is invalid"),
        (
            "p = :p",
            A,
            {"ExclusiveStartKey": {"p": {"S": "a"}, "s": {"S": "1"}}},
            "The provided starting key is invalid",
        ),
        ("p = :p", A, {"ExclusiveStartKey": {"p": {"S": "b"}, "s": {"N": "1"}}}, "outside query boundaries"),
        (
            "p = :p AND s > :s",
            {**A, ":s": {"N": "5"}},
            {"ExclusiveStartKey": {"p": {"S": "a"}, "s": {"N": "5"}}},
            "does not match the range key predicate",
        ),
    ],
)
def test_a_faulty_query_is_refused(filled, message, condition, values, request_members, reason):
    found = message(
        filled.query,
        TableName="things",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **request_members,
    )
    assert reason in found


def test_a_query_needs_a_key_condition(filled, message):
    assert "must be specified in the request" in message(filled.query, TableName="things")


def test_a_scan_needs_both_segment_members(filled, message):
    assert "given together" in message(filled.scan, TableName="things", Segment=0)
    assert "less than parameter TotalSegments" in message(filled.scan, TableName="things", Segment=2, TotalSegments=2)
