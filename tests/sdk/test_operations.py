"""One suite of operations, run by every official client against a live server.

The only waits are those that the semantics ask for: visibility and delay have one second as their smallest unit.
"""

import time
from collections.abc import Callable
from concurrent import futures

import pytest

from tests import live
from tests.sdk import clients
from tests.sdk.clients import Draft, RefusedError

pytestmark = pytest.mark.filterwarnings(  # of the Python client, wherever it reads or writes its own counts
    "ignore:Call to deprecated .* (active|inactive|delay)_messages:DeprecationWarning"
)

UNICODE = "订单 №7: naïve café 🚀 \t<b>&amp;</b> ]]> \"'"
WHITESPACE = "  two blanks, a tab\t, an empty line\n\n and the end \n"


def in_background(function: Callable[..., object], *arguments: object) -> "futures.Future[object]":
    """Start a call in a thread of its own; give it a moment to be on its way."""
    pool = futures.ThreadPoolExecutor(1)
    answer = pool.submit(function, *arguments)
    pool.shutdown(wait=False)
    time.sleep(0.2)
    return answer


def refusal(function: Callable[..., object], *arguments: object, **named: object) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(RefusedError) as caught:
        function(*arguments, **named)
    return caught.value.code


# --- Queues ----------------------------------------------------------------------------------------------------------


def test_creating_a_queue_answers_201_then_204_for_the_same_attributes_both_with_its_url(client, server, name):
    url = f"{server.endpoint}/queues/{name}"
    assert client.create_queue(name, VisibilityTimeout=60) == (201, url)
    assert client.create_queue(name, VisibilityTimeout=60) == (204, url)
    assert client.create_queue(name, VisibilityTimeout=60, DelaySeconds=0) == (204, url)  # the default, spelled out


def test_creating_a_queue_that_exists_with_other_attributes_is_refused_with_queue_already_exist(client, name):
    client.create_queue(name, VisibilityTimeout=60)
    assert refusal(client.create_queue, name, VisibilityTimeout=61) == "QueueAlreadyExist"
    assert refusal(client.create_queue, name) == "QueueAlreadyExist"


def test_a_queue_created_with_nothing_said_has_the_documented_defaults(client, name):
    before = int(time.time())
    client.create_queue(name)
    attributes = client.get_attributes(name)
    assert before <= attributes["CreateTime"] <= time.time()
    assert attributes == {
        "QueueName": name,
        "DelaySeconds": 0,
        "MaximumMessageSize": 65536,
        "MessageRetentionPeriod": 345600,
        "VisibilityTimeout": 30,
        "PollingWaitSeconds": 0,
        "LoggingEnabled": False,
        "ActiveMessages": 0,
        "InactiveMessages": 0,
        "DelayMessages": 0,
        "CreateTime": attributes["CreateTime"],
        "LastModifyTime": attributes["CreateTime"],
    }


def test_all_writable_attributes_are_kept_as_given_at_creation(client, name):
    given = {
        "DelaySeconds": 604800,
        "MaximumMessageSize": 1024,
        "MessageRetentionPeriod": 60,
        "VisibilityTimeout": 43200,
        "PollingWaitSeconds": 30,
        "LoggingEnabled": True,
    }
    client.create_queue(name, **given)
    attributes = client.get_attributes(name)
    assert {attribute: attributes[attribute] for attribute in given} == given


def test_setting_attributes_changes_those_named_and_leaves_the_others(client, name):
    client.create_queue(name, VisibilityTimeout=60, DelaySeconds=5)
    before = client.get_attributes(name)
    client.set_attributes(name, DelaySeconds=7, LoggingEnabled=True)
    after = client.get_attributes(name)
    assert after == before | {
        "DelaySeconds": 7,
        "LoggingEnabled": True,
        "LastModifyTime": after["LastModifyTime"],
    }
    assert after["LastModifyTime"] >= before["LastModifyTime"]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("DelaySeconds", 604801),
        ("MaximumMessageSize", 1023),
        ("MaximumMessageSize", 65537),
        ("MessageRetentionPeriod", 59),
        ("MessageRetentionPeriod", 604801),
        ("VisibilityTimeout", 43201),
        ("PollingWaitSeconds", 31),
    ],
)
def test_an_attribute_out_of_its_range_is_refused_with_invalid_argument_and_changes_nothing(
    client, queue, attribute, value
):
    before = client.get_attributes(queue)
    assert refusal(client.set_attributes, queue, **{attribute: value, "LoggingEnabled": True}) == "InvalidArgument"
    assert refusal(client.create_queue, live.unique(), **{attribute: value}) == "InvalidArgument"
    assert client.get_attributes(queue) == before


