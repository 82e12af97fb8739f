"""Messages: what a producer may hand in, and what becomes of it in a queue."""

import pytest

from chalicelib.model import errors, message, queue, receipt

NOW = 1_704_164_645_000
STAMP = "00000000000a"
MESSAGE_ID = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"


def text(name, value="x"):
    return message.Property(name=name, value=value, type=message.PropertyType.STRING)


def demo(**attributes):
    return queue.Queue(
        name="demo",
        queue_id="0123456789abcdef",
        shards=4,
        attributes=queue.QueueAttributes(**attributes),
        created_at=0,
        modified_at=0,
    )


def accept(draft, to):
    return message.accept(draft, to, message_id=MESSAGE_ID, shard=3, stamp=STAMP, now=NOW)


def refusal(**fields):
    with pytest.raises(errors.InvalidArgument) as raised:
        message.Draft(**{"body": "x"} | fields)
    return raised.value.message


def test_a_draft_needs_nothing_but_a_body():
    draft = message.Draft(body="x")
    assert draft == message.Draft(
        body="x", delay_seconds=None, priority=8, group_id=None, user_properties=(), system_properties=()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"delay_seconds": 0},
        {"delay_seconds": 604_800},
        {"priority": 1},
        {"priority": 16},
        {"group_id": "g"},
        {"group_id": "客" * 128},
        {"body": " "},
        {"body": "\r\n"},
        {"user_properties": tuple(text(f"p{number}") for number in range(50))},
        {"user_properties": (text("a" * 256), text("_"), text("-"), text("A.b-c_9.0"))},
        {"user_properties": (text("name", ""), text("Name", "值" * 4096))},
        {"system_properties": (text("traceparent"), text("tracestate"), text("baggage"))},
        {"system_properties": (text("DLQMessageType"), text("DLQSourceArn"), text("DLQOriginMessageId"))},
    ],
    ids=str,
)
def test_a_draft_takes_every_bound_of_its_fields(fields):
    draft = message.Draft(**{"body": "x"} | fields)
    assert {name: getattr(draft, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"body": ""}, "The value of MessageBody should not be empty."),
        ({"delay_seconds": -1}, "The value of DelaySeconds should between 0 and 604800."),
        ({"delay_seconds": 604_801}, "The value of DelaySeconds should between 0 and 604800."),
        ({"priority": 0}, "The value of Priority should between 1 and 16."),
        ({"priority": 17}, "The value of Priority should between 1 and 16."),
        ({"group_id": ""}, "The length of MessageGroupId should between 1 and 128."),
        ({"group_id": "g" * 129}, "The length of MessageGroupId should between 1 and 128."),
        (
            {"user_properties": tuple(text(f"p{number}") for number in range(51))},
            "The message has 51 user properties, but 50 is the most.",
        ),
        ({"user_properties": (text("a"), text("b"), text("a"))}, "The property name 'a' is given twice."),
        ({"system_properties": (text("baggage"), text("baggage"))}, "The property name 'baggage' is given twice."),
        (
            {"user_properties": (text("a", "v" * 4097),)},
            "The value of the property a has 4097 characters, but 4096 is the most.",
        ),
        (
            {"system_properties": (text("baggage", "v" * 4097),)},
            "The value of the property baggage has 4097 characters, but 4096 is the most.",
        ),
        (
            {"system_properties": (text("Baggage"),)},
            (
                "The system property 'Baggage' is not known; the names are: DLQMessageType, DLQOriginMessageId,"
                " DLQSourceArn, baggage, traceparent, tracestate."
            ),
        ),
        (
            {"system_properties": (message.Property(name="baggage", value="1", type=message.PropertyType.NUMBER),)},
            "The type of the system property baggage should be STRING.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_draft_that_no_queue_would_take_says_why(fields, sentence):
    assert refusal(**fields) == sentence


@pytest.mark.parametrize("name", ["", ".", ".a", "a.", "a..b", "a b", "a/b", "é", "a\n", "a:b", "a" * 257])
def test_a_property_name_has_1_to_256_letters_digits_underscores_hyphens_and_single_inner_dots(name):
    assert refusal(user_properties=(text(name),)) == (
        f"The property name {name[:256]!r} should have 1 to 256 letters, digits, '_', '-' and single inner dots."
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (message.PropertyType.STRING, "anything <&> at all\n"),
        (message.PropertyType.NUMBER, "3"),
        (message.PropertyType.NUMBER, "not a number, and nobody checks"),
        (message.PropertyType.BOOLEAN, "true"),
        (message.PropertyType.BOOLEAN, "False"),
        (message.PropertyType.BINARY, "AAEC"),
        (message.PropertyType.BINARY, ""),
    ],
)
def test_a_property_value_has_the_form_of_its_type(kind, value):
    given = message.Property(name="p", value=value, type=kind)
    assert message.Draft(body="x", user_properties=(given,)).user_properties == (given,)


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (message.PropertyType.BOOLEAN, "yes", "The value of the BOOLEAN property p should be true or false."),
        (message.PropertyType.BOOLEAN, "", "The value of the BOOLEAN property p should be true or false."),
        (message.PropertyType.BOOLEAN, "1", "The value of the BOOLEAN property p should be true or false."),
        (message.PropertyType.BINARY, "A", "The value of the BINARY property p is not base64."),
        (message.PropertyType.BINARY, "AA EC", "The value of the BINARY property p is not base64."),
        (message.PropertyType.BINARY, "二", "The value of the BINARY property p is not base64."),
    ],
)
def test_a_property_value_of_the_wrong_form_is_refused(kind, value, sentence):
    assert refusal(user_properties=(message.Property(name="p", value=value, type=kind),)) == sentence


