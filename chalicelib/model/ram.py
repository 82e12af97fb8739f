"""Who and what an account has in RAM: users, groups, roles and policies, and the rules of how they hold together.

Each is one entity, stored as a whole; whatever points from one to another stands on both sides:

    a user    knows its groups, its policies and its keys           until they are gone it cannot be deleted
    a group   knows its users and its policies                      the same
    a role    knows its policies, and whom it trusts                the same
    a policy  knows its versions, and to whom it is attached        the same

The methods that change an entity return another one, or say what is against it. Moments are milliseconds.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Self

from chalicelib.model import errors, limits, policy
from chalicelib.model.frozen import frozen

SYSTEM, CUSTOM = "System", "Custom"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HYPHENATED = re.compile(r"[A-Za-z0-9-]+")  # names of policies
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]+")
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_PHONE = re.compile(r"(?:[0-9]{1,4}-)?[0-9]{3,20}")


@frozen
class Entity:
    """What users, groups, roles and policies have in common."""

    KIND: ClassVar[str]  # as error codes name it

    name: str
    created_at: int
    updated_at: int
    revision: int = 0  # rises when it is stored; of two changes to the same revision, one is made; 0: it is not stored

    def evolve(self, now: int, **changes: object) -> Self:
        """The entity with changes made at `now`."""
        return dataclasses.replace(self, updated_at=now, **changes)  # type: ignore[arg-type]


@frozen
class Account(Entity):
    """An Alibaba Cloud account, called by its id; its keys may do everything in it."""

    KIND = "Account"

    keys: Mapping[str, int] = field(default_factory=dict)  # access key id -> when it was made

    def add_key(self, access_key_id: str, now: int) -> Self:
        """The account with a key more; one that it has already stays as it is."""
        return dataclasses.replace(self, keys={access_key_id: now, **self.keys})


@frozen
class Holder(Entity):
    """Whom policies can be attached to."""

    policies: Mapping[str, int] = field(default_factory=dict)  # reference of a policy -> when it was attached

    @property
    def reference(self) -> str:
        """How policies call it."""
        return f"{self.KIND}:{self.name}"

    def attach(self, to: "ManagedPolicy", now: int) -> Self:
        """The entity with a policy attached."""
        if to.reference in self.policies:
            raise errors.EntityAlreadyExists(
                f"The {self.KIND.lower()} has already been attached this policy.", of=f"{self.KIND}.Policy"
            )
        same = sum(reference.startswith(f"{to.type}:") for reference in self.policies)
        most = limits.SYSTEM_POLICIES_ATTACHED if to.type == SYSTEM else limits.CUSTOM_POLICIES_ATTACHED[self.KIND]
        if same >= most:
            raise errors.LimitExceeded(
                f"At most {most} {to.type.lower()} policies can be attached to a {self.KIND.lower()}.",
                of=f"{self.KIND}.Policy",
            )
        return dataclasses.replace(self, policies={**self.policies, to.reference: now})

    def detach(self, reference: str) -> Self:
        """The entity without a policy."""
        if reference not in self.policies:
            raise errors.EntityNotExist(
                f"The indicated policy of the {self.KIND.lower()} does not exist.", of=f"{self.KIND}.Policy"
            )
        return dataclasses.replace(self, policies=_without(self.policies, reference))

    def check_deletable(self) -> None:
        """Raise DeleteConflict if something hangs on it."""
        if self.policies:
            raise errors.DeleteConflict(
                f"The {self.KIND.lower()} can not have any attached policy while deleting it.", of=f"{self.KIND}.Policy"
            )


@frozen
class User(Holder):
    """A RAM user."""

    KIND = "User"

    user_id: str
    display_name: str = ""
    comments: str = ""
    email: str = ""
    mobile_phone: str = ""
    groups: Mapping[str, int] = field(default_factory=dict)  # name -> when the user joined
    keys: Mapping[str, int] = field(default_factory=dict)  # access key id -> when it was made

    def join(self, group: str, now: int) -> Self:
        """The user as a member of a group."""
        if group in self.groups:
            raise errors.EntityAlreadyExists("The user has already joined the group.", of="User.Group")
        if len(self.groups) >= limits.GROUPS_PER_USER:
            raise errors.LimitExceeded(f"A user can be in at most {limits.GROUPS_PER_USER} groups.", of="User.Group")
        return dataclasses.replace(self, groups={**self.groups, group: now})

    def leave(self, group: str) -> Self:
        """The user, no longer a member of a group."""
        if group not in self.groups:
            raise errors.EntityNotExist("The user has not joined the group.", of="User.Group")
        return dataclasses.replace(self, groups=_without(self.groups, group))

    def add_key(self, access_key_id: str, now: int) -> Self:
        """The user with a key more."""
        if len(self.keys) >= limits.KEYS_PER_USER:
            raise errors.LimitExceeded(
                f"A user can have at most {limits.KEYS_PER_USER} access keys.", of="User.AccessKey"
            )
        return dataclasses.replace(self, keys={**self.keys, access_key_id: now})

    def remove_key(self, access_key_id: str) -> Self:
        """The user with a key less."""
        self.check_key(access_key_id)
        return dataclasses.replace(self, keys=_without(self.keys, access_key_id))

    def check_key(self, access_key_id: str) -> None:
        """Raise EntityNotExist unless the key is the user's."""
        if access_key_id not in self.keys:
            raise errors.EntityNotExist("The user access key does not exist.", of="User.AccessKey")

    def check_deletable(self) -> None:
        """Raise DeleteConflict if something hangs on it."""
        if self.groups:
            raise errors.DeleteConflict("The user can not be in any group while deleting the user.", of="User.Group")
        if self.keys:
            raise errors.DeleteConflict(
                "The user can not have any access key while deleting the user.", of="User.AccessKey"
            )
        super().check_deletable()


