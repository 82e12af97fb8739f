"""Section 24 of the protocol document: its requests, under the signatures it prints, and its answers.

The examples of topics are in `test_topic_examples`.

Ids and moments are handed in, so that answers are compared whole; receipt handles alone are the server's own form. The
document folds its bodies; here they stand as they go over the wire.
"""

import re

import pytest

from chalicelib import bootstrap, settings
from chalicelib.api import operations
from chalicelib.model import account
from chalicelib.wire import http
from infra.local import engine as engines
from infra.local import vault
from tests.api import signing
from tests.broker import fakes

HOST = "1234567890123456.mns.cn-hangzhou.aliyuncs.com"
DATE = "Tue, 02 Jan 2024 03:04:05 GMT"
SECRET = "testSecretKey0123456789"
SENT_AT, RECEIVED_AT = 1_704_164_640_123, 1_704_164_645_456  # the moments that the document's answers show
MESSAGES = "/queues/demo/messages"


class Ids(fakes.Ids):
    """The document's ids: messages are numbered from 0A1B...E8F9, an example's requests all have one number."""

    first_message = 0x0A1B2C3D4E5F60718293A4B5C6D7E8F9
    first_order = 200_000_000_000_001
    request = 0

    def message_id(self, now):
        made = f"{self.first_message:032X}"
        self.first_message += 1
        return made

    def request_id(self, now):
        return f"{now // 1000:08X}{self.request:016X}"

    def order_id(self):
        made = str(self.first_order)
        self.first_order += 1
        return made


class Server:
    """The whole application, and a client that signs nothing but sends the document's signatures."""

    def __init__(self, engine, prefix):
        self.clock = fakes.Clock()
        self.ids = Ids()
        application = bootstrap.build(
            settings.Settings(table_prefix=prefix, longest_wait=30),
            engine=engine,
            clock=self.clock,
            ids=self.ids,
            vault=vault.in_memory(),
        )
        self.door = application.door
        application.verbs.identities.add_key(
            account.AccessKey(access_key_id="TESTAKID0001", secret=SECRET, account_id="1234567890123456")
        )

    def ask(self, method, target, signature, *, headers=None, body=""):
        return self.door.begin(request(method, target, signature, headers=headers, body=body))

    def call(self, method, target, body=""):
        """A request that the document does not print, signed by a client of our own."""
        return self.door.begin(signing.signed(method, target, now=self.clock.now(), body=body))

    def create(
        self, body='<Queue xmlns="http://mns.aliyuncs.com/doc/v1/"><VisibilityTimeout>60</VisibilityTimeout></Queue>'
    ):
        return self.ask("PUT", "/queues/demo", "VMgJ3J2O8a1n2XFqeEZwsCbw4QI=", body=body)

    def send(self, body):
        return self.ask("POST", MESSAGES, "dFTJeKg3bCdpo7ILLl5XPISY0rk=", body=body)

    def at(self, moment):
        self.clock.moment = moment


@pytest.fixture(params=["moto_engine", "embedded_engine"])
def server(request, prefix):
    engine = request.getfixturevalue(request.param)
    engines.make_tables(engine, prefix)
    return Server(engine, prefix)


@pytest.fixture
def demo(server):
    """The server, with the queue of 24.1 and the time at which the document sends."""
    server.create()
    server.at(SENT_AT)
    return server


def request(method, target, signature, *, headers=None, body=""):
    """A request with the headers that the document leaves out."""
    path, _, query = target.partition("?")
    sent = {"host": HOST, "date": DATE, "x-mns-version": "2015-06-06", "authorization": f"MNS TESTAKID0001:{signature}"}
    if body:
        sent |= {"content-type": "text/xml;charset=UTF-8", "content-length": str(len(body.encode()))}
    return http.Request(method=method, path=path, query=query, headers=sent | (headers or {}), body=body.encode())


