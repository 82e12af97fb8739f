"""What can be done with an account's users, groups, roles, policies and keys, as RAM does it.

An entity is changed by reading it, making another one of it, and storing that unless somebody was quicker, in which
case all of it is done again. What stands on both sides, such as a membership, is written where it holds back a deletion
first and taken away there last: whenever it ends between the two, nothing points to what is gone, and doing it again
completes it.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.broker import ports
from chalicelib.model import account, errors, limits, policy, ram
from chalicelib.model.frozen import frozen

E = TypeVar("E", bound=ram.Entity)
_HOLDERS: Mapping[str, type[ram.Holder]] = {kind.KIND: kind for kind in (ram.User, ram.Group, ram.Role)}
ACCOUNTS = "accounts"  # the partition of the accounts themselves


@frozen
class Attached:
    """A policy as it is attached to somebody."""

    policy: ram.ManagedPolicy
    attached_at: int


@frozen
class Named:
    """An entity that another one names, and since when."""

    entity: ram.Entity
    since: int


class Directory:
    """The entities of all accounts."""

    def __init__(
        self,
        *,
        store: ports.Directory,
        keys: ports.Identities,
        clock: ports.Clock,
        ids: ports.Ids,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up.

        Args:
            store: the entities.
            keys: access keys.
            clock: time.
            ids: makes ids and keys.
            changed: is called after a change, for what others remember may no longer be so.
        """
        self._store = store
        self._keys = keys
        self._clock = clock
        self._ids = ids
        self._changed = changed

    def now(self) -> int:
        """The moment of a change (ms)."""
        return self._clock.now()

    def new_id(self) -> str:
        """An id for a new user, group or role."""
        return self._ids.entity_id()

    # --- Accounts ---

    def create_account(self, account_id: str | None = None) -> ram.Account:
        """A new account, with an id of its own unless it is told one.

        Raises:
            errors.EntityAlreadyExists: there is one with this id.
        """
        now = self._clock.now()
        new = ram.Account(name=account_id or self._ids.account_id(), created_at=now, updated_at=now)
        if not self._store.put(ACCOUNTS, new):
            raise _present(ram.Account)
        return new

    def accounts(self) -> Sequence[ram.Account]:
        """All accounts."""
        return self._all(ACCOUNTS, ram.Account)

    def register(self, key: account.AccessKey) -> None:
        """Store a key of an account itself, in place of one with its id, and the account, if it is a new one."""
        now = self._clock.now()
        with contextlib.suppress(errors.EntityAlreadyExists):
            self.create_account(key.account_id)
        if key.access_key_id not in self.get(ACCOUNTS, ram.Account, key.account_id).keys:
            self.change(ACCOUNTS, ram.Account, key.account_id, lambda found: found.add_key(key.access_key_id, now))
        self._keys.put_key(key)
        self._changed()

    def disable(self, access_key_id: str) -> None:
        """Let a key be used no more, whosever it is; raises errors.EntityNotExist."""
        if not self._keys.enable_key(access_key_id, enabled=False):
            raise _no_key()
        self._changed()

    def rotate(self, access_key_id: str) -> account.AccessKey:
        """A new key for whoever has this one, which is disabled."""
        former = self._keys.key(access_key_id)
        if former is None:
            raise _no_key()
        with contextlib.suppress(errors.EntityAlreadyExists):  # keys of older versions have no account yet
            self.create_account(former.account_id)
        new = self.create_key(former.account_id, former.user)
        self.disable(access_key_id)
        return new

    # --- Entities of any kind ---

    def get(self, account_id: str, kind: type[E], name: str) -> E:
        """The entity; raises errors.EntityNotExist."""
        found = self._find(account_id, kind, name)
        if found is None:
            raise _missing(kind)
        return found

    def create(self, account_id: str, new: E, *, most: int) -> E:
        """Store a new entity of which an account may have `most`.

        Raises:
            errors.EntityAlreadyExists, errors.LimitExceeded: it may not be.
        """
        if self._find(account_id, type(new), new.name) is not None:
            raise _present(type(new))
        if len(self._all(account_id, type(new))) >= most:
            raise errors.LimitExceeded(f"An account can have at most {most} of them.", of=new.KIND)
        if not self._store.put(account_id, new):
            raise _present(type(new))
        return new

    def change(self, account_id: str, kind: type[E], name: str, change: Callable[[E], E]) -> E:
        """Change an entity; raises errors.EntityNotExist, and whatever `change` raises."""
        for _ in range(limits.WRITE_ATTEMPTS):
            changed = change(self.get(account_id, kind, name))
            if self._store.put(account_id, changed):
                self._changed()
                return changed
        raise errors.TooManyRequests

    def delete(self, account_id: str, kind: type[E], name: str) -> None:
        """Delete an entity on which nothing hangs.

        Raises:
            errors.EntityNotExist, errors.DeleteConflict: there is none, or something does.
        """
        for _ in range(limits.WRITE_ATTEMPTS):
            found: Any = self.get(account_id, kind, name)
            found.check_deletable()
            if self._store.delete(account_id, found):
                self._changed()
                return
        raise errors.TooManyRequests

    def list(self, account_id: str, kind: type[E], *, after: str | None, limit: int) -> ram.Page:
        """Up to `limit` entities whose names come after `after`."""
        return self._store.list(account_id, kind.KIND, after=after, limit=limit)

    def user_id(self, account_id: str, name: str) -> str:
        """The id of a user."""
        return self.get(account_id, ram.User, name).user_id

    # --- Access keys ---

    def create_key(self, account_id: str, user: str) -> account.AccessKey:
        """A new key for a user, or for the account itself if `user` is empty; nobody is told its secret again."""
        now = self._clock.now()
        key = account.AccessKey(
            access_key_id=self._ids.access_key_id(),
            secret=self._ids.secret(),
            account_id=account_id,
            user=user,
            created_at=now,
        )
        if user:
            self.change(account_id, ram.User, user, lambda found: found.add_key(key.access_key_id, now))
        else:
            self.change(ACCOUNTS, ram.Account, account_id, lambda found: found.add_key(key.access_key_id, now))
        self._keys.put_key(key)
        return key

    def enable_key(self, account_id: str, user: str, access_key_id: str, *, enabled: bool) -> None:
        """Let a user's key be used, or not."""
        self.get(account_id, ram.User, user).check_key(access_key_id)
        if not self._keys.enable_key(access_key_id, enabled=enabled):
            raise _no_key()
        self._changed()

    def delete_key(self, account_id: str, user: str, access_key_id: str) -> None:
        """Delete a user's key."""
        self.get(account_id, ram.User, user).check_key(access_key_id)
        self._keys.delete_key(access_key_id)
        self.change(account_id, ram.User, user, lambda found: found.remove_key(access_key_id))

    def keys(self, account_id: str, user: str) -> Sequence[account.AccessKey]:
        """The keys of a user, or of the account itself if `user` is empty."""
        of = self.get(account_id, ram.User, user) if user else self.get(ACCOUNTS, ram.Account, account_id)
        return [key for key in map(self._keys.key, of.keys) if key is not None]

    # --- Groups ---

    def join(self, account_id: str, user: str, group: str) -> None:
        """Make a user a member of a group."""
        now = self._clock.now()
        self.get(account_id, ram.User, user)
        self.change(account_id, ram.Group, group, lambda found: found.admit(user, now))
        try:
            self.change(account_id, ram.User, user, lambda found: found.join(group, now))
        except (errors.EntityNotExist, errors.LimitExceeded):
            self.change(account_id, ram.Group, group, lambda found: found.dismiss(user))
            raise

    def leave(self, account_id: str, user: str, group: str) -> None:
        """End a user's membership of a group."""
        self.get(account_id, ram.Group, group)
        try:
            self.change(account_id, ram.User, user, lambda found: found.leave(group))
        finally:
            self.change(account_id, ram.Group, group, lambda found: found.dismiss(user))

    def groups_of(self, account_id: str, user: str) -> Sequence[Named]:
        """The groups that a user is in."""
        return self._named(account_id, ram.Group, self.get(account_id, ram.User, user).groups)

    def users_of(self, account_id: str, group: str) -> Sequence[Named]:
        """The users that are in a group."""
        return self._named(account_id, ram.User, self.get(account_id, ram.Group, group).users)

    # --- Policies ---

    def policy(self, account_id: str, kind: str, name: str) -> ram.ManagedPolicy:
        """A policy, system or custom; raises errors.EntityNotExist."""
        if kind == ram.CUSTOM:
            return self.get(account_id, ram.ManagedPolicy, name)
        [found] = self._with_holders(account_id, [_system(name)])
        return found

    def policies(self, account_id: str, kinds: Sequence[str]) -> Sequence[ram.ManagedPolicy]:
        """The policies of these kinds, system policies first, ascending by name."""
        found: list[ram.ManagedPolicy] = []
        if ram.SYSTEM in kinds:
            found += self._with_holders(account_id, list(ram.SYSTEM_POLICIES.values()))
        if ram.CUSTOM in kinds:
            found += self._all(account_id, ram.ManagedPolicy)
        return found

    def create_policy(self, account_id: str, name: str, document: str, description: str) -> ram.ManagedPolicy:
        """A new custom policy."""
        policy.parse(document)
        if name in ram.SYSTEM_POLICIES:
            raise _present(ram.ManagedPolicy)
        now = self._clock.now()
        version = ram.PolicyVersion(version_id="v1", document=document, created_at=now)
        new = ram.ManagedPolicy(name=name, description=description, versions=(version,), created_at=now, updated_at=now)
        return self.create(account_id, new, most=limits.POLICIES_PER_ACCOUNT)

    def clear_policy(self, account_id: str, name: str) -> None:
        """Detach a custom policy from everybody, and leave it the version in force only."""
        for holder in self.get(account_id, ram.ManagedPolicy, name).holders:
            kind, _, holder_name = holder.partition(":")
            with contextlib.suppress(errors.EntityNotExist):  # somebody else was quicker
                self.detach(account_id, _HOLDERS[kind], holder_name, ram.CUSTOM, name)
        self.change(
            account_id,
            ram.ManagedPolicy,
            name,
            lambda found: found.evolve(self._clock.now(), versions=(found.version(found.default_version),)),
        )

    def attach(self, account_id: str, kind: type[ram.Holder], name: str, policy_type: str, policy_name: str) -> None:
        """Attach a policy to a user, a group or a role."""
        now = self._clock.now()
        holder = self.get(account_id, kind, name)
        to = self.policy(account_id, policy_type, policy_name)
        self._hold(account_id, to, holder.reference, now)
        try:
            self.change(account_id, kind, name, lambda found: found.attach(to, now))
        except (errors.EntityNotExist, errors.LimitExceeded):
            self._release(account_id, to, holder.reference)
            raise

    def detach(self, account_id: str, kind: type[ram.Holder], name: str, policy_type: str, policy_name: str) -> None:
        """Detach a policy."""
        of = self.policy(account_id, policy_type, policy_name)
        holder = self.get(account_id, kind, name)
        try:
            self.change(account_id, kind, name, lambda found: found.detach(of.reference))
        finally:
            self._release(account_id, of, holder.reference)

    def attached(self, account_id: str, kind: type[ram.Holder], name: str) -> Sequence[Attached]:
        """The policies attached to a user, a group or a role."""
        found: list[Attached] = []
        for reference, since in self.get(account_id, kind, name).policies.items():
            policy_type, _, policy_name = reference.partition(":")
            try:
                found.append(Attached(policy=self.policy(account_id, policy_type, policy_name), attached_at=since))
            except errors.EntityNotExist:  # deleted a moment ago
                continue
        return found

    def holders(self, account_id: str, policy_type: str, policy_name: str) -> Sequence[Named]:
        """Whom a policy is attached to."""
        held = self.policy(account_id, policy_type, policy_name).holders
        found: list[Named] = []
        for kind in _HOLDERS.values():
            mark = f"{kind.KIND}:"
            names = {name.removeprefix(mark): since for name, since in held.items() if name.startswith(mark)}
            found += self._named(account_id, kind, names)
        return found

    def _hold(self, account_id: str, to: ram.ManagedPolicy, holder: str, now: int) -> None:
        if to.type == ram.CUSTOM:
            self.change(account_id, ram.ManagedPolicy, to.name, lambda found: found.hold(holder, now))
            return
        if self._find(account_id, ram.SystemAttachments, to.name) is None:
            new = ram.SystemAttachments(name=to.name, created_at=now, updated_at=now)
            self._store.put(account_id, new)  # or somebody else has
        self.change(account_id, ram.SystemAttachments, to.name, lambda found: found.hold(holder, now))

    def _release(self, account_id: str, of: ram.ManagedPolicy, holder: str) -> None:
        kind: Any = ram.ManagedPolicy if of.type == ram.CUSTOM else ram.SystemAttachments
        if self._find(account_id, kind, of.name) is not None:
            self.change(account_id, kind, of.name, lambda found: found.release(holder))

    def _with_holders(self, account_id: str, policies: Sequence[ram.ManagedPolicy]) -> Sequence[ram.ManagedPolicy]:
        keys = [(ram.SystemAttachments.KIND, item.name) for item in policies]
        found = self._store.get_all(account_id, keys)
        return [
            item.evolve(
                item.updated_at, holders=getattr(found.get((ram.SystemAttachments.KIND, item.name)), "holders", {})
            )
            for item in policies
        ]

    def _named(self, account_id: str, kind: type[ram.Entity], names: Mapping[str, int]) -> Sequence[Named]:
        found = self._store.get_all(account_id, [(kind.KIND, name) for name in names]) if names else {}
        return [
            Named(entity=found[kind.KIND, name], since=since)
            for name, since in sorted(names.items())
            if (kind.KIND, name) in found
        ]

    def _find(self, account_id: str, kind: type[E], name: str) -> E | None:
        if len(name) > limits.POLICY_NAME_LENGTH:  # the longest that anything is called
            return None
        found = self._store.get(account_id, kind.KIND, name)
        return found if isinstance(found, kind) else None

    def _all(self, account_id: str, kind: type[E]) -> Sequence[E]:
        page = self._store.list(account_id, kind.KIND, after=None, limit=None)
        return [entity for entity in page.entities if isinstance(entity, kind)]


def _system(name: str) -> ram.ManagedPolicy:
    found = ram.SYSTEM_POLICIES.get(name)
    if found is None:
        raise _missing(ram.ManagedPolicy)
    return found


def _no_key() -> errors.EntityNotExist:
    return errors.EntityNotExist("The user access key does not exist.", of="User.AccessKey")


def _missing(kind: type[ram.Entity]) -> errors.EntityNotExist:
    return errors.EntityNotExist(f"The {kind.KIND.lower()} does not exist.", of=kind.KIND)


def _present(kind: type[ram.Entity]) -> errors.EntityAlreadyExists:
    return errors.EntityAlreadyExists(f"The {kind.KIND.lower()} does already exist.", of=kind.KIND)
