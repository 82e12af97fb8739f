"""What every channel promises, and what each does: real SMTP, moto's SES and SNS, a queue."""

import dataclasses
import email
import traceback
from email import policy

import boto3
import moto
import pytest
from botocore import exceptions
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from chalicelib.clock import SystemClock
from chalicelib.model import delivery, errors, publication, subscription
from chalicelib.push import addresses, http, mail, mobile, queue, sms
from chalicelib.wire import notifications
from tests.broker import fakes
from tests.model.test_topic import make_publication, make_subscription
from tests.push import servers
from tests.push.test_http import certificate

REGION = "us-east-1"
OK = delivery.Outcome(status="200")


def notification(to, body="hello", **attributes):
    draft = publication.Draft(body=body, attributes=publication.Attributes(**attributes))
    return publication.Notification(
        publication=make_publication(draft=draft), subscription=make_subscription(endpoint=to)
    )


@pytest.fixture
def aws():
    """Clients of moto's services, which are empty, though another test's mock may be under way."""
    with moto.mock_aws(config={"core": {"mock_credentials": False}}):
        for name in ("ses", "sns"):
            backend(name).reset()
        made = {}

        def client(name):
            keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
            return made.setdefault(name, boto3.client(name, region_name=REGION, **keys))

        client("ses").verify_email_identity(EmailAddress="mns@example.test")
        yield client


def backend(name):
    return get_backend(name)[DEFAULT_ACCOUNT_ID][REGION]


@pytest.fixture
def smtp():
    server = servers.SmtpServer()
    yield server
    server.close()


MAIL = "mail:directmail:user@example.test"


def read(raw):
    return email.message_from_bytes(raw, policy=policy.default)


def smtp_channel(server):
    return mail.MailChannel(post=mail.by_smtp(f"smtp://127.0.0.1:{server.port}"), sender="mns@example.test")


def test_a_mail_goes_out_by_smtp_with_what_the_message_says_of_it(smtp):
    attributes = publication.MailAttributes(
        sender="ci@example.test", subject="构建", is_html=True, reply_to_sender=True
    )
    assert smtp_channel(smtp).push(notification(MAIL, "<b>完成</b>\n.\nend", mail=attributes)) == OK
    [(sender, receivers, raw)] = smtp.mails
    assert (sender, receivers) == ("ci@example.test", ["user@example.test"])
    got = read(raw)
    assert {name: got[name] for name in ("From", "To", "Subject", "Reply-To")} == {
        "From": "ci@example.test",
        "To": "user@example.test",
        "Subject": "构建",
        "Reply-To": "ci@example.test",
    }
    assert (got.get_content_type(), got.get_content().split()) == ("text/html", ["<b>完成</b>", ".", "end"])


def test_a_mail_that_the_message_says_nothing_of_comes_from_the_deployment(smtp):
    smtp_channel(smtp).push(notification(MAIL))
    [(_, _, raw)] = smtp.mails
    assert (read(raw)["From"], read(raw)["Subject"], read(raw).get_content_type()) == (
        "mns@example.test",
        "demo",
        "text/plain",
    )


def test_a_mail_that_the_message_says_nothing_of_is_as_its_subscription_says(smtp):
    usual = subscription.Mailing(sender="news@example.test", subject="News")
    for told, expected in (
        (None, ("news@example.test", "News")),
        (publication.MailAttributes(subject="Special"), ("news@example.test", "Special")),
    ):
        what = notification(MAIL, mail=told)
        to = make_subscription(endpoint=MAIL, mailing=usual)
        assert smtp_channel(smtp).push(dataclasses.replace(what, subscription=to)) == OK
        sender, _, raw = smtp.mails.pop()
        assert (sender, read(raw)["Subject"]) == expected


def test_the_new_endpoint_leaves_the_mailbox_to_the_message(smtp):
    to = "smq-ep:dm:1234567890123456:__dynamic"
    attributes = publication.MailAttributes(address="other@example.test")
    assert smtp_channel(smtp).push(notification(to, mail=attributes)) == OK
    assert smtp.mails[0][1] == ["other@example.test"]
    assert smtp_channel(smtp).push(notification(to)).status == "InvalidHost"


