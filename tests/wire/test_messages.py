"""Messages on the wire: the bodies and queries of section 6, and what the Python SDK makes of our answers."""

import pytest
from mns import message_property, mns_xml_handler
from mns.queue import Message

from chalicelib.model import errors, message
from chalicelib.wire import http, messages

ID_A = "0A1B2C3D4E5F60718293A4B5C6D7E8FA"
ID_B = "0A1B2C3D4E5F60718293A4B5C6D7E8FB"
HANDLE = "8-0zxjHAX72zPzaztyz0z6GXzcSROgZnrPNl"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

STORED = message.Message(
    message_id=ID_A,
    shard=0,
    body="b3JkZXItMQ==",
    priority=8,
    enqueued_at=1_704_164_640_123,
    expires_at=1_704_510_240_123,
    visible_at=1_704_164_705_456,
    stamp="00000000000a",
    first_dequeued_at=1_704_164_645_456,
    dequeue_count=1,
)
FRESH = STORED.evolve(first_dequeued_at=None, dequeue_count=0, visible_at=1_704_164_640_123)


def entry(name, value, kind):
    return message.Property(name=name, value=value, type=message.PropertyType(kind))


DRESSED = STORED.evolve(
    group_id="customer-42",
    user_properties=(
        entry("city", "hangzhou", "STRING"),
        entry("retry", "3", "NUMBER"),
        entry("blob", "AAEC", "BINARY"),
    ),
    system_properties=(entry("traceparent", TRACE, "STRING"),),
)


def document(root, *lines):
    opening = f'<?xml version="1.0" ?>\n<{root} xmlns="http://mns.aliyuncs.com/doc/v1">\n'
    return (opening + "".join(f"{line}\n" for line in lines) + f"</{root}>").encode()


def asked(query):
    return http.Request(method="GET", path="/queues/demo/messages", query=query)


def refusal(parse, argument):
    with pytest.raises(errors.MnsError) as raised:
        parse(argument)
    return raised.value.code, raised.value.message


# What a send hands in

DELAYED_WITH_PROPERTIES = f"""<Message xmlns="http://mns.aliyuncs.com/doc/v1/">
  <MessageBody>b3JkZXItMQ==</MessageBody><DelaySeconds>300</DelaySeconds>
  <UserProperties>
    <PropertyValue><Name>city</Name><Value>hangzhou</Value><Type>STRING</Type></PropertyValue>
    <PropertyValue><Name>retry</Name><Value>3</Value><Type>NUMBER</Type></PropertyValue>
    <PropertyValue><Name>blob</Name><Value>AAEC</Value><Type>BINARY</Type></PropertyValue>
  </UserProperties>
  <SystemProperties>
    <SystemPropertyValue><Name>traceparent</Name><Value>{TRACE}</Value><Type>STRING</Type></SystemPropertyValue>
  </SystemProperties>
</Message>"""