def test_the_counts_of_a_queue_tell_active_inactive_and_delayed_messages_apart(client, queue):
    client.send_batch(queue, [Draft(body="now")] * 3 + [Draft(body="later", delay=60)] * 2)
    client.receive(queue)
    attributes = client.get_attributes(queue)
    counts = {count: attributes[count] for count in ("ActiveMessages", "InactiveMessages", "DelayMessages")}
    assert counts == {"ActiveMessages": 2, "InactiveMessages": 1, "DelayMessages": 2}


def test_a_deleted_queue_is_gone_and_deleting_it_again_is_no_error(client, queue):
    client.delete_queue(queue)
    assert refusal(client.get_attributes, queue) == "QueueNotExist"
    client.delete_queue(queue)


def test_a_queue_created_anew_under_the_name_of_a_deleted_one_is_empty(client, queue):
    client.send(queue, Draft(body="of the first"))
    client.delete_queue(queue)
    assert client.create_queue(queue)[0] == 201
    assert refusal(client.receive, queue) == "MessageNotExist"
    assert client.get_attributes(queue)["ActiveMessages"] == 0


@pytest.mark.parametrize(
    ("bad_name", "code"),
    [
        ("-begins-with-a-hyphen", "InvalidQueueName"),
        ("under_score", "InvalidQueueName"),
        ("q" * 121, "QueueNameLengthError"),
    ],
)
def test_a_name_that_no_queue_may_have_is_refused(client, bad_name, code):
    assert refusal(client.create_queue, bad_name) == code


def test_queues_are_listed_by_prefix_in_ascending_order_with_their_urls(client, server, name):
    for suffix in ("b", "c", "a"):
        client.create_queue(f"{name}-{suffix}")
    assert client.list_queues(f"{name}-") == (
        [f"{server.endpoint}/queues/{name}-{suffix}" for suffix in "abc"],
        None,
    )


def test_a_listing_is_paged_by_limit_and_marker_until_the_marker_is_missing(client, server, name):
    names = [f"{name}-{number}" for number in range(5)]
    for one in names:
        client.create_queue(one)
    pages, marker = [], None
    while not pages or marker:
        urls, marker = client.list_queues(f"{name}-", limit=2, marker=marker)
        pages.append([url.removeprefix(f"{server.endpoint}/queues/") for url in urls])
    assert pages == [names[0:2], names[2:4], names[4:5]]


def test_a_full_last_page_has_no_marker(client, name):
    for suffix in ("a", "b"):
        client.create_queue(f"{name}-{suffix}")
    urls, marker = client.list_queues(f"{name}-", limit=2)
    assert (len(urls), marker) == (2, None)


def test_a_listing_that_finds_nothing_is_empty(client, name):
    assert client.list_queues(name) == ([], None)


@pytest.mark.parametrize("limit", [1001, 100000])
def test_a_listing_with_a_limit_out_of_range_is_refused(client, limit):
    assert refusal(client.list_queues, "q", limit=limit) == "InvalidArgument"


def test_a_listing_with_a_marker_of_nobody_is_refused(client):
    assert refusal(client.list_queues, "q", marker="%%%") == "InvalidArgument"