def test_a_mail_server_that_refuses_or_is_not_there_is_a_failure(smtp):
    smtp.refuse = True
    assert smtp_channel(smtp).push(notification(MAIL)).status == "ConnectFailure"
    smtp.close()
    assert smtp_channel(smtp).push(notification(MAIL)).status == "ConnectFailure"


@pytest.mark.parametrize("url", ["", "mail.example.test", "http://mail.example.test", "smtp://"])
def test_what_is_no_mail_server_is_refused_at_once(url):
    with pytest.raises(ValueError, match="smtp://"):
        mail.by_smtp(url)


@pytest.mark.parametrize(
    "url", ["smtp://user:se/cret@mail.example.test", "smtp://user:secret@", "http://user:secret@mail.example.test"]
)
def test_what_is_refused_as_a_mail_server_is_not_repeated_for_it_has_the_password(url):
    with pytest.raises(ValueError, match="smtp://") as caught:
        mail.by_smtp(url)
    assert "cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_server_has_to_have_a_certificate_that_is_trusted(tmp_path, scheme):
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    server = servers.SmtpServer(context=context, starts_tls=scheme == "smtp")
    url = f"{scheme}://user:secret@127.0.0.1:{server.port}"
    try:
        stranger = mail.MailChannel(post=mail.by_smtp(url), sender="mns@example.test").push(notification(MAIL))
        assert (stranger.status, "self-signed" in stranger.detail) == ("ConnectFailure", True)
        assert (server.mails, server.logins) == ([], 0)
        assert mail.MailChannel(post=mail.by_smtp(url, ca_file), sender="m@example.test").push(notification(MAIL)) == OK
        assert (len(server.mails), server.logins) == (1, 1)
    finally:
        server.close()


@pytest.mark.parametrize(("host", "status", "logins"), [("127.0.0.1", "200", 1), ("0.0.0.0", "ConnectFailure", 0)])  # noqa: S104  # a name of this machine that is not known to be one
def test_a_mail_server_without_tls_is_told_the_password_on_the_same_machine_only(smtp, host, status, logins):
    channel = mail.MailChannel(post=mail.by_smtp(f"smtp://user:secret@{host}:{smtp.port}"), sender="m@example.test")
    assert (channel.push(notification(MAIL)).status, smtp.logins, len(smtp.mails)) == (status, logins, logins)


def test_a_mail_goes_out_by_ses(aws):
    channel = mail.MailChannel(post=mail.by_ses(lambda: aws("ses")), sender="mns@example.test")
    assert channel.push(notification(MAIL)) == OK
    [sent] = backend("ses").sent_messages
    assert set(sent.destinations) == {"user@example.test"}
    assert read(sent.raw_data.encode() if isinstance(sent.raw_data, str) else sent.raw_data)["Subject"] == "demo"


def test_a_sender_that_ses_does_not_know_is_a_failure(aws):
    channel = mail.MailChannel(post=mail.by_ses(lambda: aws("ses")), sender="stranger@elsewhere.test")
    outcome = channel.push(notification(MAIL))
    assert (outcome.status, "MessageRejected" in outcome.detail) == ("UnknownError", True)


def texts():
    """The short messages that moto's SNS was given."""
    return [(number, text) for number, text, *_ in backend("sns").sms_messages.values()]


