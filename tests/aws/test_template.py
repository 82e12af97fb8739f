"""The template says what the code needs, and CloudFormation takes it."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chalicelib.model import limits
from chalicelib.storage import schema
from infra.aws import functions, package, template
from infra.aws.template import Door
from tests.aws.conftest import REGION

KINDS = [("dev", Door.REST), ("prod", Door.HTTP), ("prod", Door.URL), ("private", Door.REST)]
BY_NAME = functions.BY_NAME


def resources(made: package.Package, kind: str) -> dict[str, dict]:
    found = made.template["Resources"].items()
    return {name: copy.deepcopy(resource["Properties"]) for name, resource in found if resource["Type"] == kind}


@pytest.mark.parametrize(("stage", "door"), KINDS)
def test_the_template_keeps_to_the_specification_of_cloudformation(packaged, stage, door):
    path = packaged(stage, door).code.with_name("template.json")
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        "--include-checks",
        "I",
        "--regions",
        REGION,
        "--",
        path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # a pinned tool
    assert (done.returncode, done.stdout) == (0, "")


def test_the_template_has_no_ignored_rule_but_one_of_which_it_says_why():
    source = Path(template.__file__).read_text()
    assert source.count("ignore_checks") == 1


def test_the_tables_are_those_of_the_schema(packaged):
    tables = resources(packaged(), "AWS::DynamoDB::Table")
    assert len(tables) == len(schema.TABLES)
    for table in schema.TABLES:
        found = tables[template.table_id(table)]
        wanted = table.create_arguments("PREFIX-")
        assert found.pop("TableName") == {"Fn::Sub": "${AWS::StackName}-" + table.name}
        ttl = found.pop("TimeToLiveSpecification", None)
        assert ttl == (table.ttl and {"AttributeName": table.ttl, "Enabled": True})
        stream = found.pop("StreamSpecification", None)
        assert stream == ({"StreamViewType": "NEW_AND_OLD_IMAGES"} if table.stream else None)
        assert {name: value for name, value in found.items() if name in wanted} == {
            name: value for name, value in wanted.items() if name not in ("TableName", "StreamSpecification")
        }
        assert found["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize(("stage", "door"), KINDS)
def test_data_stays_when_the_stack_goes(packaged, stage, door):
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in packaged(stage, door).template["Resources"].items()
        if resource["Type"] in ("AWS::DynamoDB::Table", "AWS::KMS::Key")
    }
    assert kept == {
        "SecretsKey": ("RetainExceptOnCreate", "Retain"),
        **{template.table_id(table): ("Retain", "Retain") for table in schema.TABLES},
    }


def test_every_stream_has_a_mapping_that_loses_nothing_and_ends(packaged):
    mappings = resources(packaged(), "AWS::Lambda::EventSourceMapping")
    assert len(mappings) == sum(function.source is not None for function in functions.FUNCTIONS)
    for mapping in mappings.values():
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        assert 0 < mapping["MaximumRetryAttempts"] <= 10_000
        assert 0 < mapping["MaximumRecordAgeInSeconds"] < 86_400  # while the stream still has the record
        assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": ["DeadRecords", "Arn"]}}}


def test_what_is_counted_is_worked_on_in_its_order():
    assert [name for name, function in BY_NAME.items() if function.source and function.source.parallel > 1] == [
        "deliver"
    ]


def test_a_function_that_pushes_ends_before_its_leases_do_and_within_its_time_out():
    assert limits.DELIVER_SECONDS + limits.PUSH_SECONDS < limits.DELIVERY_LEASE_SECONDS
    assert BY_NAME["deliver"].timeout > limits.DELIVER_SECONDS + limits.PUSH_SECONDS
    assert BY_NAME["purge"].timeout > limits.PURGE_SECONDS
    assert {BY_NAME[name].timeout for name in ("release", "redeliver")} == {60}  # the next run begins then


def test_functions_are_told_the_tables_the_key_and_where_the_certificate_is(packaged):
    found = resources(packaged(), "AWS::Lambda::Function")
    assert set(found) == {function.logical_id for function in functions.FUNCTIONS}
    for function in functions.FUNCTIONS:
        told = found[function.logical_id]["Environment"]["Variables"]
        assert told["OPENMNS_TABLE_PREFIX"] == {"Fn::Sub": "${AWS::StackName}-"}
        assert told["OPENMNS_KMS_KEY"] == template.SECRETS_KEY
        assert ("OPENMNS_PUBLIC_URL" in told) is function.pushes


def test_buckets_may_call_their_function_and_what_it_cannot_do_is_told(packaged):
    made = packaged().template["Resources"]
    assert made["ObjectEventsOfBuckets"]["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "ObjectEvents"},
        "Principal": "s3.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
    }
    assert made["ObjectEventsRule"]["Condition"] == made["ObjectEventsOfEventBridge"]["Condition"] == "ByEventBridge"
    configs = resources(packaged(), "AWS::Lambda::EventInvokeConfig")
    assert configs["ObjectEventsEventInvokeConfig"]["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["DeadRecords", "Arn"]}}
    }


@pytest.mark.parametrize(
    ("door", "handler", "timeout", "wait"),
    [
        (Door.REST, "app.app", 30, None),
        (Door.HTTP, "chalicelib.api.direct.handler", 30, None),
        (Door.URL, "chalicelib.api.direct.handler", 35, "30"),
    ],
)
def test_the_door_decides_the_handler_and_how_long_a_poll_may_take(packaged, door, handler, timeout, wait):
    stage = "dev" if door is Door.REST else "prod"
    found = resources(packaged(stage, door), "AWS::Lambda::Function")["APIHandler"]
    told = found["Environment"]["Variables"]
    assert (found["Handler"], found["Timeout"], told.get("OPENMNS_LONGEST_WAIT")) == (handler, timeout, wait)


def test_what_the_gateway_answers_by_itself_is_an_mns_error(packaged):
    [api] = resources(packaged(), "AWS::ApiGateway::RestApi").values()
    answers = api["Body"]["x-amazon-apigateway-gateway-responses"]
    codes = {}
    for kind, answer in answers.items():
        assert set(answer["responseTemplates"]) == {"application/json", "application/xml", "text/xml"}
        [body] = set(answer["responseTemplates"].values())
        error = ET.fromstring(body)
        assert [child.tag.rpartition("}")[2] for child in error] == ["Code", "Message", "RequestId", "HostId"]
        assert answer["responseParameters"]["gatewayresponse.header.Content-Type"].startswith("'text/xml")
        codes[kind] = (error[0].text, answer.get("statusCode"))
    assert codes == {
        "MISSING_AUTHENTICATION_TOKEN": ("InvalidRequestURL", "400"),
        "RESOURCE_NOT_FOUND": ("InvalidRequestURL", "400"),
        "REQUEST_TOO_LARGE": ("InvalidArgument", "400"),
        "THROTTLED": ("TooManyRequests", "429"),
        "QUOTA_EXCEEDED": ("TooManyRequests", "429"),
        "ACCESS_DENIED": ("AccessDenied", "403"),
        "WAF_FILTERED": ("AccessDenied", "403"),
        "DEFAULT_4XX": ("InvalidArgument", None),
        "DEFAULT_5XX": ("InternalError", None),
    }


def test_a_private_api_is_reached_through_its_endpoints_only(packaged):
    [api] = resources(packaged("private"), "AWS::ApiGateway::RestApi").values()
    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": {"Ref": "VpcEndpointIds"}}
    deny = api["Body"]["x-amazon-apigateway-policy"]["Statement"][1]
    assert (deny["Effect"], deny["Condition"]) == (
        "Deny",
        {"StringNotEquals": {"aws:SourceVpce": {"Ref": "VpcEndpointIds"}}},
    )


def test_a_private_stage_has_no_other_door():
    with pytest.raises(template.TemplateError, match="needs DOOR=rest"):
        template.build({}, stage="private", door=Door.URL, policies={})


def test_a_function_without_a_row_and_one_without_a_policy_are_named():
    sam = {
        "Resources": {function.logical_id: {"Type": "AWS::Serverless::Function"} for function in functions.FUNCTIONS}
    }
    with pytest.raises(template.TemplateError, match=r"policy-api_handler\.json"):
        template.build(sam, stage="dev", door=Door.REST, policies={})
    sam["Resources"]["Other"] = {"Type": "AWS::Serverless::Function"}
    with pytest.raises(template.TemplateError, match="these functions: Other"):
        template.build(sam, stage="dev", door=Door.REST, policies={})


def test_the_same_source_makes_the_same_files_and_a_small_bundle(packaged, tmp_path):
    first = packaged()
    again = package.make("dev", Door.REST, region=REGION, into=tmp_path / "dev")
    assert (again.code_hash, again.template_text) == (first.code_hash, first.template_text)
    assert first.code.stat().st_size < package.LARGEST
    assert json.loads(first.code.with_name("template.json").read_text()) == first.template