# --- Messages --------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_received_with_all_its_fields_and_deleted(client, queue):
    before = time.time_ns() // 1_000_000
    sent = client.send(queue, Draft(body="hello"))
    got = client.receive(queue)
    after = time.time_ns() // 1_000_000
    assert sent == clients.Sent(message_id=got.message_id, body_md5=live.body_md5(client.on_wire("hello")))
    assert got == clients.Delivery(
        message_id=sent.message_id,
        body="hello",
        body_md5=sent.body_md5,
        priority=8,
        dequeue_count=1,
        enqueue_time=got.enqueue_time,
        first_dequeue_time=got.first_dequeue_time,
        next_visible_time=got.first_dequeue_time + 30_000,
        receipt_handle=got.receipt_handle,
    )
    assert before <= got.enqueue_time <= got.first_dequeue_time <= after
    assert got.receipt_handle
    client.delete(queue, got.receipt_handle)
    assert refusal(client.receive, queue) == "MessageNotExist"
    assert refusal(client.delete, queue, got.receipt_handle) == "MessageNotExist"


def test_a_received_message_is_hidden_from_everybody_else(client, connect, queue):
    client.send(queue, Draft(body="one"))
    client.receive(queue)
    assert refusal(connect().receive, queue) == "MessageNotExist"
    assert refusal(client.peek, queue) == "MessageNotExist"


@pytest.mark.parametrize("body", [UNICODE, WHITESPACE, "\u0085\u2028 line separators \ufeff", "x"])
def test_a_body_comes_back_as_it_was_sent(client, queue, body):
    sent = client.send(queue, Draft(body=body))
    [in_batch] = client.send_batch(queue, [Draft(body=body)])
    assert sent.body_md5 == in_batch.body_md5 == live.body_md5(client.on_wire(body))
    assert client.peek(queue).body == body
    assert [got.body for got in client.receive_batch(queue, 16)] == [body, body]


def test_a_message_of_64_kb_as_sent_is_taken_and_one_byte_more_is_refused(client, queue):
    characters = 65536 if client.on_wire("xxx") == "xxx" else 49152  # base64 makes four of three
    client.send(queue, Draft(body="x" * characters))
    assert refusal(client.send, queue, Draft(body="x" * (characters + 1))) == "InvalidArgument"
    assert client.receive(queue).body == "x" * characters


def test_a_message_larger_than_the_queue_takes_is_refused(client, name):
    client.create_queue(name, MaximumMessageSize=1024)
    assert refusal(client.send, name, Draft(body="x" * 1025)) == "InvalidArgument"


def test_a_batch_of_16_is_sent_received_and_deleted_in_order(client, queue):
    bodies = [f"message {number:02}" for number in range(16)]
    sent = client.send_batch(queue, [Draft(body=body) for body in bodies])
    got = client.receive_batch(queue, 16)
    assert [item.body for item in got] == bodies
    assert [(item.message_id, item.body_md5) for item in got] == [(item.message_id, item.body_md5) for item in sent]
    client.delete_batch(queue, [item.receipt_handle for item in got])
    attributes = client.get_attributes(queue)
    assert (attributes["ActiveMessages"], attributes["InactiveMessages"]) == (0, 0)


def test_a_batch_receive_answers_with_what_is_there(client, queue):
    client.send_batch(queue, [Draft(body="a"), Draft(body="b")])
    assert [item.body for item in client.receive_batch(queue, 16, 5)] == ["a", "b"]
    assert refusal(client.receive_batch, queue, 16) == "MessageNotExist"


def test_a_batch_of_17_is_refused_as_a_whole(client, queue):
    assert refusal(client.send_batch, queue, [Draft(body="x")] * 17) == "InvalidArgument"
    assert refusal(client.receive_batch, queue, 17) == "InvalidArgument"
    assert refusal(client.peek_batch, queue, 17) == "InvalidArgument"
    assert refusal(client.delete_batch, queue, ["handle"] * 17) == "InvalidArgument"
    assert client.get_attributes(queue)["ActiveMessages"] == 0


def test_a_batch_that_fails_in_parts_stores_the_rest_and_tells_each_outcome_in_order(client, queue):
    with pytest.raises(RefusedError) as caught:
        client.send_batch(queue, [Draft(body="good"), Draft(body="bad", priority=99), Draft(body="fine")])
    got = client.receive_batch(queue, 16)
    assert [item.body for item in got] == ["good", "fine"]
    assert caught.value.code == "InvalidArgument"
    assert caught.value.entries == [
        {"MessageId": got[0].message_id, "MessageBodyMD5": got[0].body_md5},
        {"ErrorCode": "InvalidArgument", "ErrorMessage": "The value of Priority should between 1 and 16."},
        {"MessageId": got[1].message_id, "MessageBodyMD5": got[1].body_md5},
    ]