@pytest.mark.parametrize(
    ("body", "draft"),
    [
        (
            (
                '<Message xmlns="http://mns.aliyuncs.com/doc/v1/"><MessageBody>SGVsbG8sIE1OUyE=</MessageBody>'
                "<Priority>8</Priority></Message>"
            ),
            message.Draft(body="SGVsbG8sIE1OUyE=", priority=8),
        ),
        (
            DELAYED_WITH_PROPERTIES,
            message.Draft(
                body="b3JkZXItMQ==",
                delay_seconds=300,
                user_properties=DRESSED.user_properties,
                system_properties=DRESSED.system_properties,
            ),
        ),
        (
            (
                '<Message xmlns="http://mns.aliyuncs.com/doc/v1/"><MessageBody>b3JkZXItMg==</MessageBody>'
                "<MessageGroupId>customer-42</MessageGroupId></Message>"
            ),
            message.Draft(body="b3JkZXItMg==", group_id="customer-42"),
        ),
        (
            "<Message><MessageBody> a\n</MessageBody><DelaySeconds>0</DelaySeconds></Message>",
            message.Draft(body=" a\n", delay_seconds=0),
        ),
        ("<Message><MessageBody>x</MessageBody><Priority>0</Priority></Message>", message.Draft(body="x", priority=8)),
        ("<Message><MessageBody>x</MessageBody><MessageGroupId/></Message>", message.Draft(body="x")),
        ("<Message><MessageBody>x</MessageBody><UserProperties/></Message>", message.Draft(body="x")),
        ("<Message><MessageBody>x</MessageBody><MessageTag>t</MessageTag></Message>", message.Draft(body="x")),
        (
            (
                "<Message><MessageBody>x</MessageBody><UserProperties><PropertyValue><Type> BOOLEAN </Type>"
                "<Value>true</Value><Name>b</Name></PropertyValue></UserProperties></Message>"
            ),
            message.Draft(body="x", user_properties=(entry("b", "true", "BOOLEAN"),)),
        ),
        (
            (
                "<Message><MessageBody>x</MessageBody><UserProperties><PropertyValue><Name>e</Name><Value/>"
                "<Type>STRING</Type></PropertyValue></UserProperties></Message>"
            ),
            message.Draft(body="x", user_properties=(entry("e", "", "STRING"),)),
        ),
    ],
    ids=[
        "24.6",
        "24.7",
        "24.8",
        "white space in a body",
        "Go's priority 0",
        "empty group id",
        "empty properties",
        "unknown element",
        "a type with white space",
        "empty value",
    ],
)
def test_a_message_is_a_draft(body, draft):
    assert messages.parse_messages(body.encode()) == draft


def test_messages_are_drafts_in_their_order_and_an_error_where_an_entry_is_bad():
    body = b"""<Messages xmlns="http://mns.aliyuncs.com/doc/v1/">
  <Message><MessageBody>b3JkZXItMQ==</MessageBody></Message>
  <Message><MessageBody>b3JkZXItMg==</MessageBody><Priority>99</Priority></Message>
  <Message><MessageBody>b3JkZXItMw==</MessageBody><Priority>1</Priority></Message>
</Messages>"""
    first, second, third = messages.parse_messages(body)
    assert (first, third) == (message.Draft(body="b3JkZXItMQ=="), message.Draft(body="b3JkZXItMw==", priority=1))
    assert (second.code, second.message) == ("InvalidArgument", "The value of Priority should between 1 and 16.")


def test_a_batch_may_be_empty_on_the_wire_and_what_is_no_message_in_it_does_not_count():
    assert messages.parse_messages(b"<Messages/>") == []
    assert messages.parse_messages(b"<Messages><Other/></Messages>") == []


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"<Queue/>", ("InvalidArgument", "The root element should be Message or Messages, but it is Queue.")),
        (b"<Message/>", ("InvalidArgument", "The element MessageBody is required.")),
        (
            b"<Message><MessageBody/></Message>",
            ("InvalidArgument", "The value of MessageBody should not be empty."),
        ),
        (
            b"<Message><MessageBody>x</MessageBody><Priority>17</Priority></Message>",
            ("InvalidArgument", "The value of Priority should between 1 and 16."),
        ),
        (
            b"<Message><MessageBody>x</MessageBody><Priority>-1</Priority></Message>",
            ("InvalidArgument", "The value of Priority should between 1 and 16."),
        ),
        (
            b"<Message><MessageBody>x</MessageBody><Priority>high</Priority></Message>",
            ("InvalidArgument", "The value of Priority should be a whole number."),
        ),
        (
            b"<Message><MessageBody>x</MessageBody><DelaySeconds>604801</DelaySeconds></Message>",
            ("InvalidArgument", "The value of DelaySeconds should between 0 and 604800."),
        ),
        (
            b"<Message><MessageBody>x</MessageBody><MessageBody>y</MessageBody></Message>",
            ("InvalidArgument", "The element MessageBody is given more than once."),
        ),
        (
            (
                b"<Message><MessageBody>x</MessageBody><UserProperties><PropertyValue><Name>a</Name>"
                b"<Value>v</Value></PropertyValue></UserProperties></Message>"
            ),
            ("InvalidArgument", "A property should have the elements Name, Value and Type."),
        ),
        (
            (
                b"<Message><MessageBody>x</MessageBody><UserProperties><PropertyValue><Name/>"
                b"<Value>v</Value><Type>STRING</Type></PropertyValue></UserProperties></Message>"
            ),
            ("InvalidArgument", "A property should have the elements Name, Value and Type."),
        ),
        (
            (
                b"<Message><MessageBody>x</MessageBody><UserProperties><PropertyValue><Name>a</Name>"
                b"<Value>v</Value><Type>DATE</Type></PropertyValue></UserProperties></Message>"
            ),
            ("InvalidArgument", "The type of the property a should be one of STRING, NUMBER, BOOLEAN, BINARY."),
        ),
    ],
)
def test_a_message_that_is_none_says_why(body, refused):
    assert refusal(messages.parse_messages, body) == refused