@frozen
class Group(Holder):
    """A group of users, who have its policies besides their own."""

    KIND = "Group"

    group_id: str
    comments: str = ""
    users: Mapping[str, int] = field(default_factory=dict)  # name -> when the user joined

    def admit(self, user: str, now: int) -> Self:
        """The group with a user in it; one that is in it already stays since when it is."""
        return dataclasses.replace(self, users={user: now, **self.users})

    def dismiss(self, user: str) -> Self:
        """The group without a user."""
        return dataclasses.replace(self, users=_without(self.users, user))

    def check_deletable(self) -> None:
        """Raise DeleteConflict if something hangs on it."""
        if self.users:
            raise errors.DeleteConflict(
                "The group can not have any user member while deleting the group.", of="Group.User"
            )
        super().check_deletable()


@frozen
class Role(Holder):
    """A role that others take on for a while."""

    KIND = "Role"

    role_id: str
    description: str = ""
    trust: str  # the document that says who may
    max_session_seconds: int = limits.SESSION_SECONDS.default


@frozen
class PolicyVersion:
    """One version of a policy."""

    version_id: str  # v1, v2 …
    document: str
    created_at: int


@frozen
class ManagedPolicy(Entity):
    """A policy that can be attached, in its versions; one of them is in force."""

    KIND = "Policy"

    type: str = CUSTOM
    description: str = ""
    versions: tuple[PolicyVersion, ...]
    default_version: str = "v1"
    made: int = 1  # versions, the deleted ones included: no number is used twice
    holders: Mapping[str, int] = field(default_factory=dict)  # reference of a user, group or role -> when

    @property
    def reference(self) -> str:
        """How those it is attached to call it."""
        return f"{self.type}:{self.name}"

    @property
    def document(self) -> str:
        """The document in force."""
        return self.version(self.default_version).document

    def version(self, version_id: str) -> PolicyVersion:
        """A version; raises EntityNotExist."""
        for version in self.versions:
            if version.version_id == version_id:
                return version
        raise errors.EntityNotExist("The policy version does not exist.", of="Policy.Version")

    def add_version(self, document: str, now: int, *, default: bool, rotate: bool) -> Self:
        """The policy with a new version.

        Args:
            document: what it says.
            now: when.
            default: whether it is in force from now on.
            rotate: whether the oldest version that is not in force makes room for it, if need be.
        """
        versions = self.versions
        if len(versions) >= limits.POLICY_VERSIONS:
            if not rotate:
                raise errors.LimitExceeded(
                    f"A policy can have at most {limits.POLICY_VERSIONS} versions.", of="Policy.Version"
                )
            oldest = next(version for version in versions if version.version_id != self.default_version)
            versions = tuple(version for version in versions if version is not oldest)
        new = PolicyVersion(version_id=f"v{self.made + 1}", document=document, created_at=now)
        return self.evolve(
            now,
            versions=(*versions, new),
            made=self.made + 1,
            default_version=new.version_id if default else self.default_version,
        )

    def remove_version(self, version_id: str, now: int) -> Self:
        """The policy without a version."""
        gone = self.version(version_id)
        if version_id == self.default_version:
            raise errors.DeleteConflict(
                "The default policy version can not be deleted directly.", of="Policy.Version.Default"
            )
        return self.evolve(now, versions=tuple(version for version in self.versions if version is not gone))

    def choose_version(self, version_id: str, now: int) -> Self:
        """The policy with another version in force."""
        return self.evolve(now, default_version=self.version(version_id).version_id)

    def hold(self, holder: str, now: int) -> Self:
        """The policy with one it is attached to; one that it is attached to already stays since when it is."""
        return dataclasses.replace(self, holders={holder: now, **self.holders})

    def release(self, holder: str) -> Self:
        """The policy with one less it is attached to."""
        return dataclasses.replace(self, holders=_without(self.holders, holder))

    def check_deletable(self) -> None:
        """Raise DeleteConflict if something hangs on it."""
        if self.holders:
            kind = next(iter(self.holders)).partition(":")[0]
            raise errors.DeleteConflict(
                f"The policy can not be attached to any {kind.lower()} while deleting the policy.", of=f"Policy.{kind}"
            )
        if len(self.versions) > 1:
            raise errors.DeleteConflict(
                "The policy can not have any version except the default version.", of="Policy.Version"
            )


