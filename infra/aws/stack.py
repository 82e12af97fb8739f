"""A stage's stack: deploy, destroy, and what it needs besides CloudFormation.

The functions' code lies in a bucket of the account under its hash, so that a roll-back finds the old one. What is kept
when a stack goes, a stack of the same name takes up again: CloudFormation imports the tables, and the key that seals
their secrets is found by a tag.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config

from chalicelib import bootstrap, settings
from chalicelib.storage import schema
from infra.aws import package, template
from infra.aws import replay as replays
from infra.local import certificates

_BUCKET = "openmns-artifacts-{account}-{region}"
_POLL_SECONDS = 2.0
_LONGEST_SECONDS = 3_600
_LONGEST_FUNCTION_SECONDS = 900  # Lambda's
_IDLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")  # can only be deleted
_NOT_MADE = (*_NEVER_MADE, "REVIEW_IN_PROGRESS")

_NO_REGION = "no region is set: give --region, or set AWS_DEFAULT_REGION"

Say = Callable[[str], None]


class DeployError(Exception):
    """A deployment cannot go on; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where is deployed to."""

    session: boto3.session.Session
    account_id: str
    region: str

    def client(self, service: str) -> Any:
        """A client of a service."""
        return self.session.client(service)


def sign_in(profile: str | None = None, region: str | None = None) -> Account:
    """The account and region that the machine's AWS configuration names.

    Raises:
        DeployError: it names none, or the keys are not taken.
    """
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        if not session.region_name:
            raise DeployError(_NO_REGION)
        if session.get_credentials() is None:
            raise DeployError(
                "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        account_id = session.client("sts").get_caller_identity()["Account"]
    except (exceptions.ClientError, exceptions.BotoCoreError) as error:
        raise DeployError(f"AWS does not let you in: {error}") from error
    return Account(session=session, account_id=account_id, region=session.region_name)


def configured_region() -> str:
    """The region of the machine's AWS configuration; raises DeployError."""
    region = boto3.session.Session().region_name
    if not region:
        raise DeployError(_NO_REGION)
    return str(region)


def application(account: Account, outputs: Mapping[str, str]) -> bootstrap.Application:
    """The application on a stack's tables; it makes the certificate of pushes where there is none."""
    told = settings.Settings(table_prefix=outputs["TablePrefix"], kms_key=outputs["SecretsKey"])
    return bootstrap.build(
        told, engine=account.client("dynamodb"), services=account.client, make_certificate=certificates.make
    )


def replay(account: Account, url: str, *, look: bool, discard: bool) -> Iterator[replays.Replayed]:
    """Have done again what is in a stack's queue of dead records; raises DeployError where AWS says no."""
    patient = Config(read_timeout=_LONGEST_FUNCTION_SECONDS, retries={"max_attempts": 0})
    made = replays.Replay(
        queue=account.client("sqs"),
        url=url,
        streams=account.client("dynamodbstreams"),
        invoke=replays.by_lambda(account.session.client("lambda", config=patient)),
    )
    with _explained("replay"):
        yield from made.run(look=look, discard=discard)


