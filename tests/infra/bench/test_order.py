"""The judge of the order case finds what must not be, and nothing else; a real server passes it, killed in between."""

import signal
import threading
import time
from dataclasses import replace

from infra.bench import dialects, exchange, jobs, order, order_load
from tests import live

GROUP = "group-0"


def receive(number: int, at: int, *, place: int = 0, seconds: int = 2) -> order.Receive:
    return order.Receive(
        message_id=f"{number}",
        group=GROUP,
        number=number,
        place=place,
        asked_at=at - 1,
        answered_at=at,
        next_visible_at=at + seconds * 1000,
    )


def delete(number: int, at: int, answered: int | None = None) -> order.Delete:
    return order.Delete(group=GROUP, number=number, asked_at=at, answered_at=answered)


def seen(receives: list[order.Receive], deletes: list[order.Delete], sent: int = 3) -> order.Order:
    return order.Order(sent=[(GROUP, number) for number in range(sent)], receives=receives, deletes=deletes)


def overtaking(history: order.Order) -> list[int]:
    return [found.number for found in order.overtaking(history)]


def test_what_is_received_and_deleted_one_after_the_other_is_in_order():
    history = seen(
        [receive(0, 10), receive(1, 20), receive(2, 30)], [delete(0, 11, 12), delete(1, 21, 22), delete(2, 31, 32)]
    )
    assert (order.lost(history), overtaking(history), order.delivered_again(history)) == ([], [], [])


def test_a_message_that_nobody_could_delete_is_lost():
    assert order.lost(seen([receive(0, 10)], [delete(0, 11, 12)], sent=2)) == [(GROUP, 1)]


def test_a_message_that_comes_before_an_earlier_one_is_over_overtakes_it():
    assert overtaking(seen([receive(1, 10), receive(0, 20)], [delete(1, 11, 12), delete(0, 21, 22)], sent=2)) == [1]
    assert overtaking(seen([receive(0, 10), receive(1, 20)], [delete(0, 30, 31)], sent=2)) == [1]


def test_a_message_that_is_received_while_an_earlier_one_was_never_received_overtakes_it():
    assert overtaking(seen([receive(1, 10)], [delete(1, 11, 12)], sent=2)) == [1]


def test_a_delete_without_an_answer_may_have_happened():
    assert overtaking(seen([receive(0, 10), receive(1, 20)], [delete(0, 11)], sent=2)) == []


def test_a_batch_of_consecutive_messages_is_in_order_and_one_of_others_is_not():
    together = [receive(number, 10, place=number) for number in range(3)]
    assert overtaking(seen(together, [])) == []
    turned = [replace(item, place=2 - item.place) for item in together]
    assert overtaking(seen(turned, [])) == [1, 2]


def test_a_message_that_was_left_comes_again_before_what_follows():
    receives = [receive(0, 10), receive(0, 2_010), receive(1, 2_020)]
    assert overtaking(seen(receives, [delete(0, 2_011, 2_012)], sent=2)) == []
    assert overtaking(seen([receives[0], receives[2], receives[1]], [delete(0, 2_030, 2_031)], sent=2)) == [1]


def test_a_message_that_comes_back_after_its_delete_was_answered_is_delivered_again():
    history = seen([receive(0, 10), receive(0, 50)], [delete(0, 11, 12)], sent=1)
    assert [found.answered_at for found in order.delivered_again(history)] == [50]


def test_a_message_that_two_receive_within_its_time_is_shared():
    assert order.shared(seen([receive(0, 10), receive(0, 20)], [])) == ["0"]


def test_a_server_that_is_killed_keeps_the_order_of_every_group_and_all_messages(tmp_path):
    """Six hundred messages of sixty groups, eight consumers, time-outs, messages given back, and a kill -9."""
    history, counters = order.Order(), {}
    for life in range(3):
        with live.serving(tmp_path, "--port", "0", "--data", str(tmp_path / "data")) as server:
            endpoint = dialects.Endpoint(dialect="mns-fifo", port=server.address[1])
            if life == 0:
                created = exchange.ask(endpoint.address, dialects.Fifo(endpoint, "order").create(1))
                assert created.status == 200, created.payload
            job = jobs.Job(
                kind="ordered",
                endpoint=endpoint,
                queue="order",
                producers=4 if life < 2 else 0,
                consumers=8,
                groups=60,
                counters=counters,
                messages=300,
                seconds=60,
                until_empty=0 if life < 2 else 2.5,
            )
            found = {}
            load = threading.Thread(target=lambda job=job, found=found: found.update(order_load.ordered(job)))
            load.start()
            if life < 2:
                time.sleep(0.8)
                server.send_signal(signal.SIGKILL)
            load.join(60)
            history.extend(found)
            counters = found["counters"]
    figures = order.judged(history)
    assert figures["sent"] > 60
    assert figures["received"] > figures["sent"]
    assert [figures[name] for name in ("lost", "overtaking", "delivered_again", "shared")] == [0, 0, 0, 0]
