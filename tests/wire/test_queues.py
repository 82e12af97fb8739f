"""Queues on the wire: the bodies and headers of section 5, and what the Python SDK makes of our answers."""

import pytest
from mns import mns_xml_handler
from mns.queue import QueueMeta

from chalicelib.model import errors, queue
from chalicelib.wire import http, lists, queues

HOST_URL = "http://1234567890123456.mns.cn-hangzhou.aliyuncs.com"
DEMO = queue.Queue(
    name="demo",
    queue_id="q1",
    shards=1,
    attributes=queue.QueueAttributes(visibility_timeout=60, polling_wait_seconds=10),
    created_at=1_704_164_645_999,
    modified_at=1_704_164_646_000,
)
ATTRIBUTES = (
    "<QueueName>{name}</QueueName>",
    "<CreateTime>1704164645</CreateTime>",
    "<LastModifyTime>1704164646</LastModifyTime>",
    "<DelaySeconds>0</DelaySeconds>",
    "<MaximumMessageSize>65536</MaximumMessageSize>",
    "<MessageRetentionPeriod>345600</MessageRetentionPeriod>",
    "<VisibilityTimeout>60</VisibilityTimeout>",
    "<PollingWaitSeconds>10</PollingWaitSeconds>",
    "<ActiveMessages>3</ActiveMessages>",
    "<InactiveMessages>2</InactiveMessages>",
    "<DelayMessages>1</DelayMessages>",
    "<LoggingEnabled>False</LoggingEnabled>",
)
COUNTS = queue.Counts(active=3, inactive=2, delayed=1)


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (
            b'<Queue xmlns="http://mns.aliyuncs.com/doc/v1/"><VisibilityTimeout>60</VisibilityTimeout></Queue>',
            queue.QueueChange(visibility_timeout=60),
        ),
        (
            (
                b'<Queue xmlns="http://mns.aliyuncs.com/doc/v1/"><VisibilityTimeout>60</VisibilityTimeout>'
                b"<PollingWaitSeconds>10</PollingWaitSeconds></Queue>"
            ),
            queue.QueueChange(visibility_timeout=60, polling_wait_seconds=10),
        ),
        (
            (
                b"<Queue><DelaySeconds>0</DelaySeconds><MaximumMessageSize>1024</MaximumMessageSize>"
                b"<MessageRetentionPeriod>60</MessageRetentionPeriod><VisibilityTimeout>1</VisibilityTimeout>"
                b"<PollingWaitSeconds>0</PollingWaitSeconds><LoggingEnabled>true</LoggingEnabled></Queue>"
            ),
            queue.QueueChange(
                delay_seconds=0,
                maximum_message_size=1024,
                message_retention_period=60,
                visibility_timeout=1,
                polling_wait_seconds=0,
                logging_enabled=True,
            ),
        ),
        (b"<Queue><LoggingEnabled>False</LoggingEnabled></Queue>", queue.QueueChange(logging_enabled=False)),
        (b"<Queue/>", queue.QueueChange()),
        (
            b'<?xml version="1.0" encoding="utf-8"?><Queue xmlns="http://mns.aliyuncs.com/doc/v1/"></Queue>',
            queue.QueueChange(),
        ),
        (b"", queue.QueueChange()),
        (b" \n", queue.QueueChange()),
        (
            b"<Queue><DlqPolicy><Enabled>true</Enabled></DlqPolicy><QueueType>fifo</QueueType></Queue>",
            queue.QueueChange(),
        ),
        (b"<Queue><QueueName>other</QueueName><CreateTime>1</CreateTime></Queue>", queue.QueueChange()),
        (b"<Queue><DelaySeconds>-1</DelaySeconds></Queue>", queue.QueueChange(delay_seconds=-1)),
    ],
)
def test_a_queue_names_the_attributes_to_change_and_other_elements_do_not_matter(body, change):
    assert queues.parse_queue(body) == change


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Message/>", "InvalidArgument"),
        (b"<Queue>", "MalformedXML"),
        (b"queue", "MalformedXML"),
        (b"<Queue><DelaySeconds>soon</DelaySeconds></Queue>", "InvalidArgument"),
        (b"<Queue><DelaySeconds/></Queue>", "InvalidArgument"),
        (b"<Queue><LoggingEnabled>maybe</LoggingEnabled></Queue>", "InvalidArgument"),
        (b"<Queue><DelaySeconds>1</DelaySeconds><DelaySeconds>1</DelaySeconds></Queue>", "InvalidArgument"),
    ],
)
def test_what_is_no_queue_is_refused(body, code):
    with pytest.raises(errors.BadRequest) as raised:
        queues.parse_queue(body)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("meta", "change"),
    [
        (QueueMeta(), queue.QueueChange()),
        (
            QueueMeta(
                vis_timeout=60, max_msg_size=1024, msg_ttl=60, delay_sec=0, polling_wait_sec=30, logging_enabled=True
            ),
            queue.QueueChange(
                visibility_timeout=60,
                maximum_message_size=1024,
                message_retention_period=60,
                delay_seconds=0,
                polling_wait_seconds=30,
                logging_enabled=True,
            ),
        ),
    ],
)
def test_what_the_python_sdk_writes_is_what_we_read(meta, change):
    assert queues.parse_queue(mns_xml_handler.QueueEncoder.encode(meta)) == change


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({}, lists.ListRequest(prefix="", after=None, limit=1000, with_meta=False)),
        (
            {"x-mns-prefix": "demo", "x-mns-ret-number": "2"},
            lists.ListRequest(prefix="demo", after=None, limit=2, with_meta=False),
        ),
        (
            {
                "x-mns-prefix": "demo",
                "x-mns-ret-number": "2",
                "x-mns-marker": "ZGVtbzI=",
                "x-mns-with-meta": "true",
            },
            lists.ListRequest(prefix="demo", after="demo2", limit=2, with_meta=True),
        ),
        (
            {"x-mns-ret-number": "1", "x-mns-with-meta": "True"},
            lists.ListRequest(prefix="", after=None, limit=1, with_meta=True),
        ),
        (
            {"x-mns-ret-number": " 1000 ", "x-mns-with-meta": "false", "x-mns-marker": ""},
            lists.ListRequest(prefix="", after=None, limit=1000, with_meta=False),
        ),
    ],
)
def test_the_headers_of_a_list_say_which_page_is_wanted(headers, asked):
    assert queues.parse_list(headers) == asked