@pytest.mark.parametrize(
    ("draft", "size"),
    [
        (message.Draft(body="x"), 1),
        (message.Draft(body="SGVsbG8sIE1OUyE="), 16),
        (message.Draft(body="消息"), 6),
        (message.Draft(body="\U0001f600"), 4),
        (message.Draft(body="x", group_id="never counted"), 1),
        (message.Draft(body="x", user_properties=(text("city", "杭州"),)), 1 + 4 + 6 + 6),
        (message.Draft(body="x", system_properties=(text("baggage", "ab"),)), 1 + 7 + 2 + 6),
        (
            message.Draft(
                body="xy",
                user_properties=(
                    text("a", ""),
                    message.Property(name="b", value="true", type=message.PropertyType.BOOLEAN),
                ),
                system_properties=(text("baggage", "z"),),
            ),
            2 + (1 + 0 + 6) + (1 + 4 + 7) + (7 + 1 + 6),
        ),
    ],
)
def test_a_size_is_the_utf8_bytes_of_the_body_and_of_name_value_and_type_of_all_properties(draft, size):
    assert draft.size == size


def test_a_message_may_be_exactly_as_large_as_the_queue_takes():
    accepted = accept(message.Draft(body="é" * 512), demo(maximum_message_size=1024))
    assert accepted.body == "é" * 512


@pytest.mark.parametrize(
    ("draft", "maximum", "sentence"),
    [
        (message.Draft(body="é" * 512 + "x"), 1024, "The message has 1025 bytes, but the queue takes 1024 at most."),
        (message.Draft(body="x" * 65_537), 65_536, "The message has 65537 bytes, but the queue takes 65536 at most."),
        (
            message.Draft(body="x" * 1017, user_properties=(text("p", "v"),)),
            1024,
            "The message has 1025 bytes, but the queue takes 1024 at most.",
        ),
    ],
    ids=["body", "the most of any queue", "properties"],
)
def test_a_message_with_one_byte_more_is_refused(draft, maximum, sentence):
    with pytest.raises(errors.InvalidArgument) as raised:
        accept(draft, demo(maximum_message_size=maximum))
    assert raised.value.message == sentence


@pytest.mark.parametrize("sizes", [[1], [0] * 16, [65_536], [65_535, 1], [4096] * 16])
def test_a_batch_has_1_to_16_messages_and_65536_bytes_together(sizes):
    message.check_batch(sizes)


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ([], "The number of Message should between 1 and 16."),
        ([1] * 17, "The number of Message should between 1 and 16."),
        ([65_536, 1], "The messages of the batch have 65537 bytes together, but 65536 is the most."),
    ],
)
def test_a_batch_beyond_that_is_refused(sizes, sentence):
    with pytest.raises(errors.InvalidArgument) as raised:
        message.check_batch(sizes)
    assert raised.value.message == sentence


