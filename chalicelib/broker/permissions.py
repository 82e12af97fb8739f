"""What callers may do: the one place that every call of every API passes before it does anything."""

import functools
from collections.abc import Callable, Iterator
from typing import TypeAlias

from chalicelib.broker import cache, ports
from chalicelib.model import account, errors, limits, policy, ram

_Key: TypeAlias = tuple[str, str, str, str]  # account id, kind, name, id: of a user or a role
_NOTHING = policy.Policy(())


@functools.lru_cache(maxsize=limits.POLICIES_KEPT)
def compiled(document: str) -> policy.Policy:
    """The policy in a stored document; the same object each time."""
    return policy.parse(document)


class Permissions:
    """Decides whether a caller may do something."""

    def __init__(self, *, store: ports.Directory, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: cache.Cache[_Key, policy.Policy] = cache.Cache(clock, self._load)

    def authorise(self, caller: account.Caller, owner: str, asked: Callable[[int], policy.Asked]) -> None:
        """Return if the caller may do it; what policies say is at most `limits.CACHE_SECONDS` old.

        Args:
            caller: who calls.
            owner: the account whose resource it is about.
            asked: tells what, at this moment (ms); it is not called where policies do not matter.

        Raises:
            errors.AccessDenied: it is another account's, or no policy allows it, or one denies it.
        """
        if caller.account_id != owner:
            raise errors.AccessDenied
        if caller.is_root:
            return
        request = asked(self._clock.now())
        if len(request.resource) > limits.RESOURCE_LENGTH or not self._allows(caller, request):
            shown = request.resource[: limits.RESOURCE_LENGTH]
            raise errors.AccessDenied(f"{caller.arn} is not allowed to do {request.actions[0]} on {shown}.")

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def _allows(self, caller: account.Caller, asked: policy.Asked) -> bool:
        if caller.within is not None and caller.within.judge(asked) is not policy.Effect.ALLOW:
            return False
        return self._of(caller).judge(asked) is policy.Effect.ALLOW

    def _of(self, caller: account.Caller) -> policy.Policy:
        """All that is attached to the caller."""
        kind, name = (ram.Role.KIND, caller.role) if caller.role else (ram.User.KIND, caller.user)
        key = (caller.account_id, kind, name, caller.role_id)
        return self._known.get(key) or _NOTHING

    def _load(self, key: _Key) -> policy.Policy:
        account_id, kind, name, role_id = key
        holder = self._store.get(account_id, kind, name)
        if not isinstance(holder, ram.Holder) or (isinstance(holder, ram.Role) and holder.role_id != role_id):
            return _NOTHING  # it is gone; a role of the same name that was made since is another one
        references = dict.fromkeys(holder.policies)
        if isinstance(holder, ram.User) and holder.groups:
            groups = self._store.get_all(account_id, [(ram.Group.KIND, group) for group in holder.groups])
            for group in groups.values():
                assert isinstance(group, ram.Group)  # noqa: S101  # for the type checker: none else was asked for
                if holder.name in group.users:  # both sides say so; or one that was made anew would have former users
                    references |= dict.fromkeys(group.policies)
        return policy.Policy(
            statement
            for document in self._documents(account_id, list(references))
            for statement in compiled(document).statements
        )

    def _documents(self, account_id: str, references: list[str]) -> Iterator[str]:
        """The documents in force of policies."""
        custom: list[tuple[str, str]] = []
        for reference in references:
            kind, _, name = reference.partition(":")
            if kind == ram.SYSTEM:
                yield ram.SYSTEM_POLICIES[name].document
            else:
                custom.append((ram.ManagedPolicy.KIND, name))
        for found in self._store.get_all(account_id, custom).values() if custom else ():
            assert isinstance(found, ram.ManagedPolicy)  # noqa: S101  # for the type checker: none else was asked for
            yield found.document
