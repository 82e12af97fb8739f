"""The stack as data: what `chalice package` makes of the app, with all that Chalice does not know around it.

Chalice says which functions there are and how the gateway's paths lead to them; the tables come from
`storage/schema.py`, the functions' settings from `functions.py`, their policies from `.chalice/policy-*.json`.
AWS's own translator makes plain CloudFormation of the whole, so that what is deployed is what can be read, checked and
tested here.
"""

import copy
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import chalicelib
from chalicelib.model import errors, limits
from chalicelib.storage import schema
from chalicelib.wire import errors as wire_errors
from chalicelib.wire import http
from infra.aws import functions

Json = dict[str, Any]

_DEAD_RECORDS_SECONDS = 1_209_600  # how long it is remembered which records were given up: SQS's longest
_ALARM_SECONDS = 300
_OLD_RECORD_MS = 120_000  # a stream this far behind delays messages of topics, counts and purges
_TABLE_THROTTLES = 50  # in a period; clients are told to come back, or find another shard
_URL_WAIT_SECONDS = limits.WAIT_SECONDS.high  # where no gateway gives up at 29 s
_URL_TIMEOUT = _URL_WAIT_SECONDS + 5
_DEAD_RECORDS: Json = {"Type": "SQS", "Destination": {"Fn::GetAtt": ["DeadRecords", "Arn"]}}
_NONE = {"Ref": "AWS::NoValue"}

SECRETS_KEY: Json = {"Fn::If": ["MakesSecretsKey", {"Fn::GetAtt": ["SecretsKey", "Arn"]}, {"Ref": "SecretsKeyArn"}]}
SECRETS_KEY_TAG = "openmns:secrets-key"  # of the table of identities: the key by which its secrets are sealed


class Door(StrEnum):
    """What stands in front of the API's function."""

    REST = "rest"  # a REST API: errors of the gateway's own are MNS errors, private endpoints, custom domains
    HTTP = "http"  # an HTTP API: a third of the price; custom domains
    URL = "url"  # a function URL: no price of its own, polls of 30 s


class TemplateError(ValueError):
    """The parts do not fit together; the message says which."""


def build(sam: Json, *, stage: str, door: Door, policies: Mapping[str, Json]) -> Json:
    """The template, still in the dialect of SAM.

    Args:
        sam: what `chalice package` wrote.
        stage: of `.chalice/config.json`; `private` is reached from VPCs only, `dev` has no alarms unless told.
        door: what stands in front.
        policies: by the functions' names.

    Raises:
        TemplateError: see there.
    """
    private = stage == "private"
    if private and door is not Door.REST:
        raise TemplateError("the private stage needs DOOR=rest: neither HTTP APIs nor function URLs can be private")
    made = copy.deepcopy(sam["Resources"])
    _check_functions(made, policies)
    del made["DefaultRole"]
    for function in functions.FUNCTIONS:
        made[function.logical_id]["Properties"].update(_function(function, made[function.logical_id], door))
        made |= _surroundings(function, policies[function.name])
    for table in schema.TABLES:
        made[table_id(table)] = _table(table, protected=stage != "dev")
    front, domain = _FRONTS[door](made, private)
    made |= front | domain | _keys_and_dead_records() | _buckets() | _alarms(door)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": sam["Transform"],
        "Description": f"OpenMNS {chalicelib.__version__}, stage {stage}, door {door}",
        "Parameters": _parameters(stage, door, has_domain=bool(domain)),
        "Conditions": _conditions(has_domain=bool(domain)),
        "Resources": made,
        "Outputs": _outputs(door),
    }


def expand(template: Json, region: str) -> Json:
    """The template in plain CloudFormation."""
    import boto3  # noqa: PLC0415  # what is only read needs none of these, and they take a second
    from samtranslator.metrics import metrics  # noqa: PLC0415
    from samtranslator.parser import parser  # noqa: PLC0415
    from samtranslator.translator import translator  # noqa: PLC0415

    session = boto3.session.Session(region_name=region)
    counts = metrics.Metrics()  # the translator's own, of no use here; unless published they complain
    made: Json = translator.Translator(None, parser.Parser(), boto_session=session, metrics=counts).translate(
        copy.deepcopy(template), {}, get_managed_policy_map=dict
    )
    counts.publish()
    return made