def test_an_accepted_message_carries_what_was_handed_in_and_gets_its_moments_from_the_queue():
    draft = message.Draft(
        body="SGVsbG8sIE1OUyE=",
        priority=3,
        group_id="customer-42",
        user_properties=(text("city", "hangzhou"),),
        system_properties=(text("baggage", "b"),),
    )
    accepted = accept(draft, demo(message_retention_period=60))
    assert accepted == message.Message(
        message_id=MESSAGE_ID,
        shard=3,
        body="SGVsbG8sIE1OUyE=",
        priority=3,
        enqueued_at=NOW,
        expires_at=NOW + 60_000,
        visible_at=NOW,
        stamp=STAMP,
        first_dequeued_at=None,
        dequeue_count=0,
        group_id="customer-42",
        user_properties=(text("city", "hangzhou"),),
        system_properties=(text("baggage", "b"),),
    )


@pytest.mark.parametrize(
    ("of_message", "of_queue", "effective"),
    [(None, 0, 0), (None, 7, 7), (0, 7, 0), (5, 7, 5), (9, 0, 9), (604_800, 604_800, 604_800)],
)
def test_the_delay_of_a_message_wins_over_the_queues_even_when_it_is_0(of_message, of_queue, effective):
    accepted = accept(message.Draft(body="x", delay_seconds=of_message), demo(delay_seconds=of_queue))
    assert accepted.visible_at == NOW + effective * 1000


def test_a_message_may_be_delayed_beyond_its_retention_and_then_nobody_sees_it():
    accepted = accept(message.Draft(body="x", delay_seconds=61), demo(message_retention_period=60))
    assert accepted.expires_at < accepted.visible_at


@pytest.mark.parametrize(
    ("visible_in", "dequeued", "state"),
    [
        (0, 0, message.State.ACTIVE),
        (-1, 0, message.State.ACTIVE),
        (0, 3, message.State.ACTIVE),
        (1, 0, message.State.DELAYED),
        (604_800_000, 0, message.State.DELAYED),
        (1, 1, message.State.INACTIVE),
        (43_200_000, 7, message.State.INACTIVE),
    ],
)
def test_a_message_is_active_from_its_visible_time_and_before_it_inactive_if_ever_received_else_delayed(
    visible_in, dequeued, state
):
    accepted = accept(message.Draft(body="x"), demo())
    assert accepted.evolve(visible_at=NOW + visible_in, dequeue_count=dequeued).state(NOW) is state


def test_the_receipt_of_a_message_is_the_one_of_its_newest_claim():
    accepted = accept(message.Draft(body="x", priority=3), demo())
    claimed = accepted.evolve(stamp="00000000000b")
    assert [item.receipt(demo()) for item in (accepted, claimed)] == [
        receipt.Receipt(queue_id="0123456789abcdef", shard=3, priority=3, message_id=MESSAGE_ID, stamp=stamp)
        for stamp in ("00000000000a", "00000000000b")
    ]


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        ("Hello, MNS!", "18C2315AF58B23D4338A4AEE6BB962E3"),
        ("SGVsbG8sIE1OUyE=", "F46B6880B5507A5D995D75F8D305A995"),
        ('消息 <1> & "2"', "93A6C0CFFB0C3BA1622D86195B2E5906"),
        ("5raI5oGvIDwxPiAmICIyIg==", "BD0A3DA8A87142FA12FDAD95661FA1B4"),
        ("b3JkZXItMQ==", "5BD52A6538EEA9CD8D5C75010ED08806"),
        ("b3JkZXItMg==", "899025E5F82481B63A83BD299FCBF2CD"),
        ("", "D41D8CD98F00B204E9800998ECF8427E"),
    ],
)
def test_the_digest_of_a_body_is_the_upper_case_hex_md5_of_its_text_as_supplied(body, digest):
    assert message.body_md5(body) == digest


def test_a_message_knows_the_digest_of_its_body():
    assert accept(message.Draft(body="Hello, MNS!"), demo()).body_md5 == "18C2315AF58B23D4338A4AEE6BB962E3"