def test_a_batch_delete_that_fails_in_parts_deletes_the_rest_and_names_what_failed(client, queue):
    client.send_batch(queue, [Draft(body="a"), Draft(body="b")])
    gone, left = client.receive_batch(queue, 2)
    client.delete(queue, gone.receipt_handle)
    with pytest.raises(RefusedError) as caught:
        client.delete_batch(queue, [gone.receipt_handle, left.receipt_handle, "no-handle"])
    assert caught.value.code == "MessageNotExist"
    assert caught.value.entries == [
        {
            "ErrorCode": "MessageNotExist",
            "ErrorMessage": "Message not exist.",
            "ReceiptHandle": gone.receipt_handle,
        },
        {
            "ErrorCode": "ReceiptHandleError",
            "ErrorMessage": "The receipt handle you provided is not valid.",
            "ReceiptHandle": "no-handle",
        },
    ]
    assert refusal(client.delete, queue, left.receipt_handle) == "MessageNotExist"


def test_a_peek_shows_a_message_and_changes_nothing(client, queue):
    sent = client.send(queue, Draft(body="look"))
    first, second = client.peek(queue), client.peek(queue)
    assert first == second
    assert first == clients.Delivery(
        message_id=sent.message_id,
        body="look",
        body_md5=sent.body_md5,
        priority=8,
        dequeue_count=0,
        enqueue_time=first.enqueue_time,
        first_dequeue_time=first.enqueue_time,
    )
    assert client.receive(queue).dequeue_count == 1


def test_a_batch_peek_shows_up_to_as_many_as_asked_for(client, queue):
    client.send_batch(queue, [Draft(body=body) for body in "abc"])
    assert [item.body for item in client.peek_batch(queue, 2)] == ["a", "b"]
    assert [item.body for item in client.peek_batch(queue, 16)] == ["a", "b", "c"]


def test_a_peek_into_a_queue_without_active_messages_is_refused_with_message_not_exist(client, queue):
    assert refusal(client.peek, queue) == "MessageNotExist"
    client.send(queue, Draft(body="later", delay=60))
    assert refusal(client.peek_batch, queue, 16) == "MessageNotExist"


def test_messages_are_received_by_priority_and_then_in_the_order_sent(client, queue):
    for priority, body in [(16, "last"), (8, "middle"), (1, "first"), (None, "default"), (2, "second")]:
        client.send(queue, Draft(body=body, priority=priority))
    got = client.receive_batch(queue, 16)
    assert [(item.priority, item.body) for item in got] == [
        (1, "first"),
        (2, "second"),
        (8, "middle"),
        (8, "default"),
        (16, "last"),
    ]


def test_a_delayed_message_cannot_be_received_but_deleted_with_the_handle_of_its_send(client, queue):
    sent = client.send(queue, Draft(body="later", delay=60))
    assert sent.receipt_handle
    assert refusal(client.receive, queue) == "MessageNotExist"
    client.delete(queue, sent.receipt_handle)
    assert client.get_attributes(queue)["DelayMessages"] == 0


def test_the_queue_delays_messages_that_name_no_delay_and_an_explicit_zero_wins_over_it(client, name):
    client.create_queue(name, DelaySeconds=60)
    delayed = client.send(name, Draft(body="as the queue says"))
    client.send(name, Draft(body="at once", delay=0))
    assert delayed.receipt_handle
    assert [item.body for item in client.receive_batch(name, 16)] == ["at once"]


def test_changing_the_visibility_replaces_the_handle_and_the_old_one_fails(client, queue):
    client.send(queue, Draft(body="keep"))
    old = client.receive(queue).receipt_handle
    before = time.time_ns() // 1_000_000
    new, next_visible = client.change_visibility(queue, old, 600)
    assert before + 600_000 <= next_visible <= time.time_ns() // 1_000_000 + 600_000
    assert new != old
    assert refusal(client.delete, queue, old) == "MessageNotExist"
    assert refusal(client.change_visibility, queue, old, 60) == "MessageNotExist"
    client.delete(queue, new)


