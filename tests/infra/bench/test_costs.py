"""What a deployment costs: that the units are those of the budgets, and that the arithmetic is right."""

import json

import pytest

from infra.bench.costs import __main__ as command
from infra.bench.costs import bill, measure, report


@pytest.fixture(scope="module")
def counted():
    return measure.run()


def units(use):
    return use.rounds, use.write_units, use.read_units


def test_the_units_of_a_small_message_are_those_of_the_architectures_budget(counted):
    assert {name: units(use) for name, use in counted.single[512].items()} == {
        "SendMessage": (1, 2, 0),
        "PeekMessage": (3, 0, 3),
        "ReceiveMessage": (3, 3, 2),
        "ChangeMessageVisibility": (1, 3, 0),
        "DeleteMessage": (1, 2, 0),
        "ReceiveMessage, nothing there": (2, 0, 2),
    }
    assert {name: units(use) for name, use in counted.batch[512].items()} == {
        "BatchSendMessage": (1, 32, 0),
        "BatchReceiveMessage": (3, 48, 2),
        "BatchDeleteMessage": (1, 32, 0),
    }


def test_the_units_of_a_fifo_queue_are_those_of_the_architectures_budget(counted):
    alone, behind, groups, group = (counted.fifo[way.name][512] for way in measure.WAYS)
    assert {name: units(use) for name, use in behind.items()} == {
        "SendMessage": (1, 4, 0),
        "ReceiveMessage": (3, 3, 3),
        "ChangeMessageVisibility": (2, 3, 1),
        "DeleteMessage": (2, 8, 1),
    }
    changed = {name for name in behind if units(alone[name]) != units(behind[name])}
    assert {name: units(alone[name]) for name in changed} == {"SendMessage": (1, 6, 0), "DeleteMessage": (2, 6, 1)}
    assert units(alone["ReceiveMessage, nothing there"]) == (1, 0, 2)
    assert units(groups["BatchReceiveMessage"]) == (3, 48, 18)
    assert (units(group["BatchSendMessage"]), units(group["BatchReceiveMessage"])) == ((1, 36, 0), (3, 4, 5))
    assert units(counted.topics["PublishMessage to a FIFO topic"]) == (2, 2, 0)


def test_order_doubles_what_a_message_costs_the_tables_and_saves_where_a_batch_is_of_one_group(counted):
    ordinary, batch = (bill.bill(counted, 512, batched=batched).tables for batched in (False, True))
    alone, behind, _, group = (bill.in_order(counted, 512, way).tables for way in measure.WAYS)
    assert group < 0.75 * batch
    assert alone == behind == pytest.approx(15 * 0.625 + 4 * 0.125)
    assert alone > 2 * ordinary


def test_a_large_body_is_paid_for_when_it_is_sent_and_read_but_neither_claimed_nor_deleted(counted):
    large = counted.single[65_536]
    assert units(large["SendMessage"]) == (2, 2 + 65, 0)  # its key makes it a little more than 64 KB
    assert units(large["ReceiveMessage"]) == (4, 3, 2 + 17)
    assert units(large["DeleteMessage"]) == (1, 2, 0)


def test_a_batch_costs_the_tables_what_its_messages_do(counted):
    for size in (512, 1_024, 4_096):
        one, many = counted.single[size], counted.batch[size]
        assert many["BatchSendMessage"].write_units == 16 * one["SendMessage"].write_units
        assert many["BatchDeleteMessage"].write_units == 16 * one["DeleteMessage"].write_units


def test_publishing_is_one_write_whatever_the_number_of_subscriptions(counted):
    assert units(counted.topics["PublishMessage"]) == (1, 1, 0)
    assert (
        counted.topics["Fan-out into 10 queues"].write_units == 10 * counted.topics["Fan-out into 1 queue"].write_units
    )


def test_counting_costs_the_same_for_any_number_of_changes_of_a_batch(counted):
    assert {units(counted.background[name]) for name in counted.background if name.startswith("Tally")} == {(2, 1, 1)}


def test_polls_look_less_and_less_often(counted):
    looks = {poll.wait: poll.looks for poll in counted.polls}
    assert looks[0] == 1
    assert looks[5] < 15
    assert looks[20] - looks[10] == 10  # one a second in the end


def test_a_small_message_costs_what_the_parts_of_the_bill_add_up_to(counted):
    made = bill.bill(counted, 512, batched=False)
    assert made.tables == pytest.approx(7 * 0.625 + 2 * 0.125)
    seconds = 3 * 0.003 + 5 * 0.005
    assert made.function == pytest.approx(3 * 0.20 + seconds * 0.5 * 13.3334)
    assert made.doors == {"REST API": 10.5, "HTTP API": 3.0, "function URL": 0.0}
    assert (made.sqs_standard, made.sqs_fifo, made.smq) == pytest.approx((1.2, 1.5, 0.84))
    [rest, http, url] = (made.total(door) for door in bill.DOORS)
    assert (rest - url, http - url) == pytest.approx((10.5, 3.0))


def test_batches_divide_the_calls_and_not_the_units(counted):
    one, many = (bill.bill(counted, 512, batched=batched) for batched in (False, True))
    assert many.doors["REST API"] == pytest.approx(one.doors["REST API"] / 16)
    assert many.tables == pytest.approx(7 * 0.625 + 2 / 16 * 0.125)
    assert many.sqs_standard == pytest.approx(0.3 * 0.4)


def test_only_a_body_that_stands_apart_is_stored_beyond_its_message(counted):
    assert bill.bill(counted, 512, batched=False).storage == 0
    stored = bill.bill(counted, 65_536, batched=False).storage
    assert stored == pytest.approx(61.035 * 5 / 30.4375 * 0.25, rel=0.001)  # GB, months, price


def test_a_body_is_cheaper_with_the_state_just_as_long_as_both_fit_one_unit(counted):
    cheaper = {
        size: bill.table_price(inline) < bill.table_price(apart) for size, (apart, inline) in counted.apart.items()
    }
    assert cheaper == {256: True, 600: True, 1_024: False, 2_048: False, 4_096: False, 16_384: False, 65_536: False}


def test_an_idle_consumer_pays_for_the_time_it_waits(counted):
    made = bill.idle(next(poll for poll in counted.polls if poll.wait == 25))
    assert made.polls == pytest.approx(2_629_800 / 25, rel=0.01)
    assert made.function == pytest.approx(2_629_800 * 0.5 * 0.0000133334, rel=0.01)


def test_the_report_is_the_same_each_time_and_keeps_what_was_written_by_hand(counted, tmp_path):
    page = tmp_path / "costs.md"
    report.write(counted, page)
    page.write_text(page.read_text() + "By hand.\n")
    report.write(measure.run(), page)
    assert (
        page.read_text() == report.text(counted) + f"\n{report.KEPT}\n\nNothing has been written here yet.\nBy hand.\n"
    )


def test_the_command_prints_every_figure_as_json(capsys):
    assert command.main(["--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert {"counted", "prices", "bills", "idle", "idle_queues_a_month"} == set(figures)
    assert all(price["source"] for price in figures["prices"])
