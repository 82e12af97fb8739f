"""moto's server, mended where its CloudFormation does less for this stack than AWS's.

Started by `python -m tests.aws.moto_server`, it prints its URL and serves until its standard input ends. What is mended
is what a deployment cannot do without, and what the test looks at; types that moto does not know are passed over.
"""

import warnings
from typing import Any
from urllib.parse import urlsplit

from moto.apigateway import models as gateway
from moto.cloudformation import models, parsing, responses
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models import table as tables

from infra.bench import services


def _with_paths() -> None:
    """A REST API has the paths of its body, and goes; moto reads OpenAPI 3 only, and wants a description."""
    make = gateway.RestAPI.create_from_cloudformation_json.__func__

    def create(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ):
        api = make(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        body = dict(cloudformation_json["Properties"]["Body"])
        if body.pop("swagger", None):
            body |= {"openapi": "3.0.1", "info": body["info"] | {"description": ""}}
        gateway.apigateway_backends[account_id][region_name].put_rest_api(api.id, body, fail_on_warnings=False)
        return api

    gateway.RestAPI.create_from_cloudformation_json = classmethod(create)
    gateway.RestAPI.delete = lambda api, account_id, region_name: gateway.apigateway_backends[account_id][
        region_name
    ].delete_rest_api(api.id)


class Stage(CloudFormationModel):
    """The type AWS::ApiGateway::Stage, which moto's CloudFormation does not know, though its API Gateway does."""

    __module__ = gateway.__name__  # by which moto knows whose it is

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "StageName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGateway::Stage"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        made = cls()
        made.name, made.api = properties["StageName"], properties["RestApiId"]
        backend = gateway.apigateway_backends[account_id][region_name]
        if made.name not in backend.get_rest_api(made.api).stages:
            deployment = properties["DeploymentId"]  # the object itself, which moto has no physical id for
            backend.create_stage(made.api, made.name, deployment.id)
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name):
        """It goes with its API."""


def _with_endpoints() -> None:
    """The types of an API's endpoint, which CloudFormation writes in capitals."""
    make = gateway.RestAPI.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        given = named.get("endpoint_configuration") or {}
        if "Types" in given:
            self.endpoint_configuration = {"types": given["Types"]}

    gateway.RestAPI.__init__ = init


def _with_outputs() -> None:
    """What a change set has changed, the stack tells."""
    apply = models.ChangeSet.apply

    def applied(self: Any) -> None:
        apply(self)
        self.stack.template_dict, self.stack.parameters = self.template_dict, self.parameters
        self.stack.output_map = self.stack._create_output_map()

    models.ChangeSet.apply = applied


def _with_stages() -> None:
    known = parsing.resource_class_from_type
    parsing.resource_class_from_type = lambda name: Stage if name == Stage.cloudformation_type() else known(name)


def _with_imports() -> None:
    """A table that is there is taken up, as change sets with ImportExistingResources have it."""
    make = tables.Table.create_from_cloudformation_json.__func__

    def create(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ):
        present = dynamodb_backends[account_id][region_name].tables.get(resource_name)
        return present or make(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)

    tables.Table.create_from_cloudformation_json = classmethod(create)


def _with_keys_that_stay() -> None:
    """`RetainExceptOnCreate` keeps a resource as `Retain` does, once its stack has come about."""
    delete = parsing.ResourceMap.delete

    def deleted(self: Any) -> None:
        for resource in self._resource_json_map.values():
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
                resource["DeletionPolicy"] = "Retain"
        delete(self)

    parsing.ResourceMap.delete = deleted


def _with_conditions() -> None:
    """What its condition rules out is not changed either; what moto cannot change stays what it is."""
    update = parsing.parse_and_update_resource

    def changed(logical_id: str, resource_json: Any, resources_map: Any, **where: Any) -> Any:
        condition = resource_json.get("Condition")
        if condition and not resources_map.lazy_condition_map[condition]:
            return None
        return update(logical_id, resource_json, resources_map, **where) or resources_map[logical_id]

    parsing.parse_and_update_resource = changed


def _with_templates_by_path() -> None:
    """A template's URL has its bucket in the path, as that of S3 has, though the host is not called so."""
    read = responses.get_stack_from_s3_url

    def by_path(template_url: str, **where: Any) -> str:
        return read("https://s3.amazonaws.com" + urlsplit(template_url).path, **where)

    responses.get_stack_from_s3_url = by_path


def main() -> None:
    warnings.filterwarnings("ignore", message="Tried to parse")
    _with_templates_by_path()
    _with_outputs()
    _with_imports()
    _with_keys_that_stay()
    _with_conditions()
    _with_paths()
    _with_endpoints()
    _with_stages()
    services.main()


if __name__ == "__main__":
    main()