def sdk_message():
    sent = Message("<消息> & \r\n", delay_seconds=7, priority=3)
    sent.user_properties = {
        "city": message_property.MessagePropertyValue(message_property.PropertyType.STRING, "杭州"),
        "blob": message_property.MessagePropertyValue(message_property.PropertyType.BINARY, b"\x00\x01\x02"),
    }
    sent.system_properties = {
        "traceparent": message_property.MessageSystemPropertyValue(message_property.SystemPropertyType.STRING, TRACE)
    }
    sent.message_group_id = "customer-42"
    sent.base64encode = True
    return sent


SDK_DRAFT = message.Draft(
    body="POa2iOaBrz4gJiANCg==",
    delay_seconds=7,
    priority=3,
    group_id="customer-42",
    user_properties=(entry("city", "杭州", "STRING"), entry("blob", "AAEC", "BINARY")),
    system_properties=(entry("traceparent", TRACE, "STRING"),),
)


def test_what_the_python_sdk_writes_is_what_we_read():
    assert messages.parse_messages(mns_xml_handler.MessageEncoder.encode(sdk_message())) == SDK_DRAFT
    batch = mns_xml_handler.MessagesEncoder.encode([sdk_message(), Message("raw")], base64encode=True)
    assert messages.parse_messages(batch) == [SDK_DRAFT, message.Draft(body="cmF3")]


# Receipt handles and queries


def test_receipt_handles_come_in_their_order():
    body = b"""<ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">
  <ReceiptHandle>8-0zxjHAX72zPzaztyz0z6GXzcSROgZnrPNl</ReceiptHandle><ReceiptHandle>x</ReceiptHandle>
</ReceiptHandles>"""
    assert messages.parse_receipt_handles(body) == [HANDLE, "x"]


def test_the_receipt_handles_of_the_python_sdk_are_read():
    body = mns_xml_handler.ReceiptHandlesEncoder.encode([HANDLE, "x<y"])
    assert messages.parse_receipt_handles(body) == [HANDLE, "x<y"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", "MalformedXML"), (b"<Messages/>", "InvalidArgument"), (b"<ReceiptHandles>", "MalformedXML")],
)
def test_anything_else_is_no_list_of_receipt_handles(body, code):
    assert refusal(messages.parse_receipt_handles, body)[0] == code


@pytest.mark.parametrize(
    "handle", ["<ReceiptHandle/>", "<ReceiptHandle></ReceiptHandle>", "<ReceiptHandle> </ReceiptHandle>"]
)
def test_an_empty_receipt_handle_is_refused_for_the_python_sdk_could_not_read_an_answer_that_names_it(handle):
    body = f"<ReceiptHandles><ReceiptHandle>x</ReceiptHandle>{handle}</ReceiptHandles>".encode()
    assert refusal(messages.parse_receipt_handles, body) == (
        "InvalidArgument",
        "The value of ReceiptHandle should not be empty.",
    )