def table_id(table: schema.Table) -> str:
    """The name of a table's resource."""
    return f"{table.name.capitalize()}Table"


def _check_functions(made: Json, policies: Mapping[str, Json]) -> None:
    packaged = {name for name, resource in made.items() if resource["Type"] == "AWS::Serverless::Function"}
    known = {function.logical_id for function in functions.FUNCTIONS}
    if packaged != known:
        raise TemplateError(
            f"infra/aws/functions.py and the app disagree about these functions: {', '.join(sorted(packaged ^ known))}"
        )
    missing = [function.name for function in functions.FUNCTIONS if function.name not in policies]
    if missing:
        raise TemplateError(f"there is no .chalice/policy-{missing[0]}.json")


# --- Functions -------------------------------------------------------------------------------------------------------


def _function(function: functions.Function, packaged: Json, door: Door) -> Json:
    """What a function has beyond what Chalice gave it."""
    properties = packaged["Properties"]
    given = properties.get("Environment", {}).get("Variables", {})
    changes: Json = {
        "MemorySize": {"Ref": "ApiMemory"} if function.name == functions.API else function.memory,
        "Timeout": function.timeout,
        "Architectures": ["arm64"],  # a fifth cheaper; nothing in the bundle is compiled for a processor
        "CodeUri": {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}},
        "Role": {"Fn::GetAtt": [f"{function.logical_id}Role", "Arn"]},
        "Layers": {"Fn::If": ["HasLayer", [{"Ref": "CryptographyLayerArn"}], _NONE]},
        "LoggingConfig": {"LogGroup": {"Ref": f"{function.logical_id}Log"}},
        "Environment": {"Variables": _environment(function, door) | given},
    }
    if function.every_minute:  # the next minute's run does what this one could not
        changes["EventInvokeConfig"] = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    if function.of_buckets:  # what fails comes again twice, which Lambda does unless told otherwise
        changes["EventInvokeConfig"] = {"DestinationConfig": {"OnFailure": _DEAD_RECORDS}}
    if function.source is not None:
        [name] = properties["Events"]
        changes["Events"] = {name: {"Type": "DynamoDB", "Properties": _mapping(function.source)}}
    if function.name == functions.API and door is not Door.REST:
        changes["Handler"] = "chalicelib.api.direct.handler"
    if function.name == functions.API and door is Door.URL:
        changes["Timeout"] = _URL_TIMEOUT
        changes["FunctionUrlConfig"] = {"AuthType": "NONE", "InvokeMode": "BUFFERED"}  # MNS's signature is checked
    return changes


def _environment(function: functions.Function, door: Door) -> Json:
    variables: Json = {
        "OPENMNS_TABLE_PREFIX": {"Fn::Sub": "${AWS::StackName}-"},
        "OPENMNS_REGION": {"Ref": "MnsRegion"},
        "OPENMNS_KMS_KEY": SECRETS_KEY,
        "OPENMNS_QUEUE_SHARDS": {"Ref": "QueueShards"},
        "OPENMNS_TOPIC_SHARDS": {"Ref": "TopicShards"},
    }
    if function.name == functions.API and door is Door.URL:
        variables["OPENMNS_LONGEST_WAIT"] = str(_URL_WAIT_SECONDS)
    if function.of_buckets:
        variables["OPENMNS_BUCKET_OWNERS"] = {"Ref": "BucketOwners"}
    if function.pushes:
        variables["OPENMNS_PUBLIC_URL"] = {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, _ENDPOINTS[door]]}
        variables["OPENMNS_MAIL_SENDER"] = {"Ref": "MailSender"}
        variables["OPENMNS_PUSH_ALLOW"] = {"Ref": "PushAllow"}
    return variables


def _mapping(source: functions.Source) -> Json:
    """The event source mapping of a function that reads a stream."""
    return {
        "Stream": {"Fn::GetAtt": [table_id(source.table), "StreamArn"]},
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": source.batch,
        "MaximumBatchingWindowInSeconds": source.window,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": source.attempts,
        "MaximumRecordAgeInSeconds": source.age,
        "ParallelizationFactor": source.parallel,
        "DestinationConfig": {"OnFailure": _DEAD_RECORDS},
        "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in source.filters]},
    }


