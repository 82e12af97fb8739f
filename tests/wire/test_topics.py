"""Topics, subscriptions and publications on the wire: sections 7 to 9, and what the Python SDK makes of our answers."""

import json

import pytest
from mns import mns_xml_handler

from chalicelib.model import account, errors, message, publication, retry, subscription, topic
from chalicelib.wire import lists, publications, subscriptions, topics
from tests.model.test_topic import NOW, make_publication, make_subscription, make_topic

HOST_URL = "http://1234567890123456.mns.cn-hangzhou.aliyuncs.com"
HTTP = "http://example.test/"
HERE = account.Namespace(account_id="1", region="cn-hangzhou")
DECAY = retry.Strategy.EXPONENTIAL_DECAY_RETRY


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (b"", topic.TopicChange()),
        (b"<Topic/>", topic.TopicChange()),
        (
            (
                b'<Topic xmlns="http://mns.aliyuncs.com/doc/v1/"><MaximumMessageSize>2048</MaximumMessageSize>'
                b"<LoggingEnabled>True</LoggingEnabled></Topic>"
            ),
            topic.TopicChange(maximum_message_size=2048, logging_enabled=True),
        ),
        (b"<Topic><TopicName>x</TopicName></Topic>", topic.TopicChange()),
    ],
)
def test_a_topic_names_what_is_to_change(body, change):
    assert topics.parse_topic(body) == change


def test_the_python_sdk_reads_all_attributes_of_a_topic():
    response = topics.render_topic(make_topic().evolve(modified_at=NOW + 1_999), 3)
    assert mns_xml_handler.GetTopicAttrDecoder.decode(response.body, "id") == {
        "TopicName": "demo",
        "CreateTime": "1704164645",
        "LastModifyTime": "1704164646",
        "MaximumMessageSize": "65536",
        "MessageRetentionPeriod": "86400",
        "MessageCount": "3",
        "LoggingEnabled": "False",
    }


def test_a_page_of_topics_has_attributes_where_they_were_asked_for_and_a_marker_where_more_follow():
    page = topic.Page(topics=(make_topic(),), marker="demo")
    response = topics.render_page(page, {"t1": 0}, HOST_URL)
    urls, marker, metas = mns_xml_handler.ListTopicDecoder.decode(response.body, True, "id")  # noqa: FBT003  # the SDK's
    assert (urls, marker) == ([f"{HOST_URL}/topics/demo"], "ZGVtbw==")
    assert metas[0]["MessageCount"] == "0"
    bare = topics.render_page(topic.Page(topics=(make_topic(),), marker=None), {}, HOST_URL).body.decode()
    assert "NextMarker" not in bare
    assert "CreateTime" not in bare


@pytest.mark.parametrize("module", [topics, subscriptions])
def test_the_headers_of_a_list_are_read_as_for_queues(module):
    headers = {"x-mns-prefix": "de", "x-mns-ret-number": "2", "x-mns-marker": "ZGVtbzI=", "x-mns-with-meta": "true"}
    assert module.parse_list(headers) == lists.ListRequest(prefix="de", after="demo2", limit=2, with_meta=True)
    with pytest.raises(errors.InvalidArgument):
        module.parse_list({"x-mns-marker": "LQ=="})


def test_a_subscription_has_defaults_for_all_but_its_endpoint():
    body = b"<Subscription><Endpoint> http://example.test/ </Endpoint></Subscription>"
    assert subscriptions.parse_subscription(body, HERE) == subscription.SubscriptionAttributes(
        endpoint=HTTP,
        filter_tag="",
        strategy=retry.Strategy.BACKOFF_RETRY,
        content_format=subscription.Format.XML,
        dead_letter_queue="",
    )