@pytest.mark.parametrize("query", [f"ReceiptHandle={HANDLE}", f"receiptHandle={HANDLE}&VisibilityTimeout=60"])
def test_a_receipt_handle_stands_in_the_query(query):
    assert messages.parse_receipt_handle(asked(query)) == HANDLE


@pytest.mark.parametrize("query", ["", "ReceiptHandle=", "ReceiptHandle", "Handle=x"])
def test_a_missing_receipt_handle_has_a_code_of_its_own(query):
    assert refusal(messages.parse_receipt_handle, asked(query)) == (
        "MissingReceiptHandle",
        "The ReceiptHandle is required.",
    )


@pytest.mark.parametrize(("query", "seconds"), [("VisibilityTimeout=60", 60), ("visibilityTimeout=0", 0)])
def test_a_visibility_timeout_stands_in_the_query(query, seconds):
    assert messages.parse_visibility_timeout(asked(query)) == seconds


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MissingVisibilityTimeout"),
        ("ReceiptHandle=x", "MissingVisibilityTimeout"),
        ("VisibilityTimeout=x", "InvalidQueryString"),
    ],
)
def test_a_missing_visibility_timeout_has_a_code_of_its_own(query, code):
    assert refusal(messages.parse_visibility_timeout, asked(query))[0] == code


@pytest.mark.parametrize(
    ("query", "size"), [("", None), ("waitseconds=1", None), ("numOfMessages=1", 1), ("numofmessages=16", 16)]
)
def test_a_batch_has_1_to_16_messages_and_without_a_number_it_is_no_batch(query, size):
    assert messages.parse_batch_size(asked(query)) == size


@pytest.mark.parametrize("number", ["0", "17", "-1"])
def test_another_batch_size_is_out_of_range_as_is_the_minus_1_that_the_java_sdk_sends_when_unset(number):
    assert refusal(messages.parse_batch_size, asked(f"numOfMessages={number}")) == (
        "InvalidArgument",
        "The value of numOfMessages should between 1 and 16.",
    )


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", None), ("waitseconds=0", 0), ("WaitSeconds=30", 30), ("numOfMessages=16&waitseconds=5", 5)],
)
def test_a_wait_is_0_to_30_seconds_and_without_one_the_queue_decides(query, seconds):
    assert messages.parse_wait(asked(query)) == seconds


@pytest.mark.parametrize("number", ["31", "-1"])
def test_another_wait_is_out_of_range(number):
    assert refusal(messages.parse_wait, asked(f"waitseconds={number}")) == (
        "InvalidArgument",
        "The value of waitseconds should between 0 and 30.",
    )


# What a send answers


def sent(stored, handle=None):
    return message.Sent(message=stored, receipt_handle=handle)


@pytest.mark.parametrize(
    ("outcome", "lines"),
    [
        (sent(FRESH), []),
        (sent(FRESH, HANDLE), [f"  <ReceiptHandle>{HANDLE}</ReceiptHandle>"]),
        (sent(FRESH.evolve(group_id="customer-42")), ["  <MessageGroupId>customer-42</MessageGroupId>"]),
        (
            sent(FRESH.evolve(group_id="customer-42"), HANDLE),
            [f"  <ReceiptHandle>{HANDLE}</ReceiptHandle>", "  <MessageGroupId>customer-42</MessageGroupId>"],
        ),
    ],
    ids=["plain", "delayed", "of a group", "delayed, of a group"],
)
def test_a_send_answers_id_and_digest_with_a_handle_when_delayed_and_the_group_if_there_is_one(outcome, lines):
    assert messages.render_sent(outcome) == http.Response(
        status=201,
        body=document(
            "Message",
            f"  <MessageId>{ID_A}</MessageId>",
            "  <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>",
            *lines,
        ),
    )