def _surroundings(function: functions.Function, policy: Json) -> Json:
    """A function's log, and its role: what its policy grants, and what it needs to be run at all."""
    log = f"{function.logical_id}Log"
    statements = [_resolved(statement) for statement in policy["Statement"]]
    statements.append(_allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [log, "Arn"]}))
    if function.source is not None:
        stream = {"Fn::GetAtt": [table_id(function.source.table), "StreamArn"]}
        reads = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        statements += [
            _allow("Stream", reads, stream),
            _allow("Streams", ["dynamodb:ListStreams"], "*"),  # it takes no resource
        ]
    if function.source is not None or function.of_buckets:
        statements.append(_allow("DeadRecords", ["sqs:SendMessage"], {"Fn::GetAtt": ["DeadRecords", "Arn"]}))
    for statement in policy["Statement"]:
        if statement["Resource"] == "key":  # what it may do with the key of secrets, with those that queues name, too
            more = _allow("QueueKeys", statement["Action"], {"Ref": "QueueKeyArns"})
            statements.append({"Fn::If": ["HasQueueKeys", more, _NONE]})
    # DynamoDB decrypts a table's key in the name of whoever reads or writes the table.
    through = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "dynamodb.${AWS::Region}.amazonaws.com"}}}
    key = _allow("TableKey", ["kms:Decrypt"], {"Ref": "TableKeyArn"}) | {"Condition": through}
    statements.append({"Fn::If": ["HasTableKey", key, _NONE]})
    return {
        log: {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{function.name}"},
                "RetentionInDays": {"Ref": "LogRetentionDays"},
            },
        },
        f"{function.logical_id}Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                },
                "Policies": [
                    {"PolicyName": function.name, "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
                ],
            },
        },
    }


def _resolved(statement: Json) -> Json:
    """A statement of a policy file, its short resources written out: `table/name`, `table/name/index/name`, `key`."""
    kind, _, rest = statement["Resource"].partition("/")
    name, _, index = rest.partition("/")
    if kind == "table":
        table = f"{name.capitalize()}Table"
        arn = {"Fn::Sub": f"${{{table}.Arn}}/{index}"} if index else {"Fn::GetAtt": [table, "Arn"]}
        return statement | {"Resource": arn}
    return statement | {"Resource": SECRETS_KEY} if kind == "key" else statement


def _allow(sid: str, actions: list[str], resource: Any) -> Json:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}


# --- What is kept ----------------------------------------------------------------------------------------------------


def _table(table: schema.Table, *, protected: bool) -> Json:
    """A table. It stays when the stack goes, and a new stack of the same name takes it up again."""
    properties = table.create_arguments("")
    properties["TableName"] = {"Fn::Sub": f"${{AWS::StackName}}-{table.name}"}
    if table.stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    if table.ttl is not None:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.ttl, "Enabled": True}
    properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    properties["DeletionProtectionEnabled"] = protected
    own_key = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "TableKeyArn"}}
    properties["SSESpecification"] = {"Fn::If": ["HasTableKey", own_key, _NONE]}
    if table == schema.IDENTITIES:
        properties["Tags"] = [{"Key": SECRETS_KEY_TAG, "Value": SECRETS_KEY}]
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }


def _keys_and_dead_records() -> Json:
    owner = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    return {
        "SecretsKey": {
            "Type": "AWS::KMS::Key",
            "Condition": "MakesSecretsKey",
            "DeletionPolicy": "RetainExceptOnCreate",  # without it no secret in the tables can be read
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "Description": {"Fn::Sub": "Seals the secrets of ${AWS::StackName}"},
                "EnableKeyRotation": True,
                "KeyPolicy": {  # the account's policies decide
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Principal": {"AWS": owner}, "Action": "kms:*", "Resource": "*"},
                    ],
                },
            },
        },
        "DeadRecords": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {"MessageRetentionPeriod": _DEAD_RECORDS_SECONDS, "SqsManagedSseEnabled": True},
        },
    }


