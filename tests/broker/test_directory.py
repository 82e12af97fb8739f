"""Users, groups, roles and policies: the rules of RAM, and what several do at once."""

import dataclasses

import pytest

from chalicelib.model import errors, limits, ram
from tests.broker.fakes import NOW

OWNER = "1234567890123456"
DOCUMENT = '{"Version": "1", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


@pytest.fixture
def directory(process):
    return process.directory


def user(directory, name="ann"):
    return directory.create(OWNER, ram.User(name=name, user_id=name, created_at=NOW, updated_at=NOW), most=1000)


def group(directory, name="team"):
    return directory.create(OWNER, ram.Group(name=name, group_id=name, created_at=NOW, updated_at=NOW), most=50)


def refusal(kind, call, *arguments, **more):
    with pytest.raises(kind) as raised:
        call(*arguments, **more)
    return raised.value.code


def test_an_account_has_so_many_of_a_kind_and_no_more(directory):
    user(directory)
    new = ram.User(name="bob", user_id="2", created_at=NOW, updated_at=NOW)
    assert refusal(errors.LimitExceeded, directory.create, OWNER, new, most=1) == "LimitExceeded.User"
    directory.create("2", new, most=1)


def test_a_user_is_in_so_many_groups(directory):
    user(directory)
    for number in range(limits.GROUPS_PER_USER + 1):
        group(directory, f"g{number}")
    for number in range(limits.GROUPS_PER_USER):
        directory.join(OWNER, "ann", f"g{number}")
    last = f"g{limits.GROUPS_PER_USER}"
    assert refusal(errors.LimitExceeded, directory.join, OWNER, "ann", last) == "LimitExceeded.User.Group"
    assert directory.users_of(OWNER, last) == []
    directory.delete(OWNER, ram.Group, last)  # nothing of the attempt is left


@pytest.mark.parametrize(
    ("policy_type", "most"),
    [("Custom", limits.CUSTOM_POLICIES_ATTACHED["Group"]), ("System", len(ram.SYSTEM_POLICIES))],
)
def test_so_many_policies_are_attached(directory, policy_type, most):
    group(directory)
    names = list(ram.SYSTEM_POLICIES)
    if policy_type == "Custom":
        names = [f"p{number}" for number in range(most + 1)]
        for name in names:
            directory.create_policy(OWNER, name, DOCUMENT, "")
    for name in names[:most]:
        directory.attach(OWNER, ram.Group, "team", policy_type, name)
    for name in names[most:]:
        attach = (OWNER, ram.Group, "team", policy_type, name)
        assert refusal(errors.LimitExceeded, directory.attach, *attach) == "LimitExceeded.Group.Policy"
        directory.delete(OWNER, ram.ManagedPolicy, name)  # nothing of the attempt is left


def test_a_change_that_somebody_else_was_quicker_with_is_made_to_what_is_there_then(process, directory):
    user(directory)
    others = iter([True, True, False])

    def change(found):
        if next(others):
            process.another().directory.change(
                OWNER, ram.User, "ann", lambda user: user.evolve(NOW, comments=user.comments + "x")
            )
        return found.evolve(NOW, comments=found.comments + "y")

    assert directory.change(OWNER, ram.User, "ann", change).comments == "xxy"


def test_a_change_gives_up_when_somebody_else_is_quicker_for_ever(process, directory):
    user(directory)

    def change(found):
        process.another().directory.change(OWNER, ram.User, "ann", lambda user: user.evolve(NOW))
        return found

    with pytest.raises(errors.TooManyRequests):
        directory.change(OWNER, ram.User, "ann", change)


def test_a_key_given_to_a_user_meanwhile_keeps_it_from_being_deleted(process, directory, tables):
    user(directory)
    store = tables.directory
    delete = store.delete

    def quicker(account_id, entity):
        if not entity.keys:
            process.another().directory.create_key(OWNER, "ann")
        return delete(account_id, entity)

    store.delete = quicker
    code = refusal(errors.DeleteConflict, directory.delete, OWNER, ram.User, "ann")
    assert code == "DeleteConflict.User.AccessKey"


def test_a_membership_that_ended_half_way_is_completed_by_doing_it_again(directory):
    user(directory)
    group(directory)
    directory.change(OWNER, ram.Group, "team", lambda found: found.admit("ann", NOW))  # and then the process ended
    assert refusal(errors.DeleteConflict, directory.delete, OWNER, ram.Group, "team") == "DeleteConflict.Group.User"
    directory.join(OWNER, "ann", "team")
    assert [named.entity.name for named in directory.groups_of(OWNER, "ann")] == ["team"]
    directory.change(OWNER, ram.User, "ann", lambda found: found.leave("team"))  # and then the process ended
    assert refusal(errors.EntityNotExist, directory.leave, OWNER, "ann", "team") == "EntityNotExist.User.Group"
    directory.delete(OWNER, ram.Group, "team")
    directory.delete(OWNER, ram.User, "ann")


