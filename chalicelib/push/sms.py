"""Push to phones, through SNS.

The body is the text of the short message; `${name}` in it stands for a parameter of SmsParams, for there is no register
of templates here.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions

from chalicelib.model import delivery, endpoint, publication

_OK = delivery.Outcome(status=delivery.Status.OK)
_CHINESE_MOBILE = re.compile(r"1[0-9]{10}")


class SmsChannel:
    """The port `Channel` to phones."""

    def __init__(self, *, client: Callable[[], Any]) -> None:
        """Set up; `client` gives boto3's SNS client."""
        self._client = client

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Send the notification to each phone; a failure if one of them is."""
        to, draft = notification.subscription.attributes.target, notification.publication.draft
        assert isinstance(to, endpoint.Sms)  # noqa: S101  # the table of channels is by kind
        attributes = draft.attributes.sms or publication.SmsAttributes()
        numbers = attributes.instead or ((to.number,) if to.number else attributes.numbers)
        if not numbers:
            return delivery.Outcome(status=delivery.Status.INVALID_HOST, detail="The message names no phone.")
        usual = notification.subscription.attributes.texting
        sign_name = attributes.sign_name or (usual.sign_name if usual else "")
        sign = f"【{sign_name}】" if sign_name else ""
        each = dict(attributes.each)
        outcome = _OK
        for number in dict.fromkeys(numbers):
            text = sign + _fill(draft.body, dict(each.get(number, attributes.parameters)))
            try:
                self._client().publish(PhoneNumber=international(number), Message=text)
            except (exceptions.ClientError, exceptions.BotoCoreError) as error:  # not the fault of those behind it
                outcome = delivery.Outcome(status=delivery.Status.UNKNOWN_ERROR, detail=str(error))
        return outcome


def international(number: str) -> str:
    """A number as SNS takes it; eleven digits that begin with 1 are a Chinese mobile phone."""
    if number.startswith("+"):
        return number
    return f"+86{number}" if _CHINESE_MOBILE.fullmatch(number) else f"+{number}"


def _fill(text: str, parameters: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([^{}]+)\}", lambda found: parameters.get(found[1], found[0]), text)