def _buckets() -> Json:
    """How events of S3 come in: buckets of the account call the function, or EventBridge does for all of them."""
    calls = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "ObjectEvents"}}
    kinds = ["Object Created", "Object Deleted", "Object Restore Completed", "Object Storage Class Changed"]
    return {
        "ObjectEventsOfBuckets": {
            "Type": "AWS::Lambda::Permission",
            "Properties": calls | {"Principal": "s3.amazonaws.com", "SourceAccount": {"Ref": "AWS::AccountId"}},
        },
        "ObjectEventsRule": {
            "Type": "AWS::Events::Rule",
            "Condition": "ByEventBridge",
            "Properties": {
                "Description": "Events of the buckets that send them to EventBridge",
                "EventPattern": {"source": ["aws.s3"], "detail-type": kinds},
                "Targets": [{"Id": "ObjectEvents", "Arn": {"Fn::GetAtt": ["ObjectEvents", "Arn"]}}],
            },
        },
        "ObjectEventsOfEventBridge": {
            "Type": "AWS::Lambda::Permission",
            "Condition": "ByEventBridge",
            "Properties": calls
            | {"Principal": "events.amazonaws.com", "SourceArn": {"Fn::GetAtt": ["ObjectEventsRule", "Arn"]}},
        },
    }


# --- What stands in front --------------------------------------------------------------------------------------------


def _rest(made: Json, private: bool) -> tuple[Json, Json]:  # noqa: FBT001  # called through the table of fronts
    properties = made["RestAPI"]["Properties"]
    properties["Name"] = {"Ref": "AWS::StackName"}
    properties["OpenApiVersion"] = "2.0"  # what it is; unless told, the translator makes a second stage besides
    properties["GatewayResponses"] = _gateway_responses()
    properties["MethodSettings"] = [{"ResourcePath": "/*", "HttpMethod": "*"} | _throttle()]
    if private:
        properties["EndpointConfiguration"] = {"Type": "PRIVATE", "VPCEndpointIds": {"Ref": "VpcEndpointIds"}}
        properties["DefinitionBody"]["x-amazon-apigateway-policy"] = _from_endpoints_only()
        return {}, {}
    stage = {"Ref": "RestAPI.Stage"}  # as the translator knows it
    return {}, {
        "Domain": {
            "Type": "AWS::ApiGateway::DomainName",
            "Condition": "HasDomain",
            "Properties": {
                "DomainName": {"Ref": "DomainName"},
                "RegionalCertificateArn": {"Ref": "CertificateArn"},
                "EndpointConfiguration": {"Types": ["REGIONAL"]},
                "SecurityPolicy": "TLS_1_2",
            },
        },
        "DomainMapping": {
            "Type": "AWS::ApiGateway::BasePathMapping",
            "Condition": "HasDomain",
            "Properties": {"DomainName": {"Ref": "Domain"}, "RestApiId": {"Ref": "RestAPI"}, "Stage": stage},
        },
        "DomainRecord": _record(),
    }


def _http(made: Json, private: bool) -> tuple[Json, Json]:  # noqa: ARG001, FBT001  # called through the table of fronts
    _drop_rest(made)
    api = {"Ref": "HttpAPI"}
    front: Json = {
        "HttpAPI": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": {"Ref": "AWS::StackName"}, "ProtocolType": "HTTP"},
        },
        "HttpIntegration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["APIHandler", "Arn"]},
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": 30_000,  # the longest
            },
        },
        "HttpRoute": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": api,
                "RouteKey": "$default",
                "Target": {"Fn::Sub": "integrations/${HttpIntegration}"},
            },
        },
        "HttpStage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": api,
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": _throttle(),
            },
        },
        "HttpPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "APIHandler"},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {
                    "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpAPI}/*"
                },
            },
        },
    }
    return front, {
        "Domain": {
            "Type": "AWS::ApiGatewayV2::DomainName",
            "Condition": "HasDomain",
            # cfn-lint does not see that there is a certificate wherever there is a domain.
            "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W1030"]}}},
            "Properties": {
                "DomainName": {"Ref": "DomainName"},
                "DomainNameConfigurations": [
                    {
                        "CertificateArn": {"Ref": "CertificateArn"},
                        "EndpointType": "REGIONAL",
                        "SecurityPolicy": "TLS_1_2",
                    }
                ],
            },
        },
        "DomainMapping": {
            "Type": "AWS::ApiGatewayV2::ApiMapping",
            "Condition": "HasDomain",
            "Properties": {"DomainName": {"Ref": "Domain"}, "ApiId": api, "Stage": {"Ref": "HttpStage"}},
        },
        "DomainRecord": _record(),
    }