@pytest.mark.parametrize("name", ["XML", "JSON", "SIMPLIFIED", "STREAM"])
def test_a_subscription_with_everything(name):
    body = (
        f"<Subscription><Endpoint>{HTTP}</Endpoint><FilterTag>important</FilterTag>"
        "<NotifyStrategy>EXPONENTIAL_DECAY_RETRY</NotifyStrategy>"
        f"<NotifyContentFormat>{name}</NotifyContentFormat>"
        "<DlqPolicy><Enabled>true</Enabled><DeadLetterTargetQueue>dead</DeadLetterTargetQueue></DlqPolicy>"
        "</Subscription>"
    )
    assert subscriptions.parse_subscription(body.encode(), HERE) == subscription.SubscriptionAttributes(
        endpoint=HTTP,
        filter_tag="important",
        strategy=DECAY,
        content_format=subscription.Format(name),
        dead_letter_queue="dead",
    )


@pytest.mark.parametrize(
    ("inside", "error"),
    [
        ("", errors.InvalidArgument),
        ("<Endpoint> </Endpoint>", errors.InvalidArgument),
        ("<Endpoint>nonsense</Endpoint>", errors.EndpointInvalid),
        (f"<Endpoint>{HTTP}</Endpoint><NotifyStrategy>NEVER</NotifyStrategy>", errors.InvalidArgument),
        (f"<Endpoint>{HTTP}</Endpoint><NotifyContentFormat>xml</NotifyContentFormat>", errors.InvalidArgument),
        (f"<Endpoint>{HTTP}</Endpoint><FilterTag>{'x' * 17}</FilterTag>", errors.InvalidArgument),
        (f"<Endpoint>{HTTP}</Endpoint><DlqPolicy><Enabled>true</Enabled></DlqPolicy>", errors.InvalidArgument),
        *[
            (
                (
                    f"<Endpoint>{HTTP}</Endpoint><DlqPolicy><Enabled>true</Enabled>"
                    f"<DeadLetterTargetQueue>acs:mns:{elsewhere}:/queues/dead</DeadLetterTargetQueue></DlqPolicy>"
                ),
                errors.InvalidArgument,
            )
            for elsewhere in ("cn-hangzhou:2", "cn-beijing:1")
        ],
    ],
)
def test_what_is_no_subscription_is_refused(inside, error):
    with pytest.raises(error):
        subscriptions.parse_subscription(f"<Subscription>{inside}</Subscription>".encode(), HERE)


@pytest.mark.parametrize(
    ("inside", "change"),
    [
        ("", subscription.SubscriptionChange()),
        ("<NotifyStrategy>EXPONENTIAL_DECAY_RETRY</NotifyStrategy>", subscription.SubscriptionChange(strategy=DECAY)),
        ("<FilterTag>a</FilterTag>", subscription.SubscriptionChange(filter_tag="a")),
        ("<FilterTag/>", subscription.SubscriptionChange(filter_tag="")),
        ("<Endpoint>nonsense</Endpoint><NotifyContentFormat>x</NotifyContentFormat>", None),
        ("<DlqPolicy><Enabled>False</Enabled></DlqPolicy>", subscription.SubscriptionChange(dead_letter_queue="")),
        (
            (
                "<DlqPolicy><Enabled>True</Enabled><DeadLetterTargetQueue>acs:mns:cn-hangzhou:1:/queues/dead"
                "</DeadLetterTargetQueue></DlqPolicy>"
            ),
            subscription.SubscriptionChange(dead_letter_queue="dead"),
        ),
    ],
)
def test_a_change_of_a_subscription_names_strategy_filter_and_dead_letter_queue_and_ignores_the_rest(inside, change):
    body = f"<Subscription>{inside}</Subscription>".encode()
    assert subscriptions.parse_change(body, HERE) == (change or subscription.SubscriptionChange())


def test_the_python_sdk_reads_all_attributes_of_a_subscription():
    response = subscriptions.render_subscription(make_subscription(filter_tag="a", dead_letter_queue="dead"))
    assert mns_xml_handler.GetSubscriptionAttrDecoder.decode(response.body, "id") == {
        "SubscriptionName": "sub",
        "Subscriber": "1234567890123456",
        "TopicOwner": "1234567890123456",
        "TopicName": "demo",
        "Endpoint": HTTP,
        "FilterTag": "a",
        "NotifyStrategy": "BACKOFF_RETRY",
        "NotifyContentFormat": "XML",
        "CreateTime": "1704164645",
        "LastModifyTime": "1704164645",
    }


