"""The services that pushes need and that a local server has not: SES and SNS are moto, and keep what they are given.

moto is started when the first mail, short message or mobile push goes out, for it takes half a second. It must forget
nothing then: there is one moto in a process, and its object store may be in use (`objects`).
"""

import email
import threading
from email import policy
from typing import Any

_REGION = "us-east-1"
_ACCOUNT = "123456789012"  # moto's
_PLATFORM = "GCM"
_BACKENDS = ("ses", "sns")


class Outbox:
    """The clients of SES and SNS, and what went out by them; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._mock: Any = None
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of a service, by boto3's name for it."""
        with self._lock:
            if self._mock is None:
                self._start()
            return self._clients[service]

    def add_device(self, app_key: str, token: str, user: str) -> None:
        """Let an app have a device, as it would register itself with SNS."""
        sns = self.client("sns")
        application = sns.create_platform_application(Name=app_key, Platform=_PLATFORM, Attributes={})
        sns.create_platform_endpoint(
            PlatformApplicationArn=application["PlatformApplicationArn"],
            Token=token,
            Attributes={"CustomUserData": user},
        )

    def show(self) -> dict[str, list[dict[str, str]]]:
        """What went out, each kind oldest first."""
        with self._lock:
            if self._mock is None:
                return {"mails": [], "texts": [], "pushes": []}
            ses, sns = (_backend(name) for name in _BACKENDS)
            return {
                "mails": [_mail(sent.raw_data) for sent in ses.sent_messages],
                "texts": [{"number": sent[0], "text": sent[1]} for sent in sns.sms_messages.values()],
                "pushes": [
                    {
                        "app": found.application.name,
                        "token": found.attributes["Token"],
                        "user": found.attributes.get("CustomUserData", ""),
                        "text": text,
                    }
                    for found in sns.platform_endpoints.values()
                    for text in found.messages.values()
                ],
            }

    def close(self) -> None:
        """Give botocore back."""
        with self._lock:
            if self._mock is not None:
                self._mock.stop()
                self._mock = None

    def _start(self) -> None:
        import boto3  # noqa: PLC0415  # see the module
        import moto  # noqa: PLC0415

        self._mock = moto.mock_aws(config={"core": {"mock_credentials": False}})  # clients have their own
        self._mock.start(reset=False)
        for name in _BACKENDS:
            _backend(name).reset()
            keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
            made = boto3.session.Session().client(name, region_name=_REGION, **keys)
            self._clients[name] = _Trusting(made, self._lock) if name == "ses" else _Locked(made, self._lock)


class _Locked:
    """A client that one thread uses at a time: moto knows no threads."""

    def __init__(self, client: Any, lock: threading.RLock) -> None:
        self._client = client
        self._lock = lock

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return method(*arguments, **named)

        return call


class _Trusting(_Locked):
    """SES that takes mails of every sender, where the real one wants the address to be verified before."""

    def send_raw_email(self, **arguments: Any) -> Any:
        """SendRawEmail."""
        with self._lock:
            self._client.verify_email_identity(EmailAddress=arguments["Source"])
            return self._client.send_raw_email(**arguments)


def _backend(name: str) -> Any:
    from moto.backends import get_backend  # noqa: PLC0415  # see the module

    return get_backend(name)[_ACCOUNT][_REGION]  # type: ignore[call-overload]  # any of moto's names


def _mail(raw: str) -> dict[str, str]:
    read = email.message_from_string(raw, policy=policy.default)
    return {
        "from": str(read["From"]),
        "to": str(read["To"]),
        "subject": str(read["Subject"]),
        "type": read.get_content_type(),
        "text": read.get_content(),
    }
