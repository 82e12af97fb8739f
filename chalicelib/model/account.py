"""Accounts: the owners of queues, their keys, and the attributes of the account itself."""

import functools
import re
from dataclasses import field
from typing import NamedTuple

from chalicelib.model import errors, limits, policy
from chalicelib.model.frozen import frozen

_ACCOUNT_ID = re.compile(r"[0-9]{1,32}")


def is_account_id(text: str) -> bool:
    """Whether `text` looks like an Alibaba Cloud account id: decimal digits (16 as issued)."""
    return _ACCOUNT_ID.fullmatch(text) is not None


class Namespace(NamedTuple):
    """Where names are unique: one account in one region; a tuple, since much is looked up by it."""

    account_id: str  # decimal digits
    region: str  # such as cn-hangzhou


@frozen
class AccessKey:
    """A pair of key id and secret, and whose it is."""

    access_key_id: str
    secret: str = field(repr=False)
    account_id: str
    enabled: bool = True
    user: str = ""  # the RAM user; empty: the account itself
    created_at: int = 0  # ms

    @functools.cached_property
    def caller(self) -> "Caller":
        """Who calls with it."""
        return Caller(account_id=self.account_id, access_key_id=self.access_key_id, user=self.user)


@frozen
class Caller:
    """Who calls: the account itself, one of its RAM users, or a role that somebody has assumed for a while."""

    account_id: str
    access_key_id: str
    user: str = ""
    role: str = ""
    role_id: str = ""  # of the role as it was when it was assumed
    session: str = ""  # what who assumed the role calls it
    within: policy.Policy | None = field(default=None, compare=False)  # what the session may do at most

    @functools.cached_property
    def is_root(self) -> bool:
        """Whether it is the account itself."""
        return not self.user and not self.role

    @property
    def arn(self) -> str:
        """Its name in policies and answers."""
        if self.role:
            return f"acs:ram::{self.account_id}:assumed-role/{self.role}/{self.session}"
        return f"acs:ram::{self.account_id}:{f'user/{self.user}' if self.user else 'root'}"

    @property
    def principal(self) -> str:
        """Its name in trust policies: of a session, that of the role."""
        return f"acs:ram::{self.account_id}:role/{self.role}" if self.role else self.arn


@frozen
class TemporaryKey:
    """A key that ends by itself, and the token without which it is nothing."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: int  # ms
    caller: Caller


@frozen
class AccountAttributes:
    """What GetAccountAttributes answers, in both APIs."""

    log_enabled: bool = False  # whether operation logs are kept
    log_project: str = ""  # where they go
    log_store: str = ""  # and in which part of it
    trace_enabled: int = 0  # 1: message traces are kept

    @property
    def logging_bucket(self) -> str:
        """Where operation logs go, as the XML API has it; empty: nowhere."""
        return self.log_project if self.log_enabled else ""


@frozen
class AccountChange:
    """The attributes that a SetAccountAttributes names; None: leave as it is."""

    log_enabled: bool | None = None
    log_project: str | None = None
    log_store: str | None = None
    trace_enabled: int | None = None

    def __post_init__(self) -> None:
        if self.trace_enabled not in (None, 0, 1):
            raise errors.InvalidArgument("The value of TraceEnabled should between 0 and 1.")
        for name, value in (("LoggingBucket", self.log_project), ("LogStoreName", self.log_store)):
            if value is not None and len(value) > limits.LOGGING_BUCKET_LENGTH:
                raise errors.InvalidArgument(
                    f"The length of {name} should between 0 and {limits.LOGGING_BUCKET_LENGTH}."
                )

    def named(self) -> dict[str, int | str]:
        """The attributes named, by field."""
        return {name: value for name, value in vars(self).items() if value is not None}