def _url(made: Json, private: bool) -> tuple[Json, Json]:  # noqa: ARG001, FBT001  # called through the table of fronts
    _drop_rest(made)
    return {}, {}


_FRONTS = {Door.REST: _rest, Door.HTTP: _http, Door.URL: _url}

_ENDPOINTS: dict[Door, Json] = {
    Door.REST: {"Fn::Sub": "https://${RestAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api"},
    Door.HTTP: {"Fn::Sub": "https://${HttpAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}"},
    # It ends with a slash, which joins what is appended to it; so it is taken apart.
    Door.URL: {
        "Fn::Sub": [
            "https://${Host}",
            {"Host": {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["APIHandlerUrl", "FunctionUrl"]}]}]}},
        ]
    },
}


def _drop_rest(made: Json) -> None:
    del made["RestAPI"], made["APIHandlerInvokePermission"]


def _throttle() -> Json:
    """What the whole deployment takes, whatever single clients do."""
    return {"ThrottlingRateLimit": {"Ref": "RequestRate"}, "ThrottlingBurstLimit": {"Ref": "RequestBurst"}}


def _record() -> Json:
    return {
        "Type": "AWS::Route53::RecordSet",
        "Condition": "HasZone",
        "Properties": {
            "HostedZoneId": {"Ref": "HostedZoneId"},
            "Name": {"Ref": "DomainName"},
            "Type": "A",
            "AliasTarget": {
                "DNSName": {"Fn::GetAtt": ["Domain", "RegionalDomainName"]},
                "HostedZoneId": {"Fn::GetAtt": ["Domain", "RegionalHostedZoneId"]},
            },
        },
    }


def _from_endpoints_only() -> Json:
    """The resource policy of a private API."""
    everything = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": {"Ref": "VpcEndpointIds"}}}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow"} | everything, {"Effect": "Deny", "Condition": elsewhere} | everything],
    }


def _gateway_responses() -> Json:
    """What the gateway answers by itself, as MNS would: what never reaches the app has its errors too."""
    too_large = errors.InvalidArgument("The request is larger than the service takes.")
    unknown = errors.InvalidRequestURL("The path or its method is not part of the API.")
    return {
        "MISSING_AUTHENTICATION_TOKEN": _gateway_response(unknown, unknown.status),  # no such path or method
        "RESOURCE_NOT_FOUND": _gateway_response(unknown, unknown.status),
        "REQUEST_TOO_LARGE": _gateway_response(too_large, too_large.status),
        "THROTTLED": _gateway_response(errors.TooManyRequests(), errors.TooManyRequests.status),
        "QUOTA_EXCEEDED": _gateway_response(errors.TooManyRequests(), errors.TooManyRequests.status),
        "ACCESS_DENIED": _gateway_response(errors.AccessDenied(), errors.AccessDenied.status),
        "WAF_FILTERED": _gateway_response(errors.AccessDenied(), errors.AccessDenied.status),
        "DEFAULT_4XX": _gateway_response(errors.InvalidArgument("The gateway refused the request."), None),
        "DEFAULT_5XX": _gateway_response(errors.InternalError(), None),
    }


def _gateway_response(error: errors.MnsError, status: int | None) -> Json:
    rendered = wire_errors.render(error, request_id="$context.requestId", host_id="https://$context.domainName")
    body = rendered.body.decode()
    response: Json = {
        # Which one is taken depends on what the client accepts; they are all the same.
        "ResponseTemplates": dict.fromkeys(("application/json", "application/xml", "text/xml"), body),
        "ResponseParameters": {
            "Headers": {
                "Content-Type": f"'{http.XML}'",
                "x-mns-request-id": "context.requestId",
                "x-mns-version": f"'{limits.API_VERSION}'",
            }
        },
    }
    return response if status is None else response | {"StatusCode": str(status)}


# --- Alarms ----------------------------------------------------------------------------------------------------------


