"""Message groups: free or held, and what comes back is first in line again."""

import pytest

from chalicelib.model import group

NOW = 1_000_000
ONE, TWO, THREE = (
    group.Place(order=f"{number:016X}", message_id=f"m{number}", expires_at=NOW + 60_000) for number in (1, 2, 3)
)
NEW = group.Group(tail=THREE.order, since=NOW - 5)


def received(*places: group.Place, of: group.Group = NEW, now: int = NOW, seconds: int = 30) -> group.Group:
    return of.receive(places, now=now, visible_at=now + seconds * 1000, stamp=f"stamp {now}")


def orders(of: group.Group) -> list[str]:
    return [head.order for head in of.heads]


def test_a_new_group_is_free_since_its_first_message_came():
    assert (NEW.held_until, NEW.inactive, NEW.is_free(NOW), NEW.is_empty) == (None, 0, True, False)


def test_a_group_is_held_by_what_was_received_until_it_is_visible_again():
    held = received(ONE, TWO)
    assert (held.held_until, held.inactive, held.seen) == (NOW + 30_000, 2, TWO.order)
    assert not held.is_free(NOW + 29_999)
    assert held.is_free(NOW + 30_000)


def test_a_group_is_held_no_longer_than_its_messages_are_kept():
    assert received(ONE, seconds=3_600).held_until == ONE.expires_at


def test_a_receipt_is_valid_while_its_message_is_inactive():
    held = received(ONE)
    [head] = held.heads
    stamp = f"stamp {NOW}"
    assert held.held("m1", stamp, NOW + 29_999) == head
    assert held.held("m1", stamp, NOW + 30_000) is None
    assert held.held("m1", "another", NOW) is None
    assert held.held("m2", stamp, NOW) is None
    assert held.release(NOW + 30_000).held("m1", "", NOW) is None


def test_a_release_gives_back_all_and_remembers_how_often_each_was_received():
    free = received(ONE, TWO).release(NOW + 31_000)
    assert (free.inactive, free.since, orders(free)) == (0, NOW + 30_000, [ONE.order, TWO.order])
    again = received(ONE, of=free, now=NOW + 31_000)
    assert [again.count(place.order) for place in (ONE, TWO, THREE)] == [2, 1, 0]
    assert [head.first_dequeued_at for head in again.heads] == [NOW, NOW]
    assert again.inactive == 1


def test_a_delete_frees_the_group_only_if_nothing_else_is_in_hand():
    held = received(ONE, TWO)
    still = held.delete([ONE.order], NOW + 1)
    assert (still.held_until, orders(still)) == (NOW + 30_000, [TWO.order])
    free = still.delete([TWO.order], NOW + 2)
    assert (free.held_until, free.since, free.is_empty) == (None, NOW + 2, False)


def test_a_group_is_empty_when_all_that_ever_came_was_received_and_deleted():
    held = received(ONE, TWO, THREE)
    assert held.delete([ONE.order, TWO.order], NOW).is_empty is False
    assert held.delete([ONE.order, TWO.order, THREE.order], NOW).is_empty


def test_the_longest_of_several_holds_the_group_and_its_end_frees_it():
    held = received(ONE, TWO).postpone(ONE.order, now=NOW, visible_at=NOW + 1_000, stamp="sooner")
    assert held.held_until == NOW + 30_000
    assert held.held("m1", "sooner", NOW + 1_000) is None
    freed = held.delete([TWO.order], NOW + 1_000)
    assert (freed.held_until, freed.inactive) == (None, 0)


def test_what_is_too_old_is_forgotten_by_the_next_receive():
    free = received(ONE, TWO).release(NOW + 61_000)
    later = group.Place(order=THREE.order, message_id="m3", expires_at=NOW + 120_000)
    assert orders(received(later, of=free, now=NOW + 61_000)) == [THREE.order]


@pytest.mark.parametrize("shards", [1, 3, 64])
def test_a_group_has_one_home(shards):
    homes = {group.home("客户", shards) for _ in range(3)}
    assert len(homes) == 1
    assert homes < set(range(shards)) or shards == 1


def test_keys_of_groups_are_of_one_length_whatever_they_are_called():
    keys = {group.key(name) for name in ("a", "a#b", "客户", "x" * 128)}
    assert {len(key) for key in keys} == {30}
    assert len(keys) == 4
