"""Push to mailboxes, through SES or an SMTP server."""

import dataclasses
import ipaddress
import smtplib
import ssl
from collections.abc import Callable
from email import message, policy
from typing import Any
from urllib import parse

from botocore import exceptions

from chalicelib.model import delivery, endpoint, limits, publication

_OK = delivery.Outcome(status=delivery.Status.OK)
_SEVEN_BITS = policy.SMTP.clone(cte_type="7bit")  # not every mail server on the way takes more
_PORTS = {"smtp": 25, "smtps": 465}

Post = Callable[[message.EmailMessage, str, str], None]  # the mail, who sends it, where it goes


class MailChannel:
    """The port `Channel` to mailboxes."""

    def __init__(self, *, post: Post, sender: str) -> None:
        """Set up.

        Args:
            post: takes a mail away; raises OSError, smtplib.SMTPException or botocore's errors.
            sender: whom mails come from whose message names nobody.
        """
        self._post = post
        self._sender = sender

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Mail the notification."""
        to = notification.subscription.attributes.target
        assert isinstance(to, endpoint.Mail)  # noqa: S101  # the table of channels is by kind
        attributes = _attributes(notification)
        address = to.address or attributes.address
        if address is None:
            return delivery.Outcome(status=delivery.Status.INVALID_HOST, detail="The message names no mailbox.")
        sender = attributes.sender or self._sender
        try:
            self._post(_compose(notification, attributes, sender, address), sender, address)
        except TimeoutError:
            return delivery.Outcome(status=delivery.Status.CONNECT_TIMEOUT)
        except (OSError, smtplib.SMTPException) as error:  # SMTPException is an OSError too
            return delivery.Outcome(status=delivery.Status.CONNECT_FAILURE, detail=str(error))
        except (exceptions.ClientError, exceptions.BotoCoreError) as error:
            return delivery.Outcome(status=delivery.Status.UNKNOWN_ERROR, detail=str(error))
        return _OK


def by_ses(client: Callable[[], Any]) -> Post:
    """Mails go through SES."""

    def post(mail: message.EmailMessage, sender: str, address: str) -> None:
        client().send_raw_email(Source=sender, Destinations=[address], RawMessage={"Data": mail.as_bytes()})

    return post


def by_smtp(url: str, ca_file: str = "") -> Post:
    """Mails go through an SMTP server.

    Args:
        url: smtp://[user:password@]host[:port], or smtps://.
        ca_file: certificates to trust besides the machine's.

    Raises:
        ValueError: `url` is not of this form.
    """
    fault = ValueError("an SMTP server is given as smtp://[user:password@]host[:port], or smtps://")
    try:
        parts = parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise fault from None  # what they say may have the password in it
    if not host:
        raise fault
    user, password = parse.unquote(parts.username or ""), parse.unquote(parts.password or "")
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)

    def connect() -> smtplib.SMTP:
        if parts.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=limits.PUSH_SECONDS, context=context)
        return smtplib.SMTP(host, port, timeout=limits.PUSH_SECONDS)

    def post(mail: message.EmailMessage, sender: str, address: str) -> None:
        with connect() as server:
            server.ehlo_or_helo_if_needed()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=context)
            if user:
                if not (isinstance(server.sock, ssl.SSLSocket) or _is_loopback(host)):
                    raise smtplib.SMTPNotSupportedError("Without TLS the mail server is not told the password.")
                server.login(user, password)
            server.send_message(mail, sender, [address])

    return post


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _attributes(notification: publication.Notification) -> publication.MailAttributes:
    """What the message says of how it is mailed, and where it says nothing, the subscription."""
    told = notification.publication.draft.attributes.mail or publication.MailAttributes()
    usual = notification.subscription.attributes.mailing
    if usual is None:
        return told
    return dataclasses.replace(told, sender=told.sender or usual.sender, subject=told.subject or usual.subject)


def _compose(
    notification: publication.Notification, attributes: publication.MailAttributes, sender: str, address: str
) -> message.EmailMessage:
    what = notification.publication
    mail = message.EmailMessage(_SEVEN_BITS)
    mail["From"] = sender
    mail["To"] = address
    mail["Subject"] = attributes.subject or what.topic_name
    if attributes.reply_to_sender:
        mail["Reply-To"] = sender
    mail["Message-ID"] = f"<{notification.derived()[0]}@{what.namespace.account_id}.mns>"
    mail["X-MNS-Message-Id"] = what.message_id
    mail.set_content(what.draft.body, subtype="html" if attributes.is_html else "plain")
    return mail
