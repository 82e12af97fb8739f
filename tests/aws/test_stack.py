"""Deploy, change, take down and deploy again, by the command and against moto's server (mended, see moto_server.py).

moto makes the roles, functions, mappings, rules, tables, queue, key, logs and the API's resources and stage. It makes
no alarms and no `EventInvokeConfig`, and passes over time to live, architectures and the settings of mappings; those
are proven by cfn-lint and by what the template says.
"""

import ast
import json
import re
import subprocess
import sys

import boto3
import pytest

from chalicelib.storage import schema
from infra.aws import functions
from tests import live
from tests.aws.conftest import REGION
from tests.live import ROOT

_SECONDS = 120
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}


@pytest.fixture(scope="module")
def aws():
    """The URL of an account's services."""
    command = [sys.executable, "-m", "tests.aws.moto_server"]
    with subprocess.Popen(  # noqa: S603  # ours
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        yield server.stdout.readline().strip()
        server.stdin.close()


@pytest.fixture(scope="module")
def client(aws):
    session = boto3.session.Session(**KEYS)
    return lambda service: session.client(service, endpoint_url=aws)


@pytest.fixture(scope="module")
def mns(aws):
    """Runs `mns aws …` and returns what it said."""

    def run(*arguments: str, status: int = 0, **environment: str) -> str:
        told = {
            "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        } | environment
        done = subprocess.run(  # noqa: S603  # ours
            [live.mns_command(), "aws", *arguments],
            cwd=ROOT,
            env=live.environment(**told),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def deployed(mns) -> str:
    return mns("deploy", "--stage", "dev")


def functions_of(client, stack: str = "openmns-dev") -> dict[str, dict]:
    """The deployed functions by the names of their resources."""
    found = client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    names = {
        item["PhysicalResourceId"]: item["LogicalResourceId"]
        for item in found
        if item["ResourceType"] == "AWS::Lambda::Function"
    }
    all_there_are = client("lambda").list_functions()["Functions"]
    return {names[item["FunctionName"]]: item for item in all_there_are if item["FunctionName"] in names}


def remains(client, stack: str) -> dict[str, int]:
    """How much of a stack there is."""
    found = {
        "functions": [item["FunctionName"] for item in client("lambda").list_functions()["Functions"]],
        "mappings": [
            item["EventSourceArn"].rpartition(":table/")[2]
            for item in client("lambda").list_event_source_mappings()["EventSourceMappings"]
        ],
        "rules": [item["Name"] for item in client("events").list_rules()["Rules"]],
        "roles": [item["RoleName"] for item in client("iam").list_roles()["Roles"]],
        "apis": [item["name"] for item in client("apigateway").get_rest_apis()["items"]],
        "logs": [
            item["logGroupName"].removeprefix("/aws/lambda/")
            for item in client("logs").describe_log_groups()["logGroups"]
        ],
        "tables": client("dynamodb").list_tables()["TableNames"],
    }
    return {kind: sum(name.startswith(stack) for name in names) for kind, names in found.items()}


def test_the_functions_are_there_with_their_settings(deployed, client):
    found = functions_of(client)
    assert {function.logical_id: (function.memory, function.timeout) for function in functions.FUNCTIONS} == {
        name: (item["MemorySize"], item["Timeout"]) for name, item in found.items()
    }
    for item in found.values():
        assert item["Runtime"] == "python3.11"
        assert item["Environment"]["Variables"]["OPENMNS_TABLE_PREFIX"] == "openmns-dev-"
    told = found["Deliver"]["Environment"]["Variables"]["OPENMNS_PUBLIC_URL"]
    assert re.fullmatch(r"https://\w+\.execute-api\.eu-central-1\.amazonaws\.com/api", told)


def test_every_function_has_a_role_of_its_own_that_names_its_tables(deployed, client):
    found = functions_of(client)
    roles = {name: item["Role"].rpartition("/")[2] for name, item in found.items()}
    assert len(set(roles.values())) == len(functions.FUNCTIONS)
    [name] = client("iam").list_role_policies(RoleName=roles["Tally"])["PolicyNames"]
    document = client("iam").get_role_policy(RoleName=roles["Tally"], PolicyName=name)["PolicyDocument"]
    document = ast.literal_eval(document) if isinstance(document, str) else document  # as moto writes it
    given = filter(None, document["Statement"])  # moto leaves a hole for what is left out
    statements = {statement["Sid"]: statement for statement in given}
    assert set(statements) == {"Tallies", "Log", "Stream", "Streams", "DeadRecords"}
    assert statements["Tallies"]["Resource"] == f"arn:aws:dynamodb:{REGION}:123456789012:table/openmns-dev-tallies"


def test_the_streams_are_mapped_to_their_functions(deployed, client):
    mappings = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    names = {item["FunctionArn"]: name for name, item in functions_of(client).items()}
    assert {
        names[item["FunctionArn"]]: (item["EventSourceArn"].split("/")[1], item["BatchSize"]) for item in mappings
    } == {
        function.logical_id: (f"openmns-dev-{function.source.table.name}", function.source.batch)
        for function in functions.FUNCTIONS
        if function.source
    }


def test_the_schedules_run_their_functions_each_minute(deployed, client):
    events = client("events")
    names = {item["FunctionArn"]: name for name, item in functions_of(client).items()}
    found = {}
    for rule in events.list_rules()["Rules"]:
        [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        found[names[target["Arn"]]] = (rule["ScheduleExpression"], rule["State"])
    assert found == {
        function.logical_id: ("rate(1 minute)", "ENABLED") for function in functions.FUNCTIONS if function.every_minute
    }


def test_the_tables_are_as_an_engine_makes_them(deployed, client):
    tables = client("dynamodb")
    for table in schema.TABLES:
        found = tables.describe_table(TableName=f"openmns-dev-{table.name}")["Table"]
        wanted = table.create_arguments("openmns-dev-")
        assert found["KeySchema"] == wanted["KeySchema"]
        assert sorted(map(str, found["AttributeDefinitions"])) == sorted(map(str, wanted["AttributeDefinitions"]))
        for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
            indexes = [
                {part: index[part] for part in ("IndexName", "KeySchema", "Projection")}
                for index in found.get(kind, [])
            ]
            assert indexes == wanted.get(kind, [])
        assert ("LatestStreamArn" in found) is table.stream


def test_the_api_has_every_path_and_method_and_is_regional(deployed, client):
    gateway = client("apigateway")
    [api] = [item for item in gateway.get_rest_apis()["items"] if item["name"] == "openmns-dev"]
    assert api["endpointConfiguration"]["types"] == ["REGIONAL"]
    found = gateway.get_resources(restApiId=api["id"], limit=500)["items"]
    paths = {item["path"]: set(item.get("resourceMethods", {})) for item in found}
    every = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"}
    assert paths == {"/" + "/".join(f"{{s{level}}}" for level in range(depth)): every for depth in range(9)}
    assert [stage["stageName"] for stage in gateway.get_stages(restApiId=api["id"])["item"]] == ["api"]


def test_pushes_have_a_certificate_that_can_be_renewed(deployed, client, mns):
    def certificate() -> dict:
        return client("dynamodb").get_item(TableName="openmns-dev-identities", Key={"pk": {"S": "certificate"}})["Item"]

    first = certificate()
    assert "BEGIN CERTIFICATE" in first["certificate"]["S"]
    mns("certificate", "--stage", "dev")
    assert certificate()["certificate"] != first["certificate"]


def test_what_functions_gave_up_is_listed_and_nothing_is_left_of_a_queue_that_is_empty(deployed, client, mns):
    [url] = [
        item["OutputValue"]
        for item in client("cloudformation").describe_stacks(StackName="openmns-dev")["Stacks"][0]["Outputs"]
        if item["OutputKey"] == "DeadRecordsURL"
    ]
    assert "nothing is left" in mns("replay", "--stage", "dev")
    [function] = [item for name, item in functions_of(client).items() if name == "ObjectEvents"]
    told = {"functionArn": function["FunctionArn"], "condition": "RetriesExhausted"}
    body = {"timestamp": "2024-01-02T03:04:05.678Z", "requestContext": told, "requestPayload": {"Records": []}}
    sent = client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))
    said = mns("replay", "--stage", "dev", "--dry-run", status=1)
    assert re.search(
        r"seen +2024-01-02T03:04:05\.678Z +openmns-dev-\S+ +an event of a bucket\n1 messages are left in ", said
    )
    [there] = client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert there["MessageId"] == sent["MessageId"]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=there["ReceiptHandle"])


def test_the_command_says_where_it_is_and_what_comes_next(deployed):
    assert re.search(r"endpoint  https://\w+\.execute-api\.eu-central-1\.amazonaws\.com/api", deployed)
    assert "mns aws verify https://" in deployed


def test_a_deployment_is_changed_taken_down_and_made_again_and_keeps_its_data(client, mns):
    stack = "another"
    named = ("--stage", "dev", "--name", stack)
    tables = client("dynamodb")
    mns("deploy", *named)
    whole = remains(client, stack)
    assert whole == {
        "functions": len(functions.FUNCTIONS),
        "mappings": sum(function.source is not None for function in functions.FUNCTIONS),
        "rules": sum(function.every_minute for function in functions.FUNCTIONS),
        "roles": len(functions.FUNCTIONS),
        "apis": 1,
        "logs": len(functions.FUNCTIONS),
        "tables": len(schema.TABLES),
    }
    said = mns("deploy", *named, "--set", "QueueShards=4", "--set", "ApiMemory=256")
    assert "door rest, as it is deployed" in said
    api = functions_of(client, stack)["APIHandler"]
    assert str(api["Environment"]["Variables"]["OPENMNS_QUEUE_SHARDS"]) == "4"
    assert int(api["MemorySize"]) == 256
    assert remains(client, stack) == whole
    item = {"pk": {"S": "kept"}}
    tables.put_item(TableName=f"{stack}-tallies", Item=item)

    assert "takes them up again" in mns("destroy", *named, "--yes")
    assert remains(client, stack) == dict.fromkeys(whole, 0) | {"tables": len(schema.TABLES)}

    mns("deploy", *named)
    assert tables.get_item(TableName=f"{stack}-tallies", Key=item)["Item"] == item
    assert remains(client, stack) == whole
    mns("destroy", *named, "--yes", "--delete-data")
    assert remains(client, stack) == dict.fromkeys(whole, 0)


@pytest.mark.parametrize(
    ("outputs", "door", "said"),
    [
        ({"Door": {"Value": "http"}}, (), ["door http, as it is deployed", "needs DOOR=rest"]),
        ({"Door": {"Value": "http"}}, ("--door", "url"), ["door url in place of http", "needs DOOR=rest"]),
        ({}, (), ["the stack does-not-say does not say which door it has: name it, with --door"]),
    ],
)
def test_a_door_is_kept_unless_another_one_is_named(client, mns, outputs, door, said):
    """Of stacks as moto can make them; that the private stage takes one door only tells which one was meant."""
    name = "has-a-door" if outputs else "does-not-say"
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    stacks = client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    answer = mns("deploy", "--stage", "private", "--name", name, *door, status=2)
    stacks.delete_stack(StackName=name)
    assert [line for line in said if line not in answer] == []


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        ([], {"AWS_DEFAULT_REGION": ""}, "no region is set"),
        (["--set", "Colour=red"], {}, "no parameter Colour; it has AlarmTopicArn"),
        (["--set", "Colour"], {}, "--set takes NAME=VALUE, not Colour"),
        (["--stage", "private"], {}, "needs a value: --set VpcEndpointIds=…"),
        (["--stage", "private", "--door", "url"], {}, "needs DOOR=rest"),
        (["--stage", "local"], {}, "there is no stage local; there are dev, private, prod"),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_anything_is_made(mns, arguments, environment, complaint):
    assert complaint in mns("deploy", *arguments, status=2, **environment)


def test_without_keys_a_deployment_ends_with_what_to_do(mns, tmp_path):
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    files = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    assert "no AWS credentials were found: set AWS_PROFILE" in mns("deploy", status=2, **none, **files)


def test_a_stage_that_is_not_deployed_cannot_be_destroyed(mns):
    assert "there is no stack openmns-prod in eu-central-1" in mns("destroy", "--stage", "prod", "--yes", status=2)