def response(status, text="", *, number=0, **headers):
    """A response with the headers that the document leaves out."""
    usual = {"x-mns-request-id": f"65937D25{number:016X}", "x-mns-version": "2015-06-06"}
    if text:
        usual["Content-Type"] = "text/xml;charset=utf-8"
        text = f'<?xml version="1.0" ?>\n{text}'
    return http.Response(status=status, headers=usual | headers, body=text.encode())


def error(status, code, message, *, number=0):
    return response(
        status,
        f"""<Error xmlns="http://mns.aliyuncs.com/doc/v1">
  <Code>{code}</Code>
  <Message>{message}</Message>
  <RequestId>65937D25{number:016X}</RequestId>
  <HostId>http://1234567890123456.mns.cn-hangzhou.aliyuncs.com</HostId>
</Error>""",
        number=number,
    )


def handles(answer):
    """The receipt handles in an answer, in their order."""
    return re.findall(r"<ReceiptHandle>([A-Za-z0-9_-]{40})</ReceiptHandle>", answer.body.decode())


def normal(answer):
    """An answer with H1, H2 and so on for its receipt handles."""
    body = answer.body.decode()
    for number, handle in enumerate(handles(answer), 1):
        body = body.replace(handle, f"H{number}", 1)
    return http.Response(status=answer.status, headers=answer.headers, body=body.encode())


HELLO = (
    '<Message xmlns="http://mns.aliyuncs.com/doc/v1/">'
    "<MessageBody>SGVsbG8sIE1OUyE=</MessageBody><Priority>8</Priority></Message>"
)
ORDERS = """<Messages xmlns="http://mns.aliyuncs.com/doc/v1/">
  <Message><MessageBody>b3JkZXItMQ==</MessageBody></Message>
  <Message><MessageBody>b3JkZXItMg==</MessageBody><Priority>1</Priority></Message>
</Messages>"""
DELAYED = """<Message xmlns="http://mns.aliyuncs.com/doc/v1/">
  <MessageBody>b3JkZXItMQ==</MessageBody><DelaySeconds>300</DelaySeconds>
  <UserProperties><PropertyValue><Name>city</Name><Value>hangzhou</Value><Type>STRING</Type></PropertyValue>\
<PropertyValue><Name>retry</Name><Value>3</Value><Type>NUMBER</Type></PropertyValue>\
<PropertyValue><Name>blob</Name><Value>AAEC</Value><Type>BINARY</Type></PropertyValue></UserProperties>
  <SystemProperties><SystemPropertyValue><Name>traceparent</Name>\
<Value>00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01</Value><Type>STRING</Type></SystemPropertyValue></SystemProperties>
</Message>"""
WITH_CITY = """<Messages xmlns="http://mns.aliyuncs.com/doc/v1/">
  <Message><MessageBody>b3JkZXItMQ==</MessageBody><UserProperties><PropertyValue><Name>city</Name>\
<Value>hangzhou</Value><Type>STRING</Type></PropertyValue></UserProperties></Message>
  <Message><MessageBody>b3JkZXItMg==</MessageBody><Priority>1</Priority></Message>
</Messages>"""
LOCATION = {"Location": "http://1234567890123456.mns.cn-hangzhou.aliyuncs.com/queues/demo"}


def test_24_1_create_queue(server):
    assert server.create() == response(201, **LOCATION)


def test_24_1_create_queue_repeated_identically(server):
    server.create()
    assert server.create() == response(204, **LOCATION)


def test_24_1_create_queue_repeated_with_a_different_attribute(server):
    server.create()
    server.ids.request = 0x101
    assert server.create("<Queue><VisibilityTimeout>61</VisibilityTimeout></Queue>") == error(
        409, "QueueAlreadyExist", "The queue you want to create is already exist.", number=0x101
    )


def set_attributes(server):
    return server.ask(
        "PUT",
        "/queues/demo?metaoverride=true",
        "eWxZvxjoXZ9B/lDagr/f8Iyc66Q=",
        body='<Queue xmlns="http://mns.aliyuncs.com/doc/v1/"><VisibilityTimeout>60</VisibilityTimeout>'
        "<PollingWaitSeconds>10</PollingWaitSeconds></Queue>",
    )