def test_the_python_sdk_reads_what_a_send_answers():
    rendered = messages.render_sent(sent(FRESH.evolve(group_id="customer-42"), HANDLE))
    assert mns_xml_handler.SendMessageDecoder.decode(rendered.body) == (
        ID_A,
        "5BD52A6538EEA9CD8D5C75010ED08806",
        HANDLE,
        "customer-42",
    )


OTHER = FRESH.evolve(message_id=ID_B, body="b3JkZXItMg==", priority=1)


def test_a_batch_that_was_stored_answers_every_message_in_its_order():
    assert messages.render_batch([sent(FRESH), sent(OTHER, HANDLE)]) == http.Response(
        status=201,
        body=document(
            "Messages",
            "  <Message>",
            f"    <MessageId>{ID_A}</MessageId>",
            "    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>",
            "  </Message>",
            "  <Message>",
            f"    <MessageId>{ID_B}</MessageId>",
            "    <MessageBodyMD5>899025E5F82481B63A83BD299FCBF2CD</MessageBodyMD5>",
            f"    <ReceiptHandle>{HANDLE}</ReceiptHandle>",
            "  </Message>",
        ),
    )


def test_a_batch_that_failed_in_part_has_exactly_two_children_in_every_entry():
    refused = errors.InvalidArgument("The value of Priority should between 1 and 16.")
    rendered = messages.render_batch([sent(FRESH, HANDLE), refused])
    assert rendered == http.Response(
        status=500,
        body=document(
            "Messages",
            "  <Message>",
            f"    <MessageId>{ID_A}</MessageId>",
            "    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>",
            "  </Message>",
            "  <Message>",
            "    <ErrorCode>InvalidArgument</ErrorCode>",
            "    <ErrorMessage>The value of Priority should between 1 and 16.</ErrorMessage>",
            "  </Message>",
        ),
    )
    assert mns_xml_handler.BatchSendMessageDecoder.decodeError(rendered.body) == (
        "InvalidArgument",
        "The value of Priority should between 1 and 16.",
        None,
        None,
        [
            {"MessageId": ID_A, "MessageBodyMD5": "5BD52A6538EEA9CD8D5C75010ED08806"},
            {"ErrorCode": "InvalidArgument", "ErrorMessage": "The value of Priority should between 1 and 16."},
        ],
    )


def test_the_python_sdk_reads_what_a_batch_answers():
    rendered = messages.render_batch([sent(FRESH), sent(OTHER)])
    decoded = mns_xml_handler.BatchSendMessageDecoder.decode(rendered.body)
    assert [(item.message_id, item.message_body_md5) for item in decoded] == [
        (ID_A, "5BD52A6538EEA9CD8D5C75010ED08806"),
        (ID_B, "899025E5F82481B63A83BD299FCBF2CD"),
    ]


def test_a_batch_that_was_stored_answers_the_group_of_each_message_as_a_send_does():
    rendered = messages.render_batch([sent(FRESH.evolve(group_id="customer-42"))])
    [decoded] = mns_xml_handler.BatchSendMessageDecoder.decode(rendered.body)
    assert decoded.message_group_id == "customer-42"


# What a receive and a peek answer

RECEIVED = (
    f"<MessageId>{ID_A}</MessageId>",
    f"<ReceiptHandle>{HANDLE}</ReceiptHandle>",
    "<MessageBody>b3JkZXItMQ==</MessageBody>",
    "<MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>",
    "<EnqueueTime>1704164640123</EnqueueTime>",
    "<NextVisibleTime>1704164705456</NextVisibleTime>",
    "<FirstDequeueTime>1704164645456</FirstDequeueTime>",
    "<DequeueCount>1</DequeueCount>",
    "<Priority>8</Priority>",
)
PROPERTIES = (
    "<MessageGroupId>customer-42</MessageGroupId>",
    "<UserProperties>",
    "  <PropertyValue>",
    "    <Name>city</Name>",
    "    <Value>hangzhou</Value>",
    "    <Type>STRING</Type>",
    "  </PropertyValue>",
    "  <PropertyValue>",
    "    <Name>retry</Name>",
    "    <Value>3</Value>",
    "    <Type>NUMBER</Type>",
    "  </PropertyValue>",
    "  <PropertyValue>",
    "    <Name>blob</Name>",
    "    <Value>AAEC</Value>",
    "    <Type>BINARY</Type>",
    "  </PropertyValue>",
    "</UserProperties>",
    "<SystemProperties>",
    "  <SystemPropertyValue>",
    "    <Name>traceparent</Name>",
    f"    <Value>{TRACE}</Value>",
    "    <Type>STRING</Type>",
    "  </SystemPropertyValue>",
    "</SystemProperties>",
)


