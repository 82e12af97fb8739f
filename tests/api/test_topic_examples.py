"""Sections 24.21 to 24.33 of the protocol document: its requests, under the signatures it prints, and its answers."""

import pytest

from infra.local import engine as engines
from tests.api.test_worked_examples import HOST, RECEIVED_AT, Server, error, response

TOPIC = "/topics/demo-topic"
SUBSCRIPTION = f"{TOPIC}/subscriptions/sub-http"
NS = 'xmlns="http://mns.aliyuncs.com/doc/v1/"'


@pytest.fixture(params=["moto_engine", "embedded_engine"])
def server(request, prefix):
    engine = request.getfixturevalue(request.param)
    engines.make_tables(engine, prefix)
    return Server(engine, prefix)


def location(path):
    return {"Location": f"http://{HOST}{path}"}


def create(server, logging="True"):
    return server.ask(
        "PUT",
        TOPIC,
        "+ixIZBJ91KEgjK6cc26Rayu6xRs=",
        body=f"<Topic {NS}><MaximumMessageSize>65536</MaximumMessageSize>"
        f"<LoggingEnabled>{logging}</LoggingEnabled></Topic>",
    )


def subscribe(server, strategy="EXPONENTIAL_DECAY_RETRY"):
    return server.ask(
        "PUT",
        SUBSCRIPTION,
        "GukZFQ/2navSL88dNpwELXYHGFE=",
        body=f"""<Subscription {NS}>
  <Endpoint>https://hooks.example.test/notify?src=mns</Endpoint><FilterTag>important</FilterTag>
  <NotifyStrategy>{strategy}</NotifyStrategy><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>
</Subscription>""",
    )


def subscribe_queue(server):
    return server.ask(
        "PUT",
        f"{TOPIC}/subscriptions/sub-queue",
        "Kz6m+o0Zl6zPDn8+DD5qAfXB3Lk=",
        body=f"""<Subscription {NS}>
  <Endpoint>acs:mns:cn-hangzhou:1234567890123456:queues/demo</Endpoint><NotifyContentFormat>JSON</NotifyContentFormat>
</Subscription>""",
    )


def publish(server, body):
    return server.ask("POST", f"{TOPIC}/messages", "+q8t4MTpxTI5VOqbAkZCDMfFW4E=", body=body)


@pytest.fixture
def demo(server):
    """The server, with the topic of 24.21."""
    server.at(RECEIVED_AT)
    create(server)
    return server


def test_24_21_create_topic(server):
    assert create(server) == response(201, **location(TOPIC))
    assert create(server) == response(204, **location(TOPIC))
    assert create(server, "False") == error(409, "TopicAlreadyExist", "The topic you want to create is already exist.")


def set_attributes(server):
    body = f"<Topic {NS}><LoggingEnabled>False</LoggingEnabled></Topic>"
    return server.ask("PUT", f"{TOPIC}?metaoverride=true", "YdHXlznI2POb1d66FmIUjA4VIig=", body=body)


def test_24_22_set_topic_attributes(demo):
    assert set_attributes(demo) == response(204)


def test_24_22_and_23_a_topic_that_is_not_there(server):
    missing = error(404, "TopicNotExist", "The topic name you provided is not exist.")
    assert set_attributes(server) == missing
    assert server.ask("GET", TOPIC, "MxhFqFB7kvYGwfsibtQsX5coLHg=") == missing
    assert subscribe(server) == missing
    assert publish(server, f"<Message {NS}><MessageBody>x</MessageBody></Message>") == missing


def test_24_23_get_topic_attributes(demo):
    set_attributes(demo)
    assert demo.ask("GET", TOPIC, "MxhFqFB7kvYGwfsibtQsX5coLHg=") == response(
        200,
        """<Topic xmlns="http://mns.aliyuncs.com/doc/v1">
  <TopicName>demo-topic</TopicName>
  <CreateTime>1704164645</CreateTime>
  <LastModifyTime>1704164645</LastModifyTime>
  <MaximumMessageSize>65536</MaximumMessageSize>
  <MessageRetentionPeriod>86400</MessageRetentionPeriod>
  <MessageCount>0</MessageCount>
  <LoggingEnabled>False</LoggingEnabled>
</Topic>""",
    )


def test_24_24_list_topic(demo):
    set_attributes(demo)
    listed = demo.ask("GET", "/topics", "JDADWJyoCEY824YPKlHyspE5maI=", headers={"x-mns-with-meta": "true"})
    assert listed == response(
        200,
        f"""<Topics xmlns="http://mns.aliyuncs.com/doc/v1">
  <Topic>
    <TopicURL>http://{HOST}/topics/demo-topic</TopicURL>
    <TopicName>demo-topic</TopicName>
    <CreateTime>1704164645</CreateTime>
    <LastModifyTime>1704164645</LastModifyTime>
    <MaximumMessageSize>65536</MaximumMessageSize>
    <MessageRetentionPeriod>86400</MessageRetentionPeriod>
    <MessageCount>0</MessageCount>
    <LoggingEnabled>False</LoggingEnabled>
  </Topic>
</Topics>""",
    )


