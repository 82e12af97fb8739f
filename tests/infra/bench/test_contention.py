"""The model of contention: its time, its chance, and that the figures are those of the real verbs."""

import pytest
from botocore.exceptions import ClientError

from infra.bench.contention import model, world


def test_actors_act_in_the_order_of_their_moments():
    virtual = world.World()
    seen = []

    def act(name, pause):
        for _ in range(2):
            virtual.sleep(pause)
            seen.append((name, virtual.now() - int(world.START)))

    virtual.start(lambda: act("slow", 0.5))
    virtual.start(lambda: act("quick", 0.2))
    virtual.run(2)
    assert seen == [("quick", 200), ("quick", 400), ("slow", 500), ("slow", 1000)]
    assert virtual.now() == world.START + 2_000


def test_calls_side_by_side_take_as_long_as_the_longest():
    virtual = world.World()
    seen = []

    def sleep(seconds):
        virtual.sleep(seconds)
        return seconds

    def act():
        seen.append((virtual.side_by_side(sleep, [0.3, 0.1, 0.2]), virtual.now() - int(world.START)))

    virtual.start(act)
    virtual.run(1)
    assert seen == [([0.3, 0.1, 0.2], 300)]


def test_an_error_of_a_call_side_by_side_is_raised_where_the_calls_were_made():
    virtual = world.World()
    seen = []

    def act():
        with pytest.raises(ZeroDivisionError):
            virtual.side_by_side(lambda number: 1 / number, [1, 0])
        seen.append("raised")

    virtual.start(act)
    virtual.run(1)
    assert seen == ["raised"]


def test_a_throttled_call_is_tried_again_as_often_as_boto3_does():
    class Refusing:
        calls = 0

        def __getattr__(self, name):
            return self.refuse

        def refuse(self, **_arguments):
            self.calls += 1
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem")

    virtual, engine = world.World(), Refusing()
    remote = world.Remote(engine, virtual)
    seen = []

    def act():
        with pytest.raises(ClientError):
            remote.put_item(TableName="t", Item={"pk": {"S": "1"}})
        seen.append(engine.calls)

    virtual.start(act)
    virtual.run(10)
    assert seen == [1 + world.RETRIES]


def test_a_run_is_the_same_each_time():
    case = model.Case(clients=4, shards=2, seconds=0.5)
    assert model.receive(case) == model.receive(case)


def test_a_consumer_alone_loses_nothing_and_pays_what_the_budget_says():
    found = model.receive(model.Case(clients=1, shards=1, seconds=1.0))
    assert found.lost == found.throttled == found.empty == 0
    assert found.trips_per_call == pytest.approx(4, abs=0.1)  # three to receive, one to delete
    assert found.write_units_per_message == pytest.approx(5, abs=0.2)


def test_a_shard_gives_no_more_than_its_units():
    found = model.receive(model.Case(clients=16, shards=1, seconds=2.0))
    assert 150 < found.rate <= 200  # 1,000 units at five for each message
    assert found.throttled > 0


def test_more_shards_take_more():
    one, four = (model.send(model.Case(clients=64, shards=shards, seconds=1.0)).rate for shards in (1, 4))
    assert one == pytest.approx(500, rel=0.1)  # 1,000 units at two for each message
    assert four > 3 * one


def test_what_consumers_lose_to_one_another_stays_below_half_of_what_they_win():
    assert model.receive(model.Case(clients=8, shards=1, seconds=2.0)).lost_per_won < 0.5


def test_a_fifo_queue_waits_at_its_limit_as_others_do_and_costs_what_the_budget_says():
    case = model.Case(clients=16, shards=1, seconds=1.0, groups=500)
    sent, received = model.send(case), model.receive(case)
    assert sent.throttled > 0
    assert received.throttled > 0
    assert sent.refused == received.refused == 0
    assert sent.write_units_per_message == pytest.approx(5, abs=1)  # six to an empty group, four to another one
    assert received.write_units_per_message == pytest.approx(11, abs=0.5)
    assert received.rate == pytest.approx(1_000 / 11, rel=0.15)


def test_transactions_that_meet_in_one_group_get_in_each_others_way_and_all_get_through():
    alone, many = (model.send(model.Case(clients=clients, shards=1, seconds=1.0, groups=1)) for clients in (1, 4))
    assert alone.trips_per_call == pytest.approx(1, abs=0.02)
    assert many.trips_per_call > 2
    assert many.rate < 2 * alone.rate