def test_24_2_set_queue_attributes(server):
    server.create()
    assert set_attributes(server) == response(204)


def test_24_3_get_queue_attributes(server):
    server.create()
    set_attributes(server)
    assert server.ask("GET", "/queues/demo", "GmYzt6kf2vuhReUb3LWsIwysEEA=") == response(
        200,
        """<Queue xmlns="http://mns.aliyuncs.com/doc/v1">
  <QueueName>demo</QueueName>
  <CreateTime>1704164645</CreateTime>
  <LastModifyTime>1704164645</LastModifyTime>
  <DelaySeconds>0</DelaySeconds>
  <MaximumMessageSize>65536</MaximumMessageSize>
  <MessageRetentionPeriod>345600</MessageRetentionPeriod>
  <VisibilityTimeout>60</VisibilityTimeout>
  <PollingWaitSeconds>10</PollingWaitSeconds>
  <ActiveMessages>0</ActiveMessages>
  <InactiveMessages>0</InactiveMessages>
  <DelayMessages>0</DelayMessages>
  <LoggingEnabled>False</LoggingEnabled>
</Queue>""",
    )


@pytest.fixture
def three(server):
    """The server, with three queues whose names begin alike, and one that is different."""
    for name in ("demo", "demo2", "demo3", "other"):
        server.call("PUT", f"/queues/{name}", "<Queue><VisibilityTimeout>60</VisibilityTimeout></Queue>")
    return server


def test_24_4_list_queue(three):
    headers = {"x-mns-prefix": "demo", "x-mns-ret-number": "2"}
    assert three.ask("GET", "/queues", "gqmtfCECxkcZyb22HF+VEA7zWtI=", headers=headers) == response(
        200,
        """<Queues xmlns="http://mns.aliyuncs.com/doc/v1">
  <Queue>
    <QueueURL>http://1234567890123456.mns.cn-hangzhou.aliyuncs.com/queues/demo</QueueURL>
  </Queue>
  <Queue>
    <QueueURL>http://1234567890123456.mns.cn-hangzhou.aliyuncs.com/queues/demo2</QueueURL>
  </Queue>
  <NextMarker>ZGVtbzI=</NextMarker>
</Queues>""",
    )


def test_24_5_list_queue_last_page_with_meta(three):
    headers = {
        "x-mns-marker": "ZGVtbzI=",
        "x-mns-prefix": "demo",
        "x-mns-ret-number": "2",
        "x-mns-with-meta": "true",
    }
    assert three.ask("GET", "/queues", "AhcpafigLHkTXATbqD7VZWQlb5Q=", headers=headers) == response(
        200,
        """<Queues xmlns="http://mns.aliyuncs.com/doc/v1">
  <Queue>
    <QueueURL>http://1234567890123456.mns.cn-hangzhou.aliyuncs.com/queues/demo3</QueueURL>
    <QueueName>demo3</QueueName>
    <CreateTime>1704164645</CreateTime>
    <LastModifyTime>1704164645</LastModifyTime>
    <DelaySeconds>0</DelaySeconds>
    <MaximumMessageSize>65536</MaximumMessageSize>
    <MessageRetentionPeriod>345600</MessageRetentionPeriod>
    <VisibilityTimeout>60</VisibilityTimeout>
    <PollingWaitSeconds>0</PollingWaitSeconds>
    <ActiveMessages>0</ActiveMessages>
    <InactiveMessages>0</InactiveMessages>
    <DelayMessages>0</DelayMessages>
    <LoggingEnabled>False</LoggingEnabled>
  </Queue>
</Queues>""",
    )


def test_24_6_send_message(demo):
    assert demo.send(HELLO) == response(
        201,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8F9</MessageId>
  <MessageBodyMD5>F46B6880B5507A5D995D75F8D305A995</MessageBodyMD5>
</Message>""",
        **{"x-mns-request-id": "65937D200000000000000000"},
    )


def test_24_7_send_message_delayed_with_properties(server):
    server.create()
    server.ids.first_message += 1
    assert normal(server.send(DELAYED)) == response(
        201,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
  <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>
  <ReceiptHandle>H1</ReceiptHandle>
</Message>""",
    )