@pytest.mark.parametrize("with_meta", [False, True])
def test_a_page_of_subscriptions(with_meta):
    page = subscription.Page(subscriptions=(make_subscription("a"), make_subscription("b")), marker="b")
    response = subscriptions.render_page(page, "demo", HOST_URL, with_meta=with_meta)
    urls, marker = mns_xml_handler.ListSubscriptionByTopicDecoder.decode(response.body, "id")
    assert urls == [f"{HOST_URL}/topics/demo/subscriptions/{name}" for name in "ab"]
    assert marker == "Yg=="
    assert (b"NotifyStrategy" in response.body) is with_meta


def test_a_publication_with_everything():
    body = (
        "<Message><MessageBody> 消息 &lt;1&gt; </MessageBody><MessageTag>important</MessageTag>"
        "<MessageGroupId>g</MessageGroupId><UserProperties><PropertyValue><Name>city</Name><Value>hangzhou</Value>"
        "<Type>STRING</Type></PropertyValue></UserProperties><SystemProperties><SystemPropertyValue>"
        "<Name>baggage</Name><Value>x</Value><Type>STRING</Type></SystemPropertyValue></SystemProperties></Message>"
    )
    assert publications.parse_publication(body.encode()) == publication.Draft(
        body=" 消息 <1> ",
        tag="important",
        group_id="g",
        user_properties=(message.Property(name="city", value="hangzhou", type=message.PropertyType.STRING),),
        system_properties=(message.Property(name="baggage", value="x", type=message.PropertyType.STRING),),
    )


def parse_attributes(**children):
    inside = "".join(f"<{name}>{json.dumps(value)}</{name}>" for name, value in children.items())
    body = f"<Message><MessageBody>x</MessageBody><MessageAttributes>{inside}</MessageAttributes></Message>"
    return publications.parse_publication(body.encode()).attributes


MAIL = {"AccountName": "a@example.test", "Subject": "CI", "AddressType": 0, "IsHtml": 1, "ReplyToAddress": 0}


@pytest.mark.parametrize(
    "given", [MAIL, MAIL | {"IsHtml": "1", "ReplyToAddress": "0"}, MAIL | {"IsHtml": True, "ReplyToAddress": None}]
)
def test_mail_attributes_have_their_truths_as_numbers_or_text(given):
    assert parse_attributes(DirectMail=given) == publication.Attributes(
        mail=publication.MailAttributes(sender="a@example.test", subject="CI", is_html=True)
    )


def test_the_new_mail_attributes_may_name_the_mailbox():
    assert parse_attributes(DM={"MailAddress": "b@example.test", "Subject": "s", "IsHtml": 0}).mail == (
        publication.MailAttributes(subject="s", address="b@example.test")
    )


def test_one_content_goes_to_all_receivers():
    given = {
        "FreeSignName": "Sign",
        "TemplateCode": "SMS_1",
        "Type": "singleContent",
        "Receiver": "13800138000, 13900139000",
        "SmsParams": '{"code":"42"}',
    }
    assert parse_attributes(DirectSMS=given).sms == publication.SmsAttributes(
        sign_name="Sign",
        template_code="SMS_1",
        numbers=("13800138000", "13900139000"),
        parameters=(("code", "42"),),
    )


def test_several_contents_go_each_to_its_receiver():
    given = {
        "FreeSignName": "Sign",
        "TemplateCode": "SMS_1",
        "Type": "multiContent",
        "Receiver": "",
        "SmsParams": '{"13800138000":{"code":"42"},"13900139000":{}}',
    }
    assert parse_attributes(DirectSMS=given).sms == publication.SmsAttributes(
        sign_name="Sign",
        template_code="SMS_1",
        numbers=("13800138000", "13900139000"),
        each=(("13800138000", (("code", "42"),)), ("13900139000", ())),
    )


def test_the_new_sms_attributes_name_the_phone():
    assert parse_attributes(DYSMS={"PhoneNumber": 13800138000}).sms == publication.SmsAttributes(
        instead=("13800138000",)
    )


