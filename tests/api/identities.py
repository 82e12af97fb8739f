"""Users and roles of the accounts of these tests, made by the verbs; and calls that they make."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import bootstrap
from chalicelib.model import account, ram
from chalicelib.wire import http
from tests.api import rpc_signing, signing

VERSIONS = {"mns": "2022-01-19", "ram": "2015-05-01", "sts": "2015-04-01"}


@dataclass(frozen=True, kw_only=True)
class Who:
    """Somebody with a key."""

    key: str
    secret: str
    token: str = ""


ROOT = Who(key=signing.KEY, secret=signing.SECRET)
OTHER_ROOT = Who(key=signing.OTHER_KEY, secret=signing.OTHER_SECRET)


def allow(*actions: str, resource: str | list[str] = "*", effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": effect, "Action": list(actions), "Resource": resource, "Condition": condition}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return allow(*actions, effect="Deny", **more)


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "1", "Statement": list(statements)})


def trust(*principals: str) -> str:
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(principals)}})


class Accounts:
    """Makes users and roles."""

    def __init__(self, application: bootstrap.Application) -> None:
        self.verbs = application.verbs
        self._names = iter(f"n{number}" for number in range(10_000))

    def user(self, *statements: Mapping[str, Any], of: str = signing.ACCOUNT, name: str | None = None) -> Who:
        name = name or next(self._names)
        self.verbs.directory.create(of, ram.User(name=name, user_id=name, created_at=0, updated_at=0), most=1000)
        self.grant(ram.User, name, *statements, of=of)
        key = self.verbs.directory.create_key(of, name)
        return Who(key=key.access_key_id, secret=key.secret)

    def grant(
        self, kind: type[ram.Holder], name: str, *statements: Mapping[str, Any], of: str = signing.ACCOUNT
    ) -> str:
        """Attach a policy of these statements; its name."""
        policy = next(self._names)
        if statements:
            self.verbs.directory.create_policy(of, policy, document(*statements), "")
            self.verbs.directory.attach(of, kind, name, ram.CUSTOM, policy)
        return policy

    def role(self, trusted: str, *statements: Mapping[str, Any], of: str = signing.ACCOUNT) -> str:
        """A role's ARN."""
        name = next(self._names)
        new = ram.Role(name=name, role_id=f"id-{name}", trust=trusted, created_at=0, updated_at=0)
        self.verbs.directory.create(of, new, most=1000)
        self.grant(ram.Role, name, *statements, of=of)
        return f"acs:ram::{of}:role/{name}"

    def assume(self, who: Who, arn: str, **more: Any) -> Who:
        caller = self.verbs.identities.known(who.key, who.token).caller
        return temporary(self.verbs.sessions.assume(caller, arn, "session", **more))


def temporary(key: account.TemporaryKey) -> Who:
    return Who(key=key.access_key_id, secret=key.secret, token=key.token)


class Caller:
    """Calls both APIs in process."""

    def __init__(self, application: bootstrap.Application, clock: Any) -> None:
        self._door = application.door
        self._clock = clock

    def xml(
        self, who: Who, method: str, target: str, body: str = "", *, host: str = "127.0.0.1:8000", **more: Any
    ) -> http.Response:
        headers = {"security-token": who.token} if who.token else {}
        request = signing.signed(
            method, target, now=self._clock.now(), body=body, headers=headers, key=who.key, secret=who.secret, host=host
        )
        return self._door.run(dataclasses.replace(request, **more))

    def rpc(
        self, who: Who, service: str, action: str, parameters: Mapping[str, str] | None = None, **more: Any
    ) -> http.Response:
        common = {"Version": VERSIONS[service]} | ({"SecurityToken": who.token} if who.token else {})
        request = rpc_signing.v1(
            action, parameters, now=self._clock.now(), key=who.key, secret=who.secret, common=common
        )
        return self._door.run(dataclasses.replace(request, **more))

    def code(self, who: Who, method: str, target: str, body: str = "", **more: Any) -> str:
        """The error code of an XML call, empty if there is none."""
        return code(self.xml(who, method, target, body, **more))

    def rpc_code(self, who: Who, service: str, action: str, parameters: Mapping[str, str] | None = None) -> str:
        """The error code of an RPC call, empty if there is none."""
        response = self.rpc(who, service, action, parameters)
        return "" if response.status == 200 else str(json.loads(response.body)["Code"])


def code(response: http.Response) -> str:
    """The error code of an XML answer, empty if there is none."""
    return signing.code(response) if response.status >= 400 else ""


Ask = Callable[..., http.Response]