def test_24_7_the_message_comes_out_with_its_properties_when_its_delay_is_over(server):
    server.create()
    server.send(DELAYED)
    server.clock.advance(300)
    received = server.call("GET", f"{MESSAGES}?waitseconds=0")
    assert received.body.decode().partition("<Priority>")[2] == (
        """8</Priority>
  <UserProperties>
    <PropertyValue>
      <Name>city</Name>
      <Value>hangzhou</Value>
      <Type>STRING</Type>
    </PropertyValue>
    <PropertyValue>
      <Name>retry</Name>
      <Value>3</Value>
      <Type>NUMBER</Type>
    </PropertyValue>
    <PropertyValue>
      <Name>blob</Name>
      <Value>AAEC</Value>
      <Type>BINARY</Type>
    </PropertyValue>
  </UserProperties>
  <SystemProperties>
    <SystemPropertyValue>
      <Name>traceparent</Name>
      <Value>00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01</Value>
      <Type>STRING</Type>
    </SystemPropertyValue>
  </SystemProperties>
</Message>"""
    )


def test_24_8_send_message_of_a_group(server):
    server.call("PUT", "/queues/orders-fifo", "<Queue/>")
    server.ids.first_message += 2
    body = (
        '<Message xmlns="http://mns.aliyuncs.com/doc/v1/">'
        "<MessageBody>b3JkZXItMg==</MessageBody><MessageGroupId>customer-42</MessageGroupId></Message>"
    )
    answer = server.ask("POST", "/queues/orders-fifo/messages", "coviyzGAHzqo0pMHLtmC5DCSbVQ=", body=body)
    assert answer == response(
        201,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FB</MessageId>
  <MessageBodyMD5>899025E5F82481B63A83BD299FCBF2CD</MessageBodyMD5>
  <MessageGroupId>customer-42</MessageGroupId>
</Message>""",
    )


def test_24_9_batch_send_message(server):
    server.create()
    server.ids.first_message += 1
    assert server.send(ORDERS) == response(
        201,
        """<Messages xmlns="http://mns.aliyuncs.com/doc/v1">
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>
  </Message>
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FB</MessageId>
    <MessageBodyMD5>899025E5F82481B63A83BD299FCBF2CD</MessageBodyMD5>
  </Message>
</Messages>""",
    )


def test_24_10_batch_send_message_partial_failure_stores_the_rest(server):
    server.create()
    server.ids.first_message += 1
    assert server.send(ORDERS.replace("<Priority>1<", "<Priority>99<")) == response(
        500,
        """<Messages xmlns="http://mns.aliyuncs.com/doc/v1">
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>
  </Message>
  <Message>
    <ErrorCode>InvalidArgument</ErrorCode>
    <ErrorMessage>The value of Priority should between 1 and 16.</ErrorMessage>
  </Message>
</Messages>""",
    )
    stored = server.call("GET", f"{MESSAGES}?peekonly=true&numOfMessages=16").body
    assert re.findall(rb"<MessageId>(\w+)<", stored) == [b"0A1B2C3D4E5F60718293A4B5C6D7E8FA"]


RECEIVED_HELLO = """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8F9</MessageId>
  <ReceiptHandle>H1</ReceiptHandle>
  <MessageBody>SGVsbG8sIE1OUyE=</MessageBody>
  <MessageBodyMD5>F46B6880B5507A5D995D75F8D305A995</MessageBodyMD5>
  <EnqueueTime>1704164640123</EnqueueTime>
  <NextVisibleTime>1704164705456</NextVisibleTime>
  <FirstDequeueTime>1704164645456</FirstDequeueTime>
  <DequeueCount>1</DequeueCount>
  <Priority>8</Priority>
</Message>"""


def receive(server):
    return server.ask("GET", f"{MESSAGES}?waitseconds=10", "GG6IGb9bpBx42ZcTYSASRfybzfU=")


def test_24_11_receive_message(demo):
    demo.send(HELLO)
    demo.at(RECEIVED_AT)
    assert normal(receive(demo)) == response(200, RECEIVED_HELLO)


def test_24_11_receive_message_waits_for_one_that_is_sent_meanwhile(demo):
    waiting = receive(demo)
    assert isinstance(waiting, operations.Waiting)
    assert waiting.deadline == SENT_AT + 10_000
    demo.send(HELLO)
    demo.at(RECEIVED_AT)
    answer = normal(waiting.resume())
    assert answer == response(200, RECEIVED_HELLO, **{"x-mns-request-id": "65937D200000000000000000"})


def test_24_12_receive_message_nothing_there(server):
    server.create()
    server.ids.request = 0x0C
    assert server.ask("GET", f"{MESSAGES}?waitseconds=0", "QEKO2AJ85nDrLLlxlGiDnQcLx+M=") == error(
        404, "MessageNotExist", "Message not exist.", number=0x0C
    )


def test_24_13_batch_receive_message(demo):
    demo.ids.first_message += 1
    demo.send(WITH_CITY)
    demo.at(RECEIVED_AT)
    answer = demo.ask("GET", f"{MESSAGES}?numOfMessages=16&waitseconds=5", "6/LnvQWBDIrDodUA3gZb3Yc+u0M=")
    # The document prints the message of priority 8 first; by its section 11.3 the one of priority 1 is.
    assert normal(answer) == response(
        200,
        """<Messages xmlns="http://mns.aliyuncs.com/doc/v1">
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FB</MessageId>
    <ReceiptHandle>H1</ReceiptHandle>
    <MessageBody>b3JkZXItMg==</MessageBody>
    <MessageBodyMD5>899025E5F82481B63A83BD299FCBF2CD</MessageBodyMD5>
    <EnqueueTime>1704164640123</EnqueueTime>
    <NextVisibleTime>1704164705456</NextVisibleTime>
    <FirstDequeueTime>1704164645456</FirstDequeueTime>
    <DequeueCount>1</DequeueCount>
    <Priority>1</Priority>
  </Message>
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
    <ReceiptHandle>H2</ReceiptHandle>
    <MessageBody>b3JkZXItMQ==</MessageBody>
    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>
    <EnqueueTime>1704164640123</EnqueueTime>
    <NextVisibleTime>1704164705456</NextVisibleTime>
    <FirstDequeueTime>1704164645456</FirstDequeueTime>
    <DequeueCount>1</DequeueCount>
    <Priority>8</Priority>
    <UserProperties>
      <PropertyValue>
        <Name>city</Name>
        <Value>hangzhou</Value>
        <Type>STRING</Type>
      </PropertyValue>
    </UserProperties>
  </Message>
</Messages>""",
    )


def test_24_14_peek_message(demo):
    demo.send(HELLO)
    demo.at(RECEIVED_AT)
    assert demo.ask("GET", f"{MESSAGES}?peekonly=true", "tZ5ScdyFjKN56gOqEyqMpv2Q0EA=") == response(
        200,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8F9</MessageId>
  <MessageBody>SGVsbG8sIE1OUyE=</MessageBody>
  <MessageBodyMD5>F46B6880B5507A5D995D75F8D305A995</MessageBodyMD5>
  <EnqueueTime>1704164640123</EnqueueTime>
  <FirstDequeueTime>1704164640123</FirstDequeueTime>
  <DequeueCount>0</DequeueCount>
  <Priority>8</Priority>
</Message>""",
    )


