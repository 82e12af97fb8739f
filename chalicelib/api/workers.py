"""The functions that schedules and streams trigger. Each may be run twice with the same event."""

from typing import Any

from chalice.app import Blueprint, CloudWatchEvent, DynamoDBEvent, Rate

from chalicelib import bootstrap, settings
from chalicelib.model import limits
from chalicelib.wire import object_events as wire_events

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


@blueprint.on_dynamodb_record(stream_arn=_settings.publications_stream_arn)
def fan_out(event: DynamoDBEvent) -> dict[str, Any]:
    """Bring what was published to the topics' subscriptions, from the stream of the publications table.

    What is not done comes again, and all that follows it; messages and deliveries that are there already are found.
    """
    application = bootstrap.application()
    records = event.to_dict()["Records"]
    application.count.run(list(application.read_publication_changes(records)))
    new = application.fan_out.load(application.read_publications(records))
    undone = application.fan_out.run([item for _, item in new])
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence, item in new if item.message_id in undone]}


@blueprint.on_dynamodb_record(stream_arn=_settings.deliveries_stream_arn)
def deliver(event: DynamoDBEvent) -> dict[str, Any]:
    """Make the first attempts, from the stream of the deliveries table; what has no answer in time is made again."""
    application = bootstrap.application()
    application.deliver.run(list(application.read_deliveries(event.to_dict()["Records"])))
    application.deliver.wait(application.settings.push_patience)
    return {"batchItemFailures": []}


@blueprint.schedule(Rate(1, unit=Rate.MINUTES))
def redeliver(event: CloudWatchEvent) -> dict[str, Any]:
    """Make the retries that are due, for as long as until the next minute's invocation.

    The event's detail may narrow it down: `seconds` to go on.
    """
    detail = event.to_dict().get("detail") or {}
    next_due = bootstrap.application().redeliver.run(seconds=detail.get("seconds", limits.RELEASE_WINDOW_SECONDS))
    return {"next_due": next_due}


@blueprint.on_dynamodb_record(stream_arn=_settings.resources_stream_arn)
def purge(event: DynamoDBEvent) -> dict[str, Any]:
    """Empty deleted queues and topics, from the stream of the resources table; what is not done comes again."""
    application = bootstrap.application()
    for _, (namespace, topic) in application.read_topic_deletions(event.to_dict()["Records"]):
        application.purge.run_topic(namespace, topic)
    for sequence, deleted in application.read_deletions(event.to_dict()["Records"]):
        if not application.purge.run(deleted):
            return {"batchItemFailures": [{"itemIdentifier": sequence}]}
    return {"batchItemFailures": []}


@blueprint.lambda_function()
def object_events(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # as Lambda calls it
    """Notify of what happened to objects: events of S3, from the bucket itself or through EventBridge.

    It raises if a message cannot be stored, and is run again; what was sent by then is found.
    """
    events = wire_events.parse_events(event)
    sent = bootstrap.application().notify.run(events)
    return {"events": len(events), "messages": sent}
