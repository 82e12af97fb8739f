"""The judge of the kill case finds what must not be, and nothing else."""

from infra.bench import history


def receive(name: str, asked: int, answered: int, visible: int) -> history.Receive:
    return history.Receive(message_id=name, asked_at=asked, answered_at=answered, next_visible_at=visible)


def delete(name: str, answered: int | None) -> history.Delete:
    return history.Delete(message_id=name, answered_at=answered)


def judged(seen: history.History) -> tuple[list[str], list[str], list[str]]:
    return history.lost(seen), history.delivered_again(seen), history.shared(seen)


def test_a_message_that_was_received_and_deleted_is_in_order():
    seen = history.History(sent=["a"], receives=[receive("a", 10, 12, 5012)], deletes=[delete("a", 14)])
    assert judged(seen) == ([], [], [])


def test_a_message_that_nobody_could_delete_is_lost():
    seen = history.History(sent=["a", "b"], receives=[receive("a", 10, 12, 5012)], deletes=[delete("a", 14)])
    assert judged(seen) == (["b"], [], [])


def test_a_delete_without_an_answer_may_have_happened():
    seen = history.History(sent=["a"], receives=[receive("a", 10, 12, 5012)], deletes=[delete("a", None)])
    assert judged(seen) == ([], [], [])


def test_a_message_may_come_again_after_its_time_when_its_delete_had_no_answer():
    receives = [receive("a", 10, 12, 5012), receive("a", 5000, 5013, 10013)]
    seen = history.History(sent=["a"], receives=receives, deletes=[delete("a", None), delete("a", 5020)])
    assert judged(seen) == ([], [], [])


def test_a_message_that_comes_back_after_its_delete_was_answered_is_delivered_again():
    receives = [receive("a", 10, 12, 5012), receive("a", 6000, 6002, 11002)]
    seen = history.History(sent=["a"], receives=receives, deletes=[delete("a", 14)])
    assert judged(seen) == ([], ["a"], [])


def test_a_receive_that_was_on_its_way_when_the_delete_was_answered_is_not_delivered_again():
    receives = [receive("a", 10, 12, 5012), receive("a", 13, 5020, 10020)]
    seen = history.History(sent=["a"], receives=receives, deletes=[delete("a", 5015)])
    assert judged(seen) == ([], [], [])


def test_a_message_that_two_receive_within_its_time_is_shared():
    receives = [receive("a", 10, 12, 5012), receive("a", 20, 22, 5022)]
    seen = history.History(sent=["a"], receives=receives, deletes=[delete("a", 30)])
    assert judged(seen) == ([], [], ["a"])


def test_what_the_generators_saw_is_appended():
    seen = history.History()
    document = {"sent": ["a"], "receives": [["a", 10, 12, 5012]], "deletes": [["a", 14]]}
    seen.extend(document)
    seen.extend(document)
    assert (seen.sent, len(seen.receives), seen.deletes[1]) == (["a", "a"], 2, delete("a", 14))