def test_24_15_batch_peek_message(demo):
    demo.ids.first_message += 1
    demo.send(ORDERS)
    demo.at(RECEIVED_AT)
    demo.call("GET", f"{MESSAGES}?numOfMessages=16")
    demo.at(RECEIVED_AT + 60_000)
    answer = demo.ask("GET", f"{MESSAGES}?peekonly=true&numOfMessages=2", "fMFw4mDfu5BG3Niz7lnBvGAtkgo=")
    # Again the document prints the message of priority 8 first.
    assert answer == response(
        200,
        """<Messages xmlns="http://mns.aliyuncs.com/doc/v1">
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FB</MessageId>
    <MessageBody>b3JkZXItMg==</MessageBody>
    <MessageBodyMD5>899025E5F82481B63A83BD299FCBF2CD</MessageBodyMD5>
    <EnqueueTime>1704164640123</EnqueueTime>
    <FirstDequeueTime>1704164645456</FirstDequeueTime>
    <DequeueCount>1</DequeueCount>
    <Priority>1</Priority>
  </Message>
  <Message>
    <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
    <MessageBody>b3JkZXItMQ==</MessageBody>
    <MessageBodyMD5>5BD52A6538EEA9CD8D5C75010ED08806</MessageBodyMD5>
    <EnqueueTime>1704164640123</EnqueueTime>
    <FirstDequeueTime>1704164645456</FirstDequeueTime>
    <DequeueCount>1</DequeueCount>
    <Priority>8</Priority>
  </Message>
</Messages>""",
        **{"x-mns-request-id": "65937D610000000000000000"},
    )