def _alarms(door: Door) -> Json:
    """One alarm for each way in which a deployment gets into trouble; its graph shows where."""
    streams = [function for function in functions.FUNCTIONS if function.source is not None]
    tables = [("TableName", table_id(table)) for table in schema.TABLES]
    return {
        "ErrorsAlarm": _alarm("errors", "A function failed.", "AWS/Lambda", "Errors", _named(functions.FUNCTIONS)),
        "ThrottlesAlarm": _alarm(
            "throttles", "Lambda had no room for a function.", "AWS/Lambda", "Throttles", _named(functions.FUNCTIONS)
        ),
        "AgeAlarm": _alarm(
            "age",
            "A stream is not keeping up: messages of topics, counts or purges are late.",
            "AWS/Lambda",
            "IteratorAge",
            _named(streams),
            stat="Maximum",
            threshold=_OLD_RECORD_MS,
        ),
        "DeadRecordsAlarm": _alarm(
            "dead-records",
            "A stream's record was given up: read the queue of dead records.",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            [("QueueName", {"Fn::GetAtt": ["DeadRecords", "QueueName"]})],
            stat="Maximum",
        ),
        "TablesAlarm": _alarm(
            "tables",
            "Tables refuse writes: a queue or topic needs more shards.",
            "AWS/DynamoDB",
            "WriteThrottleEvents",
            tables,
            threshold=_TABLE_THROTTLES,
        ),
        "ApiAlarm": _alarm("api", "Clients got errors of the kind 5xx.", *_SERVER_ERRORS[door]),
    }


_SERVER_ERRORS: dict[Door, tuple[str, str, list[tuple[str, Any]]]] = {
    Door.REST: ("AWS/ApiGateway", "5XXError", [("ApiName", {"Ref": "AWS::StackName"})]),
    Door.HTTP: ("AWS/ApiGateway", "5xx", [("ApiId", "HttpAPI")]),
    Door.URL: ("AWS/Lambda", "Url5xxCount", [("FunctionName", "APIHandler")]),
}


def _named(of: Any) -> list[tuple[str, Any]]:
    return [("FunctionName", function.logical_id) for function in of]


