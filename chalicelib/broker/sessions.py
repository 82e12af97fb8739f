"""Temporary keys: who assumes a role gets a key of its own, and a token in which everything about it is sealed.

Nothing is stored. Whoever opens the token needs the vault, not the table: making a key is one round trip at most, and
using one costs one in each process that has not seen it yet. What ends a session early is taking the policies from its
role, or the role (docs/adr/0016).
"""

import base64
import binascii
import functools
import json
import re
import zlib

from chalicelib.broker import permissions, ports
from chalicelib.model import account, errors, limits, policy, ram

PREFIX = "STS."  # of the ids of temporary keys
_ROLE_ARN = re.compile(r"acs:ram::(?P<account>[0-9]{1,32}):role/(?P<name>[A-Za-z0-9._-]{1,64})")


class Sessions:
    """Make temporary keys, and know them again."""

    def __init__(self, *, store: ports.Directory, vault: ports.Vault, clock: ports.Clock, ids: ports.Ids) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._opened = functools.lru_cache(maxsize=limits.SESSIONS_KEPT)(self._open)

    def now(self) -> int:
        """The moment at which roles are assumed (ms)."""
        return self._clock.now()

    def assume(
        self,
        caller: account.Caller,
        role_arn: str,
        session: str,
        *,
        seconds: int | None = None,
        document: str | None = None,
        values: policy.Values = lambda _key: (),
    ) -> account.TemporaryKey:
        """A key of a role.

        Args:
            caller: who assumes it; that its own policies allow it has been seen to.
            role_arn: whose role; it may be another account's.
            session: what the caller calls it.
            seconds: how long the key is good for; an hour unless told.
            document: a policy that narrows what the role may do.
            values: the condition keys of the request.

        Raises:
            errors.EntityNotExist: there is no such role.
            errors.NoPermission: the role does not trust the caller.
            errors.InvalidParameter: a parameter is not as it should be.
        """
        found = _ROLE_ARN.fullmatch(role_arn)
        if found is None:
            raise errors.InvalidParameter(
                "RoleArn should be such as acs:ram::1234567890123456:role/reader", of="RoleArn"
            )
        ram.check_session_name(session)
        within = _narrowing(document)
        if caller.is_root:
            raise errors.NoPermission("Roles may not be assumed by root accounts.")
        role = self._store.get(found["account"], ram.Role.KIND, found["name"])
        if not isinstance(role, ram.Role):
            raise errors.EntityNotExist("The specified role does not exist.", of="Role")
        if not policy.parse_trust(role.trust).trusts(caller.principal, caller.account_id, values):
            raise errors.NoPermission(f"{role_arn} does not trust {caller.principal}.")
        wanted = limits.SESSION_SECONDS.default if seconds is None else seconds
        if not limits.SHORTEST_SESSION_SECONDS <= wanted <= role.max_session_seconds:
            raise errors.InvalidParameter(
                f"DurationSeconds should be {limits.SHORTEST_SESSION_SECONDS} to {role.max_session_seconds}.",
                of="DurationSeconds",
            )
        key_id = self._ids.temporary_key_id()
        made = account.TemporaryKey(
            access_key_id=key_id,
            secret=self._ids.secret(),
            token="",
            expires_at=self._clock.now() + wanted * 1000,
            caller=account.Caller(
                account_id=found["account"],
                access_key_id=key_id,
                role=role.name,
                role_id=role.role_id,
                session=session,
                within=within,
            ),
        )
        return self._sealed(made, document or "")

    def known(self, access_key_id: str, token: str) -> account.TemporaryKey:
        """The key that a token is of.

        Raises:
            errors.SecurityToken: there is none, or it is another key's, or its time is over.
        """
        if not token:
            raise errors.MissingSecurityToken
        key = self._opened(access_key_id, token)
        if self._clock.now() >= key.expires_at:
            raise errors.ExpiredSecurityToken
        return key

    def _sealed(self, key: account.TemporaryKey, document: str) -> account.TemporaryKey:
        caller = key.caller
        told = [
            *(key.secret, key.expires_at),
            *(caller.account_id, caller.role, caller.role_id, caller.session, document),
        ]
        plain = zlib.compress(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())
        if len(plain) > limits.KMS_PLAIN_BYTES:  # by a policy of letters that take several bytes each
            raise errors.InvalidParameter("The Policy does not fit into a token.", of="PolicySize")
        sealed = self._vault.seal(plain, context=f"session/{key.access_key_id}")
        return account.TemporaryKey(
            access_key_id=key.access_key_id,
            secret=key.secret,
            token=base64.urlsafe_b64encode(sealed).decode(),
            expires_at=key.expires_at,
            caller=caller,
        )

    def _open(self, access_key_id: str, token: str) -> account.TemporaryKey:
        try:
            sealed = base64.b64decode(token, b"-_", validate=True)
            plain = self._vault.open(sealed, context=f"session/{access_key_id}", own=True)
        except (binascii.Error, ValueError, ports.SealBroken) as error:
            raise errors.InvalidSecurityToken from error
        secret, expires_at, account_id, role, role_id, session, document = json.loads(zlib.decompress(plain))
        return account.TemporaryKey(
            access_key_id=access_key_id,
            secret=secret,
            token=token,
            expires_at=expires_at,
            caller=account.Caller(
                account_id=account_id,
                access_key_id=access_key_id,
                role=role,
                role_id=role_id,
                session=session,
                within=permissions.compiled(document) if document else None,
            ),
        )


def _narrowing(document: str | None) -> policy.Policy | None:
    """The policy that narrows a session; None: none does."""
    if not document:
        return None
    if len(document) > limits.SESSION_POLICY_LENGTH:
        raise errors.InvalidParameter(
            f"Policy should have at most {limits.SESSION_POLICY_LENGTH} characters.", of="PolicySize"
        )
    try:
        return permissions.compiled(document)
    except errors.MalformedPolicyDocument as error:
        raise errors.InvalidParameter(
            f"The parameter Policy has not passed grammar check: {error.message}", of="PolicyGrammar"
        ) from error