@pytest.mark.parametrize(
    ("to", "attributes", "expected"),
    [
        ("sms:directsms:13800138000", None, [("+8613800138000", "code ${code}")]),
        (
            "sms:directsms:anonymous",
            publication.SmsAttributes(
                sign_name="云", numbers=("13800138000", "4915112345678"), parameters=(("code", "42"),)
            ),
            [("+8613800138000", "【云】code 42"), ("+4915112345678", "【云】code 42")],
        ),
        (
            "sms:directsms:anonymous",
            publication.SmsAttributes(
                numbers=("13800138000", "13900139000"),
                each=(("13800138000", (("code", "1"),)), ("13900139000", (("code", "2"),))),
            ),
            [("+8613800138000", "code 1"), ("+8613900139000", "code 2")],
        ),
        ("smq-ep:dysms:1234567890123456:+4915112345678", None, [("+4915112345678", "code ${code}")]),
        (
            "smq-ep:dysms:1234567890123456:13800138000",
            publication.SmsAttributes(instead=("13900139000",)),
            [("+8613900139000", "code ${code}")],
        ),
        (
            "sms:directsms:13800138000",
            publication.SmsAttributes(numbers=("13900139000",), parameters=(("code", "42"),)),
            [("+8613800138000", "code 42")],
        ),
    ],
)
def test_a_short_message_goes_to_each_phone(aws, to, attributes, expected):
    assert sms.SmsChannel(client=lambda: aws("sns")).push(notification(to, "code ${code}", sms=attributes)) == OK
    assert texts() == expected


def test_a_short_message_without_a_signature_has_that_of_its_subscription(aws):
    to = make_subscription(
        endpoint="sms:directsms:+8613800000001",
        texting=subscription.Texting(sign_name="OpenMNS", template_code="SMS_1"),
    )
    what = dataclasses.replace(notification("sms:directsms:+8613800000001"), subscription=to)
    assert sms.SmsChannel(client=lambda: aws("sns")).push(what) == OK
    assert texts() == [("+8613800000001", "【OpenMNS】hello")]


def test_a_short_message_to_nobody_is_a_failure(aws):
    outcome = sms.SmsChannel(client=lambda: aws("sns")).push(notification("sms:directsms:anonymous"))
    assert (outcome.status, texts()) == ("InvalidHost", [])


class Picky:
    """A client of SNS that refuses one phone or device."""

    def __init__(self, inner, refused):
        self._inner, self._refused = inner, refused

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def publish(self, **arguments):
        if self._refused in arguments.values():
            raise exceptions.ClientError({"Error": {"Code": "InvalidParameter", "Message": "no"}}, "Publish")
        return self._inner.publish(**arguments)


def test_a_phone_that_is_refused_is_a_failure_but_does_not_cut_off_those_behind_it(aws):
    attributes = publication.SmsAttributes(numbers=("13800138000", "13900139000"))
    channel = sms.SmsChannel(client=lambda: Picky(aws("sns"), "+8613800138000"))
    outcome = channel.push(notification("sms:directsms:anonymous", sms=attributes))
    assert (outcome.status, "InvalidParameter" in outcome.detail) == ("UnknownError", True)
    assert texts() == [("+8613900139000", "hello")]


@pytest.fixture
def devices(aws):
    """The endpoints of two platform applications, the one called as the app key of the tests."""
    sns = aws("sns")
    found = {}
    for name in ("24680", "other"):
        arn = sns.create_platform_application(Name=name, Platform="GCM", Attributes={})["PlatformApplicationArn"]
        for token in ("t1", "t2"):
            found[name, token] = sns.create_platform_endpoint(
                PlatformApplicationArn=arn,
                Token=f"{name}-{token}",
                Attributes={"CustomUserData": f"user-{token}"},
            )["EndpointArn"]
    off = sns.create_platform_endpoint(PlatformApplicationArn=arn.replace("other", "24680"), Token="off")
    sns.set_endpoint_attributes(EndpointArn=off["EndpointArn"], Attributes={"Enabled": "false"})
    return found


@pytest.mark.parametrize(
    ("attributes", "reached"),
    [
        (None, {"t1", "t2"}),
        (publication.PushAttributes(target="DEVICE", values=("24680-t2",), title="News"), {"t2"}),
        (publication.PushAttributes(target="ACCOUNT", values=("user-t1", "nobody")), {"t1"}),
    ],
)
def test_a_mobile_push_reaches_the_devices_it_is_meant_for(aws, devices, attributes, reached):
    assert mobile.MobileChannel(client=lambda: aws("sns")).push(notification("push:24680", push=attributes)) == OK
    messages = {
        token: list(backend("sns").platform_endpoints[arn].messages.values())
        for (_, token), arn in devices.items()
        if backend("sns").platform_endpoints[arn].messages
    }
    assert messages == {token: ["hello"] for token in reached}