@pytest.mark.parametrize("number", ["0", "1001", "-1", "x", "", "1.5", "\u0661", "9" * 5000])
def test_a_page_has_1_to_1000_entries(number):
    with pytest.raises(errors.InvalidArgument) as raised:
        queues.parse_list({"x-mns-ret-number": number})
    assert raised.value.message == "The value of x-mns-ret-number should between 1 and 1000."


@pytest.mark.parametrize("marker", ["x", "demo2", "ZGVtbzI", "ZGVt\nbzI=", "é", "LWE=", "/////w==", "=" * 8])
def test_a_marker_is_one_that_an_answer_gave(marker):
    with pytest.raises(errors.InvalidArgument) as raised:
        queues.parse_list({"x-mns-marker": marker})
    assert raised.value.message == "The value of x-mns-marker is not a NextMarker of a former answer."


def document(root, *lines):
    opening = f'<?xml version="1.0" ?>\n<{root} xmlns="http://mns.aliyuncs.com/doc/v1">\n'
    return (opening + "".join(f"{line}\n" for line in lines) + f"</{root}>").encode()


def test_a_queue_shows_all_twelve_elements_with_moments_in_whole_seconds():
    lines = [f"  {line.format(name='demo')}" for line in ATTRIBUTES]
    assert queues.render_queue(DEMO, COUNTS) == http.Response(status=200, body=document("Queue", *lines))


def test_the_python_sdk_reads_the_attributes_of_a_queue():
    assert mns_xml_handler.GetQueueAttrDecoder.decode(queues.render_queue(DEMO, COUNTS).body) == {
        "QueueName": "demo",
        "CreateTime": "1704164645",
        "LastModifyTime": "1704164646",
        "DelaySeconds": "0",
        "MaximumMessageSize": "65536",
        "MessageRetentionPeriod": "345600",
        "VisibilityTimeout": "60",
        "PollingWaitSeconds": "10",
        "ActiveMessages": "3",
        "InactiveMessages": "2",
        "DelayMessages": "1",
        "LoggingEnabled": "False",
    }


