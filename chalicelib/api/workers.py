"""The functions that schedules and streams trigger. Each may be run twice with the same event."""

from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, DynamoDBEvent, Rate

from chalicelib import bootstrap, settings
from chalicelib.model import limits

_settings = settings.read()

blueprint = Blueprint(__name__)


@blueprint.schedule(Rate(1, unit=Rate.MINUTES))
def release(event: CloudWatchEvent) -> dict[str, Any]:
    """Make due messages Active, for as long as until the next minute's invocation.

    The event's detail may narrow it down: `partitions` to look in, `seconds` to go on.
    """
    detail = event.to_dict().get("detail") or {}
    due = bootstrap.application().release.run(
        partitions=detail.get("partitions"), seconds=detail.get("seconds", limits.RELEASE_WINDOW_SECONDS)
    )
    return {"due": due}


@blueprint.on_dynamodb_record(stream_arn=_settings.messages_stream_arn)
def tally(event: DynamoDBEvent) -> dict[str, Any]:
    """Count the messages of queues by state, from the stream of the messages table."""
    application = bootstrap.application()
    application.count.run(list(application.read_changes(event.to_dict()["Records"])))
    return {"batchItemFailures": []}


@blueprint.on_dynamodb_record(stream_arn=_settings.resources_stream_arn)
def purge(event: DynamoDBEvent) -> dict[str, Any]:
    """Empty deleted queues, from the stream of the resources table; what is not done comes again."""
    application = bootstrap.application()
    for sequence, deleted in application.read_deletions(event.to_dict()["Records"]):
        if not application.purge.run(deleted):
            return {"batchItemFailures": [{"itemIdentifier": sequence}]}
    return {"batchItemFailures": []}