def test_24_25_subscribe_http_endpoint(demo):
    assert subscribe(demo) == response(201, **location(SUBSCRIPTION))
    assert subscribe(demo) == response(204, **location(SUBSCRIPTION))
    assert subscribe(demo, "BACKOFF_RETRY") == error(
        409, "SubscriptionAlreadyExist", "The subscription you want to create is already exist."
    )


def test_24_26_subscribe_queue_endpoint(demo):
    assert subscribe_queue(demo) == response(201, **location(f"{TOPIC}/subscriptions/sub-queue"))


def set_subscription(server):
    return server.ask(
        "PUT",
        f"{SUBSCRIPTION}?metaoverride=true",
        "w/4M16JzbVWppbvV9kE2DDazgiY=",
        body=f"<Subscription {NS}><NotifyStrategy>BACKOFF_RETRY</NotifyStrategy></Subscription>",
    )


def test_24_27_set_subscription_attributes(demo):
    subscribe(demo)
    assert set_subscription(demo) == response(204)


def get_subscription(server):
    return server.ask("GET", SUBSCRIPTION, "2oBGaVnDo1nLCYXnWllUjgJKjR4=")


def test_24_28_get_subscription_attributes(demo):
    subscribe(demo)
    set_subscription(demo)
    assert get_subscription(demo) == response(
        200,
        """<Subscription xmlns="http://mns.aliyuncs.com/doc/v1">
  <SubscriptionName>sub-http</SubscriptionName>
  <Subscriber>1234567890123456</Subscriber>
  <TopicOwner>1234567890123456</TopicOwner>
  <TopicName>demo-topic</TopicName>
  <Endpoint>https://hooks.example.test/notify?src=mns</Endpoint>
  <FilterTag>important</FilterTag>
  <NotifyStrategy>BACKOFF_RETRY</NotifyStrategy>
  <NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>
  <CreateTime>1704164645</CreateTime>
  <LastModifyTime>1704164645</LastModifyTime>
</Subscription>""",
    )


def test_24_27_and_28_a_subscription_that_is_not_there(demo):
    missing = error(404, "SubscriptionNotExist", "The subscription name you provided is not exist.")
    assert (set_subscription(demo), get_subscription(demo)) == (missing, missing)


def test_24_29_list_subscription_by_topic(demo):
    subscribe(demo)
    subscribe_queue(demo)
    answer = demo.ask(
        "GET", f"{TOPIC}/subscriptions", "aeHbRBouO+Ha2+rsB02p4qBXiyY=", headers={"x-mns-ret-number": "10"}
    )
    assert answer == response(
        200,
        f"""<Subscriptions xmlns="http://mns.aliyuncs.com/doc/v1">
  <Subscription>
    <SubscriptionURL>http://{HOST}/topics/demo-topic/subscriptions/sub-http</SubscriptionURL>
  </Subscription>
  <Subscription>
    <SubscriptionURL>http://{HOST}/topics/demo-topic/subscriptions/sub-queue</SubscriptionURL>
  </Subscription>
</Subscriptions>""",
    )


def test_24_30_publish_message(demo):
    body = f"<Message {NS}><MessageBody>SGVsbG8sIE1OUyE=</MessageBody><MessageTag>important</MessageTag></Message>"
    assert publish(demo, body) == response(
        201,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8F9</MessageId>
  <MessageBodyMD5>F46B6880B5507A5D995D75F8D305A995</MessageBodyMD5>
</Message>""",
    )


def test_24_31_publish_message_with_mail_attributes(demo):
    demo.ids.first_message += 1
    body = f"""<Message {NS}>
  <MessageBody>Build finished</MessageBody>
  <MessageAttributes><DirectMail>{{"AccountName":"noreply@example.test","Subject":"CI","AddressType":0,"IsHtml":0,\
"ReplyToAddress":0}}</DirectMail></MessageAttributes>
</Message>"""
    assert publish(demo, body) == response(
        201,
        """<Message xmlns="http://mns.aliyuncs.com/doc/v1">
  <MessageId>0A1B2C3D4E5F60718293A4B5C6D7E8FA</MessageId>
  <MessageBodyMD5>E25C5FC2B3C48F4648CD9A735A28D17E</MessageBodyMD5>
</Message>""",
    )


def test_24_32_unsubscribe(demo):
    subscribe(demo)
    for _ in range(2):  # the second time it is not there, which is no error
        assert demo.ask("DELETE", SUBSCRIPTION, "sq7jUQmxypFBbkw/pxgkBXs21B8=") == response(204)
    assert get_subscription(demo).status == 404


def test_24_33_delete_topic(demo):
    subscribe(demo)
    for _ in range(2):
        assert demo.ask("DELETE", TOPIC, "UivGeePBPWzv/Axfm9Qp8VhNZs4=") == response(204)
    create(demo)
    assert get_subscription(demo).status == 404