def test_a_device_that_is_refused_is_a_failure_but_does_not_cut_off_those_behind_it(aws, devices):
    channel = mobile.MobileChannel(client=lambda: Picky(aws("sns"), devices["24680", "t1"]))
    outcome = channel.push(notification("push:24680"))
    assert (outcome.status, "InvalidParameter" in outcome.detail) == ("UnknownError", True)
    assert len(backend("sns").platform_endpoints[devices["24680", "t2"]].messages) == 1


def test_an_app_that_nobody_knows_is_a_failure(aws, devices):
    outcome = mobile.MobileChannel(client=lambda: aws("sns")).push(notification("push:13579"))
    assert (outcome.status, outcome.detail) == ("InvalidHost", "SNS has no application called 13579.")


@pytest.fixture
def process():
    return fakes.Process()


def queue_channel(process):
    return queue.QueueChannel(
        find=process.queues.find, messages=process.tables.messages, render=notifications.body, clock=process.clock
    )


QUEUE = "acs:mns:cn-hangzhou:1234567890123456:queues/demo"


def test_a_queue_gets_the_body_in_the_subscriptions_format_once(process):
    process.create()
    channel = queue_channel(process)
    for _ in range(2):
        assert channel.push(notification(QUEUE)) == OK
    [body] = process.bodies()
    assert body.startswith('<?xml version="1.0" ?>\n<Notification xmlns="http://mns.aliyuncs.com/doc/v1/">')


def test_a_message_of_the_largest_size_fits_into_a_queue_though_its_wrapping_makes_it_larger(process):
    process.create()
    assert queue_channel(process).push(notification(QUEUE, "x" * 65_536)) == OK
    assert len(process.bodies()[0]) > 65_536


def test_a_queue_that_is_missing_is_a_failure_and_one_that_is_full_is_for_the_caller_to_see(process):
    assert queue_channel(process).push(notification(QUEUE)).status == "InvalidHost"
    made = process.create()
    process.tables.messages.full.add(made.partitions[0])
    with pytest.raises(errors.TooManyRequests):
        queue_channel(process).push(notification(QUEUE))


CONTRACT = ["http", "queue", "mail", "sms", "mobile"]


@pytest.fixture(params=CONTRACT)
def channel_and_endpoint(request, process, smtp, aws):
    """Each channel with an endpoint that takes what it gets."""
    if request.param == "http":
        with servers.web() as server:
            made = http.HttpChannel(
                guard=addresses.Guard("127.0.0.0/8"),
                render=lambda of, to: notifications.push(
                    of, to, request_id="0" * 24, now=0, certificate_url="", sign=lambda _: b""
                ),
                clock=SystemClock(),
            )
            yield made, f"http://127.0.0.1:{server.port}/"
            made.close()
        return
    process.create()
    sns = aws("sns")
    application = sns.create_platform_application(Name="app", Platform="GCM", Attributes={})
    sns.create_platform_endpoint(PlatformApplicationArn=application["PlatformApplicationArn"], Token="t")
    yield {
        "queue": (queue_channel(process), QUEUE),
        "mail": (smtp_channel(smtp), MAIL),
        "sms": (sms.SmsChannel(client=lambda: sns), "sms:directsms:13800138000"),
        "mobile": (mobile.MobileChannel(client=lambda: sns), "push:app"),
    }[request.param]


@pytest.mark.parametrize("body", ["hello", '消息 <1> & "2"', "x" * 1_000])
def test_every_channel_says_so_when_the_endpoint_has_taken_the_message_and_may_be_asked_twice(
    channel_and_endpoint, body
):
    channel, to = channel_and_endpoint
    assert [channel.push(notification(to, body)).is_success for _ in range(2)] == [True, True]