BAD_HANDLE = ("ReceiptHandleError", "The receipt handle you provided is not valid.")


def test_24_16_change_message_visibility(demo):
    demo.send(HELLO)
    demo.at(RECEIVED_AT)
    [handle] = handles(receive(demo))
    demo.at(1_704_164_645_789)
    answer = demo.call("PUT", f"{MESSAGES}?ReceiptHandle={handle}&VisibilityTimeout=60")
    assert handles(answer) != [handle]
    assert normal(answer) == response(
        200,
        """<ChangeVisibility xmlns="http://mns.aliyuncs.com/doc/v1">
  <ReceiptHandle>H1</ReceiptHandle>
  <NextVisibleTime>1704164705789</NextVisibleTime>
</ChangeVisibility>""",
    )


def test_24_16_change_message_visibility_under_the_documents_own_handle(server):
    server.create()
    target = f"{MESSAGES}?ReceiptHandle=8-0zxjHBaWtzPz8zphz0z6OGz5yWWidU1fJM&VisibilityTimeout=60"
    assert server.ask("PUT", target, "7wxI1nkW6PA/B74KB+1v6OpFTUU=") == error(400, *BAD_HANDLE)


def test_24_17_delete_message(demo):
    demo.send(HELLO)
    demo.at(RECEIVED_AT)
    [handle] = handles(receive(demo))
    assert demo.call("DELETE", f"{MESSAGES}?ReceiptHandle={handle}") == response(204)
    assert demo.call("DELETE", f"{MESSAGES}?ReceiptHandle={handle}") == error(
        404, "MessageNotExist", "Message not exist."
    )


def test_24_17_delete_message_under_the_documents_own_handle(server):
    server.create()
    target = f"{MESSAGES}?ReceiptHandle=8-0zxjHAX72zPzaztyz0z6GXzcSROgZnrPNl"
    assert server.ask("DELETE", target, "4W97iAYaasm0VMytH8BfoCRgvtM=") == error(400, *BAD_HANDLE)


def delete_batch(server, *some):
    """The request of 24.18 and 24.19: the signature does not cover the body, so it is good for any handles."""
    body = "".join(f"<ReceiptHandle>{handle}</ReceiptHandle>" for handle in some)
    return server.ask(
        "DELETE",
        MESSAGES,
        "23uDa7B7SNpV7rvns4yEPrEDp+4=",
        body=f'<ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">\n  {body}\n</ReceiptHandles>',
    )


@pytest.fixture
def received(demo):
    """The server, and the handles of two messages that were received from it."""
    demo.send(ORDERS)
    demo.at(RECEIVED_AT)
    return demo, handles(demo.call("GET", f"{MESSAGES}?numOfMessages=16"))