def _alarm(
    name: str,
    meaning: str,
    namespace: str,
    metric: str,
    of: list[tuple[str, Any]],
    *,
    stat: str = "Sum",
    threshold: int = 1,
) -> Json:
    """An alarm on the sum or the maximum of one metric of several things."""
    of_each = [
        {
            "Id": f"m{place}",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [{"Name": dimension, "Value": {"Ref": value} if isinstance(value, str) else value}],
                },
                "Period": _ALARM_SECONDS,
                "Stat": stat,
            },
        }
        for place, (dimension, value) in enumerate(of)
    ]
    together = "SUM(METRICS())" if stat == "Sum" else "MAX(METRICS())"
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Condition": "HasAlarms",
        "Properties": {
            "AlarmName": {"Fn::Sub": f"${{AWS::StackName}}-{name}"},
            "AlarmDescription": meaning,
            "Metrics": [{"Id": "all", "Expression": together, "Label": metric, "ReturnData": True}, *of_each],
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": threshold,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, _NONE]}],
            "OKActions": [{"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, _NONE]}],
        },
    }


# --- What can be chosen, and what is told ----------------------------------------------------------------------------


def _parameters(stage: str, door: Door, *, has_domain: bool) -> Json:
    shards = {"Type": "Number", "Default": 1, "MinValue": 1, "MaxValue": limits.QUEUE_SHARDS.high}
    found: Json = {
        "CodeBucket": _text("Bucket that holds the functions' code; `make deploy` fills this in.", None),
        "CodeKey": _text("Its key in the bucket; `make deploy` fills this in.", None),
        "ApiMemory": {
            "Type": "Number",
            "Default": functions.BY_NAME[functions.API].memory,
            "MinValue": functions.LEAST_API_MEMORY,
            "MaxValue": functions.MOST_MEMORY,
            "Description": "MB of the function that answers requests; a waiting poll is charged for all of it.",
        },
        "MnsRegion": _text("MNS region of requests whose host names none.", "cn-hangzhou"),
        "TableKeyArn": _text("Your KMS key for the tables; empty: DynamoDB's own."),
        "SecretsKeyArn": _text("Your KMS key for secrets; empty: one is made, for a dollar a month."),
        "CryptographyLayerArn": _text("Layer with the package cryptography (arm64), for encrypted message bodies."),
        "QueueKeyArns": {
            "Type": "CommaDelimitedList",
            "Default": "",
            "Description": "KMS keys that encrypted queues and topics may name, besides the one of secrets.",
        },
        "BucketOwners": _text("Whose rules see a bucket's events: bucket=account id, with commas; * for any bucket."),
        "BucketEvents": {
            "Type": "String",
            "Default": "direct",
            "AllowedValues": ["direct", "eventbridge"],
            "Description": "Whether buckets name the function themselves, or EventBridge brings the events of all.",
        },
        "QueueShards": shards | {"Description": "Shards of queues that are made from now on; 1 keeps the exact order."},
        "TopicShards": shards | {"Description": "Shards of topics that are made from now on."},
        "PublicUrl": _text("URL under which receivers of pushes find the certificate; empty: the endpoint."),
        "PushAllow": _text("Networks that pushes may reach though they are not public, such as 10.0.0.0/8."),
        "MailSender": _text("Whom mails come from whose message names nobody; SES must know it.", "openmns@localhost"),
        "LogRetentionDays": {
            "Type": "Number",
            "Default": 14 if stage == "dev" else 90,
            "AllowedValues": [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653],
            "Description": "Days for which logs are kept.",
        },
        "Alarms": {
            "Type": "String",
            "Default": "off" if stage == "dev" else "on",
            "AllowedValues": ["on", "off"],
            "Description": "Whether there are alarms; they cost about three dollars a month.",
        },
        "AlarmTopicArn": _text("SNS topic that alarms are sent to; empty: they are shown only."),
    }
    if stage == "private":
        found["VpcEndpointIds"] = {
            "Type": "List<String>",
            "Description": "VPC endpoints for execute-api from which the API may be reached.",
        }
    if door is not Door.URL:
        found["RequestRate"] = {
            "Type": "Number",
            "Default": 10_000,
            "Description": "Requests a second, of all clients.",
        }
        found["RequestBurst"] = {"Type": "Number", "Default": 5_000, "Description": "Requests at once, of all clients."}
    if has_domain:
        found["DomainName"] = _text("Own domain, such as *.mns.eu-central-1.example.com for the host shape of MNS.")
        found["CertificateArn"] = _text("Its certificate in ACM, in this region.")
        found["HostedZoneId"] = _text("Its hosted zone in Route 53, to have the record made; empty: make it yourself.")
    return found


def _text(description: str, default: str | None = "") -> Json:
    made = {"Type": "String", "Description": description}
    return made if default is None else made | {"Default": default}


def _conditions(*, has_domain: bool) -> Json:
    found = {
        "HasTableKey": _given("TableKeyArn"),
        "MakesSecretsKey": {"Fn::Equals": [{"Ref": "SecretsKeyArn"}, ""]},
        "HasLayer": _given("CryptographyLayerArn"),
        "HasPublicUrl": _given("PublicUrl"),
        "HasQueueKeys": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "QueueKeyArns"}]}, ""]}]},
        "ByEventBridge": {"Fn::Equals": [{"Ref": "BucketEvents"}, "eventbridge"]},
        "HasAlarms": {"Fn::Equals": [{"Ref": "Alarms"}, "on"]},
        "HasAlarmTopic": _given("AlarmTopicArn"),
    }
    if has_domain:
        found["HasDomain"] = _given("DomainName")
        found["HasZone"] = {"Fn::And": [{"Condition": "HasDomain"}, _given("HostedZoneId")]}
    return found


def _given(parameter: str) -> Json:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def _outputs(door: Door) -> Json:
    found = {
        "EndpointURL": {"Description": "What clients are told.", "Value": _ENDPOINTS[door]},
        "TablePrefix": {"Description": "Before the tables' names.", "Value": {"Fn::Sub": "${AWS::StackName}-"}},
        "SecretsKey": {"Description": "The key that seals secrets.", "Value": SECRETS_KEY},
        "Door": {"Description": "What stands in front; later deployments keep it.", "Value": door.value},
        "DeadRecordsURL": {"Description": "The queue of dead records.", "Value": {"Ref": "DeadRecords"}},
    }
    for table in schema.TABLES:
        found[table_id(table)] = {"Description": f"Table {table.name}.", "Value": {"Ref": table_id(table)}}
    return found