def test_after_its_visibility_timeout_a_message_is_received_again_and_the_old_handle_fails(client, connect, name):
    client.create_queue(name, VisibilityTimeout=1)
    client.send(name, Draft(body="again"))
    first = client.receive(name)
    started = time.monotonic()
    second = connect().receive(name, 5)
    assert time.monotonic() - started < 2.5
    assert second == clients.Delivery(
        message_id=first.message_id,
        body="again",
        body_md5=first.body_md5,
        priority=8,
        dequeue_count=2,
        enqueue_time=first.enqueue_time,
        first_dequeue_time=first.first_dequeue_time,
        next_visible_time=second.next_visible_time,
        receipt_handle=second.receipt_handle,
    )
    assert second.next_visible_time >= first.next_visible_time + 1000
    assert refusal(client.delete, name, first.receipt_handle) == "MessageNotExist"


def test_a_visibility_changed_to_one_second_ends_after_one_second(client, queue):
    client.send(queue, Draft(body="soon"))
    client.change_visibility(queue, client.receive(queue).receipt_handle, 1)
    started = time.monotonic()
    assert client.receive(queue, 5).dequeue_count == 2
    assert 0.7 < time.monotonic() - started < 2.5


# --- Long polls ------------------------------------------------------------------------------------------------------


def test_a_long_poll_is_answered_as_soon_as_a_message_is_sent(client, connect, queue):
    poll = in_background(connect().receive, queue, 20)
    started = time.monotonic()
    client.send(queue, Draft(body="here"))
    assert poll.result(10).body == "here"
    assert time.monotonic() - started < 1.5


def test_a_long_poll_is_answered_when_the_delay_of_a_message_is_over(client, queue):
    client.send(queue, Draft(body="in a second", delay=1))
    started = time.monotonic()
    assert [got.body for got in client.receive_batch(queue, 16, 20)] == ["in a second"]
    assert 0.7 < time.monotonic() - started < 2.5


def test_the_queue_says_how_long_a_receive_waits_that_does_not_say_it(client, name):
    client.create_queue(name, PollingWaitSeconds=1)
    started = time.monotonic()
    assert refusal(client.receive, name) == "MessageNotExist"
    assert 0.9 < time.monotonic() - started < 2.5


def test_a_long_poll_of_more_than_30_seconds_is_refused(client, queue):
    assert refusal(client.receive, queue, 31) == "InvalidArgument"


# --- Properties ------------------------------------------------------------------------------------------------------

