"""Push to the devices of mobile apps, through the platform endpoints of SNS.

The app key is the name of platform applications of SNS, of any platform; their endpoints are the devices.
"""

from collections.abc import Callable, Iterator
from typing import Any

from botocore import exceptions

from chalicelib.model import delivery, endpoint, publication

_OK = delivery.Outcome(status=delivery.Status.OK)


class MobileChannel:
    """The port `Channel` to mobile apps."""

    def __init__(self, *, client: Callable[[], Any]) -> None:
        """Set up; `client` gives boto3's SNS client."""
        self._client = client

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Send the notification to every device that it is meant for; a failure if one of them is."""
        to, draft = notification.subscription.attributes.target, notification.publication.draft
        assert isinstance(to, endpoint.Mobile)  # noqa: S101  # the table of channels is by kind
        attributes = draft.attributes.push or publication.PushAttributes()
        title = {"Subject": attributes.title} if attributes.title else {}
        outcome = _OK
        try:
            applications = list(self._applications(to.app_key))
            if not applications:
                return delivery.Outcome(
                    status=delivery.Status.INVALID_HOST, detail=f"SNS has no application called {to.app_key}."
                )
            for application in applications:
                for device in self._devices(application, attributes):
                    try:
                        self._client().publish(TargetArn=device, Message=draft.body, **title)
                    except (exceptions.ClientError, exceptions.BotoCoreError) as error:  # the others may be well
                        outcome = delivery.Outcome(status=delivery.Status.UNKNOWN_ERROR, detail=str(error))
        except (exceptions.ClientError, exceptions.BotoCoreError) as error:
            return delivery.Outcome(status=delivery.Status.UNKNOWN_ERROR, detail=str(error))
        return outcome

    def _applications(self, app_key: str) -> Iterator[str]:
        for page in self._client().get_paginator("list_platform_applications").paginate():
            for found in page["PlatformApplications"]:
                arn = str(found["PlatformApplicationArn"])
                if arn.rpartition("/")[2] == app_key:
                    yield arn

    def _devices(self, application: str, attributes: publication.PushAttributes) -> Iterator[str]:
        pages = self._client().get_paginator("list_endpoints_by_platform_application")
        for page in pages.paginate(PlatformApplicationArn=application):
            for found in page["Endpoints"]:
                if found["Attributes"].get("Enabled", "true") == "true" and _is_meant(found["Attributes"], attributes):
                    yield str(found["EndpointArn"])


def _is_meant(device: dict[str, str], attributes: publication.PushAttributes) -> bool:
    if attributes.target == "ALL":
        return True
    key = "Token" if attributes.target == "DEVICE" else "CustomUserData"
    return device.get(key) in attributes.values