def test_push_attributes_name_devices():
    given = {"Target": "device", "TargetValue": "t1,t2", "Title": "News"}
    assert parse_attributes(Push=given).push == publication.PushAttributes(
        target="DEVICE", values=("t1", "t2"), title="News"
    )


MANY = [f"13800138{number:03}" for number in range(101)]


@pytest.mark.parametrize(
    ("child", "element", "receivers"),
    [
        ("DirectSMS", "Receiver", ",".join),
        ("DYSMS", "PhoneNumber", ",".join),
        ("Push", "TargetValue", ",".join),
        ("DirectSMS", "SmsParams", lambda numbers: {number: {} for number in numbers}),
    ],
)
def test_a_message_names_a_hundred_receivers_at_most(child, element, receivers):
    kind = {"Type": "multiContent"} if element == "SmsParams" else {}
    parse_attributes(**{child: kind | {element: receivers(MANY[:100])}})
    with pytest.raises(errors.InvalidArgument, match=f"{element} has 101 receivers, but 100 is most"):
        parse_attributes(**{child: kind | {element: receivers(MANY)}})


def test_the_attributes_of_a_message_have_64_kilobytes_together_at_most():
    frame = len(json.dumps({"Subject": ""}))
    half = {"Subject": "x" * (32_768 - frame)}
    parse_attributes(DM=half, DirectMail=half)
    with pytest.raises(errors.InvalidArgument, match="MessageAttributes have 65537 bytes, but 65536 is most"):
        parse_attributes(DM=half, DirectMail={"Subject": half["Subject"] + "x"})


def test_attributes_of_channels_that_are_no_more_are_ignored():
    assert parse_attributes(WebSocket={"ImportanceLevel": 1}) == publication.Attributes()


@pytest.mark.parametrize(
    "children",
    [
        {"DirectMail": []},
        {"DirectMail": {"AccountName": "nobody"}},
        {"DirectMail": MAIL | {"Subject": "a\nBcc: b@example.test"}},
        {"DirectMail": MAIL | {"Subject": {"a": 1}}},
        {"DirectMail": MAIL | {"IsHtml": 2}},
        {"DirectSMS": {"Receiver": "abc"}},
        {"DirectSMS": {"SmsParams": "[1]"}},
        {"DirectSMS": {"SmsParams": "{"}},
        {"DirectSMS": {"SmsParams": [1]}},
        {"DirectSMS": {"Type": "multiContent", "SmsParams": {"13800138000": 1}}},
        {"Push": {"Target": "EVERYBODY"}},
    ],
)
def test_attributes_that_make_no_sense_are_refused(children):
    with pytest.raises(errors.InvalidArgument):
        parse_attributes(**children)


def test_attributes_that_are_no_json_are_refused():
    for text in ("{", "[" * 100_000, "1", '{"Subject": "\\ud800"}', '{"SmsParams": {"a": "\\ud800"}}'):
        body = f"<Message><MessageBody>x</MessageBody><MessageAttributes><DM>{text}</DM></MessageAttributes></Message>"
        with pytest.raises(errors.InvalidArgument):
            publications.parse_publication(body.encode())


def test_a_publication_without_a_body_is_refused():
    for body in (b"<Message/>", b"<Message><MessageBody></MessageBody></Message>", b"<Messages/>"):
        with pytest.raises(errors.InvalidArgument):
            publications.parse_publication(body)


def test_the_python_sdk_reads_what_a_publisher_is_answered():
    response = publications.render_published(make_publication("SGVsbG8sIE1OUyE="))
    assert response.status == 201
    message_id, md5 = mns_xml_handler.PublishMessageDecoder.decode(response.body, "id")[:2]
    assert (message_id, md5) == (f"{NOW:012X}{7:020X}", "F46B6880B5507A5D995D75F8D305A995")


def test_the_group_of_a_publication_is_answered():
    draft = publication.Draft(body="x", group_id="g")
    body = publications.render_published(make_publication().evolve(draft=draft)).body
    assert b"<MessageGroupId>g</MessageGroupId>" in body