USER_PROPERTIES = {
    "city": ("STRING", "杭州 & <more>"),
    "retry": ("NUMBER", "3"),
    "urgent": ("BOOLEAN", "true"),
    "blob": ("BINARY", "AAEC/w=="),
}
SYSTEM_PROPERTIES = {
    "traceparent": ("STRING", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    "baggage": ("STRING", "userId=alice"),
}


def test_user_and_system_properties_and_the_group_travel_with_a_message(client, queue):
    client.send(
        queue,
        Draft(
            body="with luggage",
            group_id="customer-42",
            user_properties=USER_PROPERTIES,
            system_properties=SYSTEM_PROPERTIES,
        ),
    )
    peeked, got = client.peek(queue), client.receive(queue)
    assert got.group_id == "customer-42"
    assert (got.user_properties, got.system_properties) == (USER_PROPERTIES, SYSTEM_PROPERTIES)
    assert (peeked.user_properties, peeked.system_properties) == (USER_PROPERTIES, SYSTEM_PROPERTIES)


def test_in_a_batch_each_message_has_its_own_properties_and_group(client, queue):
    client.send_batch(
        queue,
        [
            Draft(body="a", user_properties=USER_PROPERTIES),
            Draft(body="b", group_id="g-1"),
            Draft(body="c", system_properties=SYSTEM_PROPERTIES),
        ],
    )
    got = client.receive_batch(queue, 16)
    assert [(item.body, item.group_id, item.user_properties, item.system_properties) for item in got] == [
        ("a", None, USER_PROPERTIES, {}),
        ("b", "g-1", {}, {}),
        ("c", None, {}, SYSTEM_PROPERTIES),
    ]


# --- Errors ----------------------------------------------------------------------------------------------------------


def test_every_operation_on_a_queue_that_is_not_there_is_refused_with_queue_not_exist(client, name):
    assert [
        refusal(client.get_attributes, name),
        refusal(client.set_attributes, name, DelaySeconds=1),
        refusal(client.send, name, Draft(body="x")),
        refusal(client.send_batch, name, [Draft(body="x")]),
        refusal(client.receive, name),
        refusal(client.receive, name, 20),
        refusal(client.receive_batch, name, 16),
        refusal(client.peek, name),
        refusal(client.peek_batch, name, 16),
        refusal(client.delete, name, "handle"),
        refusal(client.delete_batch, name, ["handle"]),
        refusal(client.change_visibility, name, "handle", 30),
    ] == ["QueueNotExist"] * 12


def test_a_handle_of_nobody_or_of_another_queue_is_refused_with_receipt_handle_error(client, queue, name):
    other = f"{name}-other"
    client.create_queue(other)
    client.send(other, Draft(body="x"))
    handle = client.receive(other).receipt_handle
    assert [
        refusal(client.delete, queue, "1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA=="),
        refusal(client.delete, queue, handle),
        refusal(client.change_visibility, queue, handle, 30),
        refusal(client.delete_batch, queue, [handle]),
    ] == ["ReceiptHandleError"] * 4
    client.delete(other, handle)


@pytest.mark.parametrize("draft", [Draft(body="x", priority=17), Draft(body="x", delay=604801)])
def test_a_message_with_a_value_out_of_range_is_refused_with_invalid_argument(client, queue, draft):
    assert refusal(client.send, queue, draft) == "InvalidArgument"
    assert refusal(client.send_batch, queue, [draft]) == "InvalidArgument"


def test_a_visibility_out_of_range_is_refused_with_invalid_argument_and_the_handle_stays_good(client, queue):
    client.send(queue, Draft(body="x"))
    handle = client.receive(queue).receipt_handle
    assert refusal(client.change_visibility, queue, handle, 0) == "InvalidArgument"
    client.delete(queue, handle)


def test_a_wrong_secret_is_refused_with_the_string_to_sign_that_the_server_built(connect, name):
    key = live.Key(account_id=live.OWNER.account_id, access_key_id=live.OWNER.access_key_id, secret="wrong")
    with pytest.raises(RefusedError) as caught:
        connect(key).get_attributes(name)
    assert caught.value.code == "SignatureDoesNotMatch"
    assert f"x-mns-version:2015-06-06\n/queues/{name}" in caught.value.message


def test_an_access_key_that_nobody_has_is_refused_with_invalid_access_key_id(connect, name):
    key = live.Key(account_id=live.OWNER.account_id, access_key_id="nobody", secret=live.OWNER.secret)
    with pytest.raises(RefusedError) as caught:
        connect(key).get_attributes(name)
    assert caught.value.code == "InvalidAccessKeyId"
    assert "The access Id you provided is not exist." in caught.value.message  # the Node client's tests look for it


# --- Accounts --------------------------------------------------------------------------------------------------------


def test_accounts_do_not_see_each_others_queues_messages_or_handles(client, connect, name):
    other = connect(live.OTHER)
    client.create_queue(name, VisibilityTimeout=60)
    client.send(name, Draft(body="of the first"))
    handle = client.receive(name).receipt_handle
    assert refusal(other.get_attributes, name) == "QueueNotExist"
    assert other.list_queues(name) == ([], None)
    assert other.create_queue(name, VisibilityTimeout=61)[0] == 201
    assert refusal(other.receive, name) == "MessageNotExist"
    assert refusal(other.delete, name, handle) == "ReceiptHandleError"
    other.delete_queue(name)
    client.delete(name, handle)


def test_account_attributes_are_kept_for_each_account(client, connect):
    other, bucket = connect(live.OTHER), live.unique("bucket")
    client.set_logging_bucket(bucket)
    other.set_logging_bucket("of-the-other")
    assert (client.get_logging_bucket(), other.get_logging_bucket()) == (bucket, "of-the-other")


def test_opening_the_service_answers_with_the_number_of_an_order(client):
    assert client.open_service().isdecimal()
