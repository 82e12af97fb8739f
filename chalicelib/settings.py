"""Settings: the only reader of the environment."""

import os
from collections.abc import Mapping
from typing import Any

from chalicelib.model import limits, object_event, throttle
from chalicelib.model.frozen import frozen

LOCAL_SECRET = "openmns-secret"  # noqa: S105  # the public default of servers that listen on their own machine only
_PLACEHOLDER_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/{table}/stream/none"


@frozen
class Settings:
    """What a deployment decides; every field can be set by its environment variable."""

    region: str = "cn-hangzhou"  # OPENMNS_REGION: of requests whose host names none
    table_prefix: str = "openmns-"  # OPENMNS_TABLE_PREFIX
    application: str = ""  # OPENMNS_APPLICATION: "module:function" that makes it from settings; empty: on boto3
    longest_wait: float = 25.0  # OPENMNS_LONGEST_WAIT: seconds that a long poll is held; a gateway gives up at 29
    # OPENMNS_EXPLAIN_SIGNATURES: answer with the string to sign, and take the secret of local servers; local use only
    explain_signatures: bool = False
    inline_bytes: int = 1024  # OPENMNS_INLINE_BYTES: items up to this size hold their payload
    queue_shards: int = limits.QUEUE_SHARDS.default  # OPENMNS_QUEUE_SHARDS: of new queues
    topic_shards: int = limits.TOPIC_SHARDS.default  # OPENMNS_TOPIC_SHARDS: of new topics
    account_rate: int = limits.ACCOUNT_RATE  # OPENMNS_ACCOUNT_RATE: an account's calls on messages a second; 0: any
    metadata_rate: int = limits.METADATA_RATE  # OPENMNS_METADATA_RATE: its other calls a second; 0: any number
    bucket_owners: str = (
        ""  # OPENMNS_BUCKET_OWNERS: bucket=account id, commas between; whose rules see a bucket's events
    )
    kms_key: str = "alias/openmns"  # OPENMNS_KMS_KEY: id, ARN or alias of the key that seals secrets
    public_url: str = "http://localhost"  # OPENMNS_PUBLIC_URL: where receivers of pushes find the certificate
    push_allow: str = ""  # OPENMNS_PUSH_ALLOW: networks that pushes may reach though they are not public
    push_ca_file: str = ""  # OPENMNS_PUSH_CA_FILE: certificates to trust besides the machine's
    mail_sender: str = "openmns@localhost"  # OPENMNS_MAIL_SENDER: whom mails come from whose message names nobody
    smtp_url: str = ""  # OPENMNS_SMTP_URL: smtp://[user:password@]host[:port] or smtps://; empty: SES
    push_patience: float = float(
        limits.DELIVER_SECONDS
    )  # OPENMNS_PUSH_PATIENCE: seconds that a function waits for pushes
    messages_stream_arn: str = _PLACEHOLDER_ARN.format(table="messages")  # OPENMNS_MESSAGES_STREAM_ARN
    publications_stream_arn: str = _PLACEHOLDER_ARN.format(table="publications")  # OPENMNS_PUBLICATIONS_STREAM_ARN
    deliveries_stream_arn: str = _PLACEHOLDER_ARN.format(table="deliveries")  # OPENMNS_DELIVERIES_STREAM_ARN
    resources_stream_arn: str = _PLACEHOLDER_ARN.format(table="resources")  # OPENMNS_RESOURCES_STREAM_ARN

    def __post_init__(self) -> None:
        for name, given, shards in (
            ("QUEUE", self.queue_shards, limits.QUEUE_SHARDS),
            ("TOPIC", self.topic_shards, limits.TOPIC_SHARDS),
        ):
            if not shards.low <= given <= shards.high:
                raise ValueError(f"OPENMNS_{name}_SHARDS should be {shards.low} to {shards.high}, not {given}")
        try:
            object_event.read_owners(self.bucket_owners, self.region)
        except ValueError as error:
            raise ValueError(f"OPENMNS_BUCKET_OWNERS: {error}") from error
        throttle.check_rate("OPENMNS_ACCOUNT_RATE", self.account_rate)
        throttle.check_rate("OPENMNS_METADATA_RATE", self.metadata_rate)
        if not 0 <= self.longest_wait <= limits.WAIT_SECONDS.high:
            raise ValueError(f"OPENMNS_LONGEST_WAIT should be 0 to {limits.WAIT_SECONDS.high}, not {self.longest_wait}")


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        ValueError: a variable does not have the form it should have; the message names it.
    """
    found = os.environ if environment is None else environment
    if not found.get("OPENMNS_APPLICATION") and found.get("OPENMNS_ACCESS_KEY_SECRET") == LOCAL_SECRET:
        raise ValueError(
            "OPENMNS_ACCESS_KEY_SECRET is the secret that every local server has; a deployment has no default account:"
            " make one with `mns account create`"
        )
    defaults = Settings()
    changes: dict[str, Any] = {}
    for name, default in vars(defaults).items():
        variable = f"OPENMNS_{name.upper()}"
        if variable in found:
            changes[name] = _parse(variable, found[variable], type(default))
    return Settings(**changes)


def on_lambda(environment: Mapping[str, str] | None = None) -> bool:
    """Whether Lambda has started this process."""
    return "AWS_LAMBDA_RUNTIME_API" in (os.environ if environment is None else environment)


def _parse(variable: str, text: str, kind: type) -> object:
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{variable} should be of type {kind.__name__}, not {text!r}") from error