def received(stored):
    return message.Received(message=stored, receipt_handle=HANDLE)


def indented(lines, width):
    return [" " * width + line for line in lines]


def test_a_received_message_has_nine_elements():
    rendered = messages.render_received([received(STORED)], batch=False)
    assert rendered == http.Response(status=200, body=document("Message", *indented(RECEIVED, 2)))


def test_group_and_properties_come_last_and_only_if_there_are_any():
    rendered = messages.render_received([received(DRESSED)], batch=False)
    assert rendered == http.Response(status=200, body=document("Message", *indented(RECEIVED + PROPERTIES, 2)))


def test_a_batch_of_one_is_still_a_batch():
    rendered = messages.render_received([received(STORED)], batch=True)
    lines = ["  <Message>", *indented(RECEIVED, 4), "  </Message>"]
    assert rendered == http.Response(status=200, body=document("Messages", *lines))


def test_a_peeked_message_has_no_handle_and_no_next_visible_time():
    kept = [line for line in RECEIVED if "ReceiptHandle" not in line and "NextVisibleTime" not in line]
    rendered = messages.render_peeked([STORED], batch=False)
    assert rendered == http.Response(status=200, body=document("Message", *indented(kept, 2)))


def test_a_peek_at_what_nobody_received_repeats_the_enqueue_time_for_the_python_sdk_needs_a_number():
    rendered = messages.render_peeked([FRESH], batch=True)
    assert rendered.body == document(
        "Messages",
        "  <Message>",
        f"    <MessageId>{ID_A}</MessageId>",
        "    <MessageBody>b3JkZXItMQ==</MessageBody>",
        "    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>",
        "    <EnqueueTime>1704164640123</EnqueueTime>",
        "    <FirstDequeueTime>1704164640123</FirstDequeueTime>",
        "    <DequeueCount>0</DequeueCount>",
        "    <Priority>8</Priority>",
        "  </Message>",
    )


def test_the_python_sdk_reads_a_received_message_with_its_properties():
    body = messages.render_received([received(DRESSED)], batch=False).body
    decoded = mns_xml_handler.RecvMessageDecoder.decode(body, base64decode=True)
    users, systems = decoded.pop("UserProperties"), decoded.pop("SystemProperties")
    assert decoded == {
        "MessageId": ID_A,
        "ReceiptHandle": HANDLE,
        "MessageBody": b"order-1",
        "MessageBodyMD5": "5BD52A6538EEA9CD8D5C75010ED08806",
        "EnqueueTime": "1704164640123",
        "NextVisibleTime": "1704164705456",
        "FirstDequeueTime": "1704164645456",
        "DequeueCount": "1",
        "Priority": "8",
        "MessageGroupId": "customer-42",
    }
    assert {name: (value.get_data_type(), value.get_string_value_by_type()) for name, value in systems.items()} == {
        "traceparent": ("STRING", TRACE)
    }
    assert {name: value.get_data_type() for name, value in users.items()} == {
        "city": "STRING",
        "retry": "NUMBER",
        "blob": "BINARY",
    }
    assert users["blob"].get_binary_value() == b"\x00\x01\x02"


