"""The official clients of RAM and STS, and who is made with them."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from alibabacloud_ram20150501 import client as ram
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_sts20150401 import client as sts
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config

from tests import live


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Of whoever calls; `token` is a temporary key's."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = ""

    @classmethod
    def of(cls, key: live.Key) -> "Credentials":
        return cls(access_key_id=key.access_key_id, secret=key.secret)


class Api:
    """A client: an action by its name in Python, its parameters by keyword, the answer without its RequestId."""

    def __init__(self, server: live.Server, who: Credentials, product: Any, models: Any, algorithm: str | None) -> None:
        self._models = models
        self._client = product.Client(
            Config(
                access_key_id=who.access_key_id,
                access_key_secret=who.secret,
                security_token=who.token or None,
                endpoint=server.host,
                protocol="HTTP",
                region_id="cn-hangzhou",
                signature_algorithm=algorithm,
            )
        )

    def __call__(self, action: str, **parameters: Any) -> dict[str, Any]:
        name = "".join(word.capitalize() for word in action.split("_"))
        request = getattr(self._models, f"{name}Request", None)
        asked = (request(**parameters),) if request else ()
        body: dict[str, Any] = getattr(self._client, action)(*asked).body.to_map()
        assert len(body.pop("RequestId")) == 24
        return body

    def refused(self, action: str, **parameters: Any) -> tuple[int, str]:
        """Status and code of the error that an action ends with."""
        with pytest.raises(AlibabaCloudException) as raised:
            self(action, **parameters)
        return raised.value.status_code, raised.value.code


def connect_ram(server: live.Server, who: live.Key | Credentials = live.OWNER, algorithm: str | None = None) -> Api:
    return Api(server, who if isinstance(who, Credentials) else Credentials.of(who), ram, ram_models, algorithm)


def connect_sts(server: live.Server, who: live.Key | Credentials, algorithm: str | None = None) -> Api:
    return Api(server, who if isinstance(who, Credentials) else Credentials.of(who), sts, sts_models, algorithm)


def unique(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:10]}"


def allow(*actions: str, resource: str | list[str] = "*", effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    """A statement."""
    made = {"Effect": effect, "Action": list(actions), "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "1", "Statement": list(statements)})


def trust(*principals: str) -> str:
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(principals)}})


def make_user(server: live.Server, owner: live.Key, *statements: Mapping[str, Any]) -> tuple[str, Credentials]:
    """A user of an account with a policy of its own; its name, and its key."""
    api, name = connect_ram(server, owner), unique("user")
    api("create_user", user_name=name)
    if statements:
        api("create_policy", policy_name=name, policy_document=document(*statements))
        api("attach_policy_to_user", policy_type="Custom", policy_name=name, user_name=name)
    key = api("create_access_key", user_name=name)["AccessKey"]
    return name, Credentials(access_key_id=key["AccessKeyId"], secret=key["AccessKeySecret"])


def make_role(server: live.Server, owner: live.Key, trusted: str, *statements: Mapping[str, Any]) -> tuple[str, str]:
    """A role of an account with a policy of its own; its name and its ARN."""
    api, name = connect_ram(server, owner), unique("role")
    made = api("create_role", role_name=name, assume_role_policy_document=trusted)["Role"]
    api("create_policy", policy_name=name, policy_document=document(*statements))
    api("attach_policy_to_role", policy_type="Custom", policy_name=name, role_name=name)
    return name, made["Arn"]


def assume(server: live.Server, who: Credentials, arn: str, session: str = "session", **more: Any) -> Credentials:
    """The key of a role."""
    given = connect_sts(server, who)("assume_role", role_arn=arn, role_session_name=session, **more)["Credentials"]
    return Credentials(
        access_key_id=given["AccessKeyId"], secret=given["AccessKeySecret"], token=given["SecurityToken"]
    )