class Stack:
    """One stage's stack in an account."""

    def __init__(self, account: Account, name: str, *, say: Say, sleep: Callable[[float], None] = time.sleep) -> None:
        """Set up; `say` is told of progress."""
        self.name = name
        self._account = account
        self._say = say
        self._sleep = sleep
        self._stacks = account.client("cloudformation")

    def deploy(self, made: package.Package, parameters: Mapping[str, str]) -> dict[str, str]:
        """Make the stack, or change it to what a package says; the outputs.

        Args:
            made: what to deploy.
            parameters: of the template; those not named keep the value they have, or the default.

        Raises:
            DeployError: it did not come about; what there was before is there again.
        """
        unknown = sorted(set(parameters) - set(made.template["Parameters"]))
        if unknown:
            known = ", ".join(sorted(set(made.template["Parameters"]) - {"CodeBucket", "CodeKey"}))
            raise DeployError(f"the template has no parameter {unknown[0]}; it has {known}")
        with _explained("deploy"):
            present = self._describe()
            if present and present["StackStatus"] in _NEVER_MADE:
                self._say(f"the stack {self.name} never came about; what is left of it goes first")
                self._delete()
                present = None
            is_new = present is None or present["StackStatus"] in _NOT_MADE
            bucket, key = self._upload(made)
            chosen = dict(parameters)
            if is_new and "SecretsKeyArn" not in chosen and (kept := self._kept_key()):
                chosen["SecretsKeyArn"] = kept
            settled = set() if is_new or present is None else {item["ParameterKey"] for item in present["Parameters"]}
            values = _parameters(made, chosen | {"CodeBucket": bucket, "CodeKey": f"{key}.zip"}, settled)
            if self._change(made, f"{bucket}/{key}.json", values, is_new=is_new):
                self._say(f"the stack {self.name} is as the package says")
            else:
                self._say("nothing to change")
            return self.outputs()

    def door(self) -> template.Door | None:
        """What stands in front of the stack; None: there is no stack.

        Raises:
            DeployError: it does not say.
        """
        with _explained("look at the stack"):
            present = self._describe()
        if present is None or present["StackStatus"] in _NOT_MADE:
            return None
        told = self.outputs().get("Door")
        if told is None:
            raise DeployError(f"the stack {self.name} does not say which door it has: name it, with --door")
        return template.Door(told)

    def outputs(self) -> dict[str, str]:
        """The outputs of the stack.

        Raises:
            DeployError: there is no such stack.
        """
        with _explained("look at the stack"):
            present = self._describe()
        if present is None:
            raise DeployError(f"there is no stack {self.name} in {self._account.region}; deploy it first")
        return {item["OutputKey"]: item["OutputValue"] for item in present.get("Outputs", [])}

    def destroy(self, *, delete_data: bool) -> list[str]:
        """Delete the stack; the names of the tables that stay.

        Raises:
            DeployError: there is none, or it does not go.
        """
        outputs = self.outputs()
        tables = [outputs[template.table_id(table)] for table in schema.TABLES if template.table_id(table) in outputs]
        with _explained("destroy"):
            self._delete()
            if not delete_data:
                return tables
            for table in tables:
                self._delete_table(table)
            self._say(f"the key of its secrets stays, for whatever else it seals: {outputs['SecretsKey']}")
            return []

    def _describe(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._stacks.describe_stacks(StackName=self.name)["Stacks"][0]
        except exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _upload(self, made: package.Package) -> tuple[str, str]:
        """Put code and template into the account's bucket; the bucket, and their key without its end."""
        bucket = _BUCKET.format(account=self._account.account_id, region=self._account.region)
        storage = self._account.client("s3")
        try:
            storage.head_bucket(Bucket=bucket)
        except exceptions.ClientError:
            self._say(f"making the bucket {bucket}")
            where = {"LocationConstraint": self._account.region}
            elsewhere = {} if self._account.region == "us-east-1" else {"CreateBucketConfiguration": where}
            storage.create_bucket(Bucket=bucket, **elsewhere)
            closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            storage.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
        key = f"{self.name}/{made.code_hash[:16]}"
        self._say(f"uploading {made.code.stat().st_size:,} bytes of code")
        storage.upload_file(str(made.code), bucket, f"{key}.zip")
        storage.put_object(Bucket=bucket, Key=f"{key}.json", Body=made.template_text.encode())
        return bucket, key

    def _change(self, made: package.Package, at: str, values: list[dict[str, Any]], *, is_new: bool) -> bool:
        """Have a change set made and done; False: there is nothing to change."""
        name = f"change-{made.code_hash[:8]}-{int(time.time())}"
        self._stacks.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateURL=f"{self._account.client('s3').meta.endpoint_url}/{at}",
            Parameters=values,
            Capabilities=["CAPABILITY_IAM"],
            ImportExistingResources=True,  # tables that an earlier stack of this name has left
            Tags=[{"Key": "openmns:stage", "Value": made.stage}],
        )
        change = self._when(
            lambda: self._stacks.describe_change_set(StackName=self.name, ChangeSetName=name),
            lambda change: change["Status"] in ("CREATE_COMPLETE", "FAILED"),
        )
        if change["Status"] == "FAILED":
            reason = change.get("StatusReason", "")
            self._stacks.delete_change_set(StackName=self.name, ChangeSetName=name)
            if "didn't contain changes" in reason or "No updates are to be performed" in reason:
                return False
            raise DeployError(f"CloudFormation does not take the template: {reason}")
        for entry in change.get("Changes", []):
            of = entry.get("ResourceChange", {})
            replaced = " (replaced)" if of.get("Replacement") == "True" else ""
            self._say(f"  {of.get('Action', '').lower():8}{of.get('LogicalResourceId', '')}{replaced}")
        before = self._seen()
        self._stacks.execute_change_set(StackName=self.name, ChangeSetName=name)
        self._follow(before, self.name)
        status = (self._describe() or {}).get("StackStatus", "")
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            raise DeployError(f"the stack {self.name} was rolled back ({status}): {self._why(before)}")
        return True

    def _delete(self) -> None:
        before = self._seen()
        stack_id = (self._describe() or {}).get("StackId", self.name)
        self._stacks.delete_stack(StackName=self.name)
        self._follow(before, stack_id)
        if left := self._describe():
            raise DeployError(f"the stack {self.name} does not go ({left['StackStatus']}): {self._why(before)}")

    def _seen(self) -> frozenset[str]:
        return frozenset(event["EventId"] for event in self._events(self.name))

    def _follow(self, before: frozenset[str], of: str) -> None:
        """Tell of the stack's events until nothing goes on any more."""
        seen = set(before)

        def is_done(stack: dict[str, Any] | None) -> bool:
            for event in reversed(self._events(of)):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
                    self._say(f"  {event['ResourceStatus']:28}{event['LogicalResourceId']}{reason}")
            return stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS")

        self._when(self._describe, is_done)

    def _events(self, of: str) -> list[dict[str, Any]]:
        """The events of a stack, by its name or its id, newest first."""
        try:
            pages = self._stacks.get_paginator("describe_stack_events").paginate(StackName=of)
            return [event for page in pages for event in page["StackEvents"]]
        except exceptions.ClientError:  # there is none yet, or none any more
            return []

    def _why(self, before: frozenset[str]) -> str:
        """The first thing that failed since then."""
        for event in reversed(self._events(self.name)):
            reason = event.get("ResourceStatusReason", "")
            is_cause = event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason
            if is_cause and event["EventId"] not in before:
                return f"{event['LogicalResourceId']}: {reason}"
        return "see its events in the CloudFormation console"

    def _when(self, ask: Callable[[], Any], is_done: Callable[[Any], bool]) -> Any:
        """The answer, once it is final."""
        until = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < until:
            answer = ask()
            if is_done(answer):
                return answer
            self._sleep(_POLL_SECONDS)
        raise DeployError(f"CloudFormation was not done within {_LONGEST_SECONDS} s; it goes on by itself")

    def _kept_key(self) -> str | None:
        """The key that seals the secrets of tables which an earlier stack of this name has left."""
        tables = self._account.client("dynamodb")
        try:
            arn = tables.describe_table(TableName=f"{self.name}-{schema.IDENTITIES.name}")["Table"]["TableArn"]
        except tables.exceptions.ResourceNotFoundException:
            return None
        tags = tables.list_tags_of_resource(ResourceArn=arn)["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == template.SECRETS_KEY_TAG), None)

    def _delete_table(self, name: str) -> None:
        tables = self._account.client("dynamodb")
        try:
            if tables.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
                tables.update_table(TableName=name, DeletionProtectionEnabled=False)
                tables.get_waiter("table_exists").wait(TableName=name)
            tables.delete_table(TableName=name)
        except tables.exceptions.ResourceNotFoundException:
            return
        self._say(f"  deleted the table {name}")


def _parameters(made: package.Package, chosen: Mapping[str, str], settled: set[str]) -> list[dict[str, Any]]:
    """The parameters of a change set: what is chosen, else what was chosen before, else the default."""
    found: list[dict[str, Any]] = []
    for name, parameter in made.template["Parameters"].items():
        if name in chosen:
            found.append({"ParameterKey": name, "ParameterValue": chosen[name]})
        elif name in settled:
            found.append({"ParameterKey": name, "UsePreviousValue": True})
        elif "Default" not in parameter:
            raise DeployError(f"the template needs a value: --set {name}=… ({parameter['Description']})")
    return found


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """What AWS says no to becomes a DeployError."""
    try:
        yield
    except (exceptions.ClientError, exceptions.BotoCoreError) as error:
        raise DeployError(f"cannot {what}: {error}") from error