def test_24_18_batch_delete_message(received):
    server, both = received
    assert delete_batch(server, *both) == response(204)
    server.clock.advance(60)
    assert server.call("GET", f"{MESSAGES}?waitseconds=0").status == 404


def test_24_19_batch_delete_message_partial_failure(received):
    server, (deleted, other) = received
    server.call("DELETE", f"{MESSAGES}?ReceiptHandle={deleted}")
    assert delete_batch(server, deleted, other) == response(
        404,
        f"""<Errors xmlns="http://mns.aliyuncs.com/doc/v1">
  <Error>
    <ErrorCode>MessageNotExist</ErrorCode>
    <ErrorMessage>Message not exist.</ErrorMessage>
    <ReceiptHandle>{deleted}</ReceiptHandle>
  </Error>
</Errors>""",
    )
    assert handles(delete_batch(server, other)) == [other]


def test_24_18_batch_delete_message_under_the_documents_own_handles(server):
    server.create()
    both = ("8-0zxjHAX72zPzaztyz0z6GXzcSROgZnrPNl", "8-1QmTfB2cVdLkJhGfDsApOiUyTrEwQzXcVb")
    assert delete_batch(server, *both) == response(
        404,
        """<Errors xmlns="http://mns.aliyuncs.com/doc/v1">
  <Error>
    <ErrorCode>ReceiptHandleError</ErrorCode>
    <ErrorMessage>The receipt handle you provided is not valid.</ErrorMessage>
    <ReceiptHandle>8-0zxjHAX72zPzaztyz0z6GXzcSROgZnrPNl</ReceiptHandle>
  </Error>
  <Error>
    <ErrorCode>ReceiptHandleError</ErrorCode>
    <ErrorMessage>The receipt handle you provided is not valid.</ErrorMessage>
    <ReceiptHandle>8-1QmTfB2cVdLkJhGfDsApOiUyTrEwQzXcVb</ReceiptHandle>
  </Error>
</Errors>""",
    )


def test_24_20_delete_queue(server):
    server.create()
    for _ in range(2):  # the second time it is not there, which is no error
        assert server.ask("DELETE", "/queues/demo", "t74WZU4zITtz1W6T9qpwwfJgGoY=") == response(204)
    assert server.ask("GET", "/queues/demo", "GmYzt6kf2vuhReUb3LWsIwysEEA=").status == 404


def set_account(server):
    return server.ask(
        "PUT",
        "/?accountmeta=true",
        "Qnp3mLtVZYEAIyioSuOXd1rRIY8=",
        body='<Account xmlns="http://mns.aliyuncs.com/doc/v1/"><LoggingBucket>my-log-project</LoggingBucket></Account>',
    )


def test_24_34_get_account_attributes(server):
    set_account(server)
    assert server.ask("GET", "/?accountmeta=true", "Q62Vg5wCxa/C3hfyN9yiLYDMC6w=") == response(
        200,
        """<Account xmlns="http://mns.aliyuncs.com/doc/v1">
  <LoggingBucket>my-log-project</LoggingBucket>
  <TraceEnabled>0</TraceEnabled>
</Account>""",
    )


def test_24_35_set_account_attributes(server):
    assert set_account(server) == response(204)


def test_24_36_open_service_answers_the_same_order_however_often_it_is_asked_for(server):
    for _ in range(2):
        assert server.ask("POST", "/commonbuy/openservice", "i/+ZNo95MAD03eMxsQNKbCCrewY=") == response(
            200,
            """<OpenService xmlns="http://mns.aliyuncs.com/doc/v1">
  <OrderId>200000000000001</OrderId>
</OpenService>""",
        )


def test_24_37_failure_example_wrong_queue(server):
    server.ids.request = 0x25
    assert server.ask("GET", "/queues/nope", "z0hVjQg32dmoA0gfmI0Gdh0jMdA=") == error(
        404, "QueueNotExist", "The queue name you provided is not exist.", number=0x25
    )