def test_logging_that_is_on_is_written_as_the_php_sdk_compares_it():
    logged = DEMO.evolve(attributes=queue.QueueAttributes(logging_enabled=True))
    assert b"<LoggingEnabled>True</LoggingEnabled>" in queues.render_queue(logged, COUNTS).body


def test_a_page_names_the_url_of_each_queue_and_the_marker_of_the_next_page():
    page = queue.Page(queues=(DEMO, DEMO.evolve(name="demo2")), marker="demo2")
    assert queues.render_page(page, {}, HOST_URL) == http.Response(
        status=200,
        body=document(
            "Queues",
            "  <Queue>",
            f"    <QueueURL>{HOST_URL}/queues/demo</QueueURL>",
            "  </Queue>",
            "  <Queue>",
            f"    <QueueURL>{HOST_URL}/queues/demo2</QueueURL>",
            "  </Queue>",
            "  <NextMarker>ZGVtbzI=</NextMarker>",
        ),
    )


def test_the_last_page_with_meta_has_every_attribute_and_no_marker():
    page = queue.Page(queues=(DEMO.evolve(name="demo3"),), marker=None)
    assert queues.render_page(page, {"q1": COUNTS}, HOST_URL) == http.Response(
        status=200,
        body=document(
            "Queues",
            "  <Queue>",
            f"    <QueueURL>{HOST_URL}/queues/demo3</QueueURL>",
            *(f"    {line.format(name='demo3')}" for line in ATTRIBUTES),
            "  </Queue>",
        ),
    )


def test_a_list_of_nothing_is_an_empty_root():
    rendered = queues.render_page(queue.Page(queues=(), marker=None), {}, HOST_URL)
    assert rendered == http.Response(status=200, body=document("Queues"))


@pytest.mark.parametrize(
    ("names", "marker", "with_meta", "decoded"),
    [
        ([], None, False, ([], "", [])),
        (["demo"], None, False, ([f"{HOST_URL}/queues/demo"], "", [])),
        (
            ["demo", "demo2"],
            "demo2",
            False,
            ([f"{HOST_URL}/queues/demo", f"{HOST_URL}/queues/demo2"], "ZGVtbzI=", []),
        ),
        (
            ["demo"],
            None,
            True,
            (
                [f"{HOST_URL}/queues/demo"],
                "",
                [
                    {
                        "QueueURL": f"{HOST_URL}/queues/demo",
                        "QueueName": "demo",
                        "CreateTime": "1704164645",
                        "LastModifyTime": "1704164646",
                        "DelaySeconds": "0",
                        "MaximumMessageSize": "65536",
                        "MessageRetentionPeriod": "345600",
                        "VisibilityTimeout": "60",
                        "PollingWaitSeconds": "10",
                        "ActiveMessages": "3",
                        "InactiveMessages": "2",
                        "DelayMessages": "1",
                        "LoggingEnabled": "False",
                    }
                ],
            ),
        ),
    ],
)
def test_the_python_sdk_reads_a_page(names, marker, with_meta, decoded):
    page = queue.Page(queues=tuple(DEMO.evolve(name=name) for name in names), marker=marker)
    rendered = queues.render_page(page, {"q1": COUNTS} if with_meta else {}, HOST_URL)
    assert mns_xml_handler.ListQueueDecoder.decode(rendered.body.decode(), with_meta) == decoded


def test_a_marker_given_back_means_the_name_that_the_page_ended_with():
    page = queue.Page(queues=(DEMO.evolve(name="0-9"),), marker="0-9")
    body = queues.render_page(page, {}, HOST_URL).body.decode()
    _, marker, _ = mns_xml_handler.ListQueueDecoder.decode(body, with_meta=False)
    assert queues.parse_list({"x-mns-marker": marker}).after == "0-9"


@pytest.mark.parametrize("name", ["demo", "Orders-2024"])
def test_a_queue_url_has_the_five_parts_that_the_php_sdk_counts(name):
    assert queues.queue_url(HOST_URL, name).split("/") == [
        "http:",
        "",
        "1234567890123456.mns.cn-hangzhou.aliyuncs.com",
        "queues",
        name,
    ]