def test_the_python_sdk_reads_a_received_batch():
    body = messages.render_received([received(STORED), received(DRESSED)], batch=True).body
    decoded = mns_xml_handler.BatchRecvMessageDecoder.decode(body, base64decode=False)
    assert [
        (
            item.message_id,
            item.receipt_handle,
            item.message_body,
            item.message_body_md5,
            item.enqueue_time,
            item.next_visible_time,
            item.first_dequeue_time,
            item.dequeue_count,
            item.priority,
            item.message_group_id,
        )
        for item in decoded
    ] == [
        (
            ID_A,
            HANDLE,
            "b3JkZXItMQ==",
            "5BD52A6538EEA9CD8D5C75010ED08806",
            1704164640123,
            1704164705456,
            1704164645456,
            1,
            8,
            group,
        )
        for group in ("", "customer-42")
    ]


def test_the_python_sdk_reads_what_a_peek_answers():
    body = messages.render_peeked([FRESH], batch=False).body
    decoded = mns_xml_handler.PeekMessageDecoder.decode(body, base64decode=False)
    assert decoded == {
        "MessageId": ID_A,
        "MessageBody": "b3JkZXItMQ==",
        "MessageBodyMD5": "5BD52A6538EEA9CD8D5C75010ED08806",
        "EnqueueTime": "1704164640123",
        "FirstDequeueTime": "1704164640123",
        "DequeueCount": "0",
        "Priority": "8",
    }
    body = messages.render_peeked([FRESH], batch=True).body
    [first] = mns_xml_handler.BatchPeekMessageDecoder.decode(body, base64decode=True)
    assert (first.message_id, first.message_body, first.dequeue_count) == (ID_A, b"order-1", 0)


@pytest.mark.parametrize("text", ["  leading and trailing \n", "\r\nlines\r", "<&>\"'", "消息", "]]>", "\t"])
def test_a_body_comes_out_of_the_python_sdk_as_it_went_into_the_answer(text):
    body = messages.render_received([received(STORED.evolve(body=text))], batch=False).body
    assert mns_xml_handler.RecvMessageDecoder.decode(body, base64decode=False)["MessageBody"] == text


# What deletes and changes of visibility answer


def test_a_batch_that_was_deleted_answers_nothing():
    assert messages.render_delete_failures([]) == http.Response(status=204)


def test_a_batch_that_was_deleted_in_part_answers_the_handles_that_failed_with_exactly_three_children():
    failures = [(HANDLE, errors.MessageNotExist()), ("x<y", errors.ReceiptHandleError())]
    rendered = messages.render_delete_failures(failures)
    assert rendered == http.Response(
        status=404,
        body=document(
            "Errors",
            "  <Error>",
            "    <ErrorCode>MessageNotExist</ErrorCode>",
            "    <ErrorMessage>Message not exist.</ErrorMessage>",
            f"    <ReceiptHandle>{HANDLE}</ReceiptHandle>",
            "  </Error>",
            "  <Error>",
            "    <ErrorCode>ReceiptHandleError</ErrorCode>",
            "    <ErrorMessage>The receipt handle you provided is not valid.</ErrorMessage>",
            "    <ReceiptHandle>x&lt;y</ReceiptHandle>",
            "  </Error>",
        ),
    )
    code, _, _, _, entries = mns_xml_handler.BatchDeleteMessageDecoder.decodeError(rendered.body)
    assert (code, [entry["ReceiptHandle"] for entry in entries]) == ("MessageNotExist", [HANDLE, "x<y"])


def test_a_change_of_visibility_answers_the_new_handle_and_the_new_time_under_a_root_of_its_own():
    rendered = messages.render_postponed(message.Postponed(receipt_handle=HANDLE, next_visible_at=1_704_164_705_789))
    assert rendered == http.Response(
        status=200,
        body=document(
            "ChangeVisibility",
            f"  <ReceiptHandle>{HANDLE}</ReceiptHandle>",
            "  <NextVisibleTime>1704164705789</NextVisibleTime>",
        ),
    )
    assert mns_xml_handler.ChangeMsgVisDecoder.decode(rendered.body) == (HANDLE, "1704164705789")