@frozen
class SystemAttachments(Entity):
    """To whom in an account a system policy is attached; it is called as the policy is."""

    KIND = "System"

    holders: Mapping[str, int] = field(default_factory=dict)  # reference of a user, group or role -> when

    def hold(self, holder: str, now: int) -> Self:
        """As a policy does."""
        return dataclasses.replace(self, holders={holder: now, **self.holders})

    def release(self, holder: str) -> Self:
        """As a policy does."""
        return dataclasses.replace(self, holders=_without(self.holders, holder))


KINDS: Mapping[str, type[Entity]] = {
    kind.KIND: kind for kind in (Account, User, Group, Role, ManagedPolicy, SystemAttachments)
}


@frozen
class Page:
    """A page of a list, ascending by name."""

    entities: tuple[Entity, ...]
    marker: str | None = None  # the name to go on after; None: this is the last page


def _without(mapping: Mapping[str, int], key: str) -> dict[str, int]:
    return {name: value for name, value in mapping.items() if name != key}


# --- System policies -------------------------------------------------------------------------------------------------


def _system(name: str, description: str, *actions: str) -> ManagedPolicy:
    document = {
        "Version": policy.VERSION,
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }
    version = PolicyVersion(version_id="v1", document=json.dumps(document), created_at=0)
    return ManagedPolicy(
        name=name, type=SYSTEM, description=description, versions=(version,), created_at=0, updated_at=0
    )


_READ_MESSAGES = ("mns:Get*", "mns:List*", "mns:PeekMessage", "mns:BatchPeekMessage")
_READ_RAM = ("ram:Get*", "ram:List*")
SYSTEM_POLICIES: Mapping[str, ManagedPolicy] = {
    found.name: found
    for found in (
        _system("AdministratorAccess", "Everything.", "*"),
        _system("AliyunMNSFullAccess", "Everything in Message Service.", "mns:*"),
        _system("AliyunMNSReadOnlyAccess", "Looking at everything in Message Service.", *_READ_MESSAGES),
        _system("AliyunRAMFullAccess", "Everything in RAM.", "ram:*"),
        _system("AliyunRAMReadOnlyAccess", "Looking at everything in RAM.", *_READ_RAM),
        _system("AliyunSTSAssumeRoleAccess", "Assuming roles.", policy.ASSUME_ROLE),
        _system("ReadOnlyAccess", "Looking at everything.", *_READ_MESSAGES, *_READ_RAM),
    )
}


# --- Parameters ------------------------------------------------------------------------------------------------------


def check_name(parameter: str, name: str) -> str:
    """The name of a user, a group or a role."""
    return _checked(parameter, name, _NAME, limits.IDENTITY_NAME_LENGTH)


def check_policy_name(parameter: str, name: str) -> str:
    """The name of a policy."""
    return _checked(parameter, name, _HYPHENATED, limits.POLICY_NAME_LENGTH)


def check_session_name(name: str) -> str:
    """The name of a session; raises InvalidParameter."""
    if not 2 <= len(name) <= limits.SESSION_NAME_LENGTH or not _SESSION_NAME.fullmatch(name):  # noqa: PLR2004  # D
        raise errors.InvalidParameter(
            f"RoleSessionName should have 2 to {limits.SESSION_NAME_LENGTH} letters, digits, and .@-_",
            of="RoleSessionName",
        )
    return name


def check_length(parameter: str, text: str, most: int) -> str:
    """A text of up to `most` characters."""
    if len(text) > most:
        raise errors.InvalidParameter(f"{parameter} should have at most {most} characters.", of=f"{parameter}.Length")
    return text


def check_mail(parameter: str, text: str) -> str:
    """A mail address, or none."""
    return _formed(parameter, text, _MAIL)


def check_phone(parameter: str, text: str) -> str:
    """A telephone number, such as 86-13800000000, or none."""
    return _formed(parameter, text, _PHONE)


def check_policy_type(kind: str) -> str:
    """System or Custom."""
    if kind not in (SYSTEM, CUSTOM):
        raise errors.InvalidParameter(f"PolicyType should be {SYSTEM} or {CUSTOM}.", of="PolicyType")
    return kind


def _checked(parameter: str, name: str, form: re.Pattern[str], most: int) -> str:
    if not 1 <= len(name) <= most:
        raise errors.InvalidParameter(f"{parameter} should have 1 to {most} characters.", of=f"{parameter}.Length")
    if not form.fullmatch(name):
        raise errors.InvalidParameter(f"{parameter} contains invalid characters.", of=f"{parameter}.InvalidChars")
    return name


def _formed(parameter: str, text: str, form: re.Pattern[str]) -> str:
    if text and not form.fullmatch(text):
        raise errors.InvalidParameter(f"The format of {parameter} is incorrect.", of=f"{parameter}.Format")
    return text