def test_a_group_that_is_made_anew_lets_nobody_do_anything_who_was_in_the_former_one(process, directory):
    user(directory)
    group(directory)
    directory.join(OWNER, "ann", "team")
    directory.change(OWNER, ram.Group, "team", lambda found: found.dismiss("ann"))  # by a leave that met a join
    directory.delete(OWNER, ram.Group, "team")
    group(directory)
    directory.attach(OWNER, ram.Group, "team", "System", "AdministratorAccess")
    caller = process.identities.known(directory.create_key(OWNER, "ann").access_key_id).caller
    asked = ram.policy.Asked(actions=("mns:ListQueue",), resource="acs:mns:r:1:/queues")
    with pytest.raises(errors.AccessDenied):
        process.permissions.authorise(caller, OWNER, lambda _now: asked)


def test_an_attachment_that_ended_half_way_is_completed_by_doing_it_again(directory):
    user(directory)
    directory.create_policy(OWNER, "p", DOCUMENT, "")
    directory.change(OWNER, ram.ManagedPolicy, "p", lambda found: found.hold("User:ann", NOW))
    assert (
        refusal(errors.DeleteConflict, directory.delete, OWNER, ram.ManagedPolicy, "p") == "DeleteConflict.Policy.User"
    )
    directory.attach(OWNER, ram.User, "ann", "Custom", "p")
    assert [attached.policy.name for attached in directory.attached(OWNER, ram.User, "ann")] == ["p"]
    directory.change(OWNER, ram.User, "ann", lambda found: found.detach("Custom:p"))
    detach = (OWNER, ram.User, "ann", "Custom", "p")
    assert refusal(errors.EntityNotExist, directory.detach, *detach) == "EntityNotExist.User.Policy"
    directory.delete(OWNER, ram.ManagedPolicy, "p")


def test_a_key_that_was_noted_but_never_made_is_not_listed_and_can_be_deleted(directory):
    user(directory)
    directory.change(OWNER, ram.User, "ann", lambda found: found.add_key("LTAI-lost", NOW))
    assert directory.keys(OWNER, "ann") == []
    directory.delete_key(OWNER, "ann", "LTAI-lost")
    directory.delete(OWNER, ram.User, "ann")


def test_accounts_are_made_once_and_have_keys_of_their_own(directory, process):
    made = directory.create_account()
    assert refusal(errors.EntityAlreadyExists, directory.create_account, made.name) == "EntityAlreadyExists.Account"
    key = directory.create_key(made.name, "")
    assert process.identities.known(key.access_key_id).caller.is_root
    assert directory.keys(made.name, "") == [key]
    assert refusal(errors.EntityNotExist, directory.create_key, "99", "") == "EntityNotExist.Account"


def test_a_key_is_exchanged_for_another_one_of_the_same_owner(directory, process):
    user(directory)
    for former in (directory.create_key(OWNER, "ann"), directory.create_key(directory.create_account("7").name, "")):
        assert process.identities.key(former.access_key_id) == former
        new = directory.rotate(former.access_key_id)
        assert dataclasses.replace(new, access_key_id="", secret="") == dataclasses.replace(
            former, access_key_id="", secret=""
        )
        assert process.identities.key(new.access_key_id) == new
        with pytest.raises(errors.InvalidAccessKeyId):
            process.identities.key(former.access_key_id)
    assert refusal(errors.EntityNotExist, directory.rotate, "nobody") == "EntityNotExist.User.AccessKey"


def test_registering_a_key_again_changes_its_secret_and_nothing_else(directory, process):
    key = directory.create_key(directory.create_account("7").name, "")
    directory.register(dataclasses.replace(key, secret="another"))
    assert [found.secret for found in directory.keys("7", "")] == ["another"]
    assert [found.name for found in directory.accounts()] == ["7"]
    assert process.identities.key(key.access_key_id).secret == "another"


def test_another_process_learns_within_five_seconds_what_somebody_may(process, directory, clock):
    user(directory)
    other = process.another()
    caller = other.identities.known(directory.create_key(OWNER, "ann").access_key_id).caller
    asked = ram.policy.Asked(actions=("mns:ListQueue",), resource="acs:mns:r:1:/queues")

    def may(of):
        try:
            of.permissions.authorise(caller, OWNER, lambda _now: asked)
        except errors.AccessDenied:
            return False
        return True

    assert not may(other)
    directory.attach(OWNER, ram.User, "ann", "System", "AliyunMNSFullAccess")
    assert (may(process), may(other)) == (True, False)
    clock.advance(limits.CACHE_SECONDS)
    assert may(other)


@pytest.mark.parametrize("name", list(ram.SYSTEM_POLICIES))
def test_the_documents_of_system_policies_are_policies(name):
    assert ram.policy.parse(ram.SYSTEM_POLICIES[name].document).statements
