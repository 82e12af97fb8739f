"""The gate between an engine's errors and ours: transactions, and what gets in each other's way."""

import pytest
from botocore import exceptions

from chalicelib.model import errors as model_errors
from chalicelib.storage import client, errors


def refusal(code: str, *reasons: str, **more: object) -> exceptions.ClientError:
    response = {"Error": {"Code": code}, "CancellationReasons": [{"Code": reason} for reason in reasons]} | more
    return exceptions.ClientError(response, "TransactWriteItems")


class Engine:
    """Fails as it is told, then succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __getattr__(self, name: str):
        if name not in vars(client.Client):
            raise AttributeError(name)

        def call(**_):
            self.calls += 1
            if self.failures:
                raise self.failures.pop(0)
            return {"done": True}

        return call


CANCELLED, CONFLICT = "TransactionCanceledException", "TransactionConflictException"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (refusal(CANCELLED, "None", "ThrottlingError"), model_errors.TooManyRequests),
        (refusal(CANCELLED, "ProvisionedThroughputExceeded", "TransactionConflict"), None),
        (refusal(CANCELLED, "ItemCollectionSizeLimitExceeded"), model_errors.TooManyRequests),
        (refusal(CANCELLED, "ValidationError"), model_errors.InternalError),
        (refusal("ValidationException"), model_errors.InternalError),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), model_errors.InternalError),
    ],
)
def test_what_a_transaction_is_refused_with_becomes_one_of_our_errors(failure, expected):
    gate = errors.Gate(Engine(failure))
    if expected is None:
        assert gate.transact_write_items(TransactItems=[]) == {"done": True}
    else:
        with pytest.raises(expected):
            gate.transact_write_items(TransactItems=[])


def test_a_condition_that_did_not_hold_tells_which_one_and_what_is_there():
    item = {"pk": {"S": "x"}}
    reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": item}, {"Code": "TransactionConflict"}]
    gate = errors.Gate(Engine(refusal(CANCELLED, CancellationReasons=reasons)))
    with pytest.raises(errors.ConditionFailed) as failed:
        gate.transact_write_items(TransactItems=[])
    assert (failed.value.place, failed.value.item) == (1, item)


@pytest.mark.parametrize("failure", [refusal(CONFLICT), refusal(CANCELLED, "None", "TransactionConflict")])
def test_what_gets_in_the_way_of_a_transaction_is_tried_again_and_given_up_at_last(failure):
    engine = Engine(*[failure] * 3)
    assert errors.Gate(engine).update_item() == {"done": True}
    assert engine.calls == 4
    with pytest.raises(model_errors.TooManyRequests):
        errors.Gate(Engine(*[failure] * 100)).update_item()


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["ProvisionedThroughputExceeded", "None"], True),
        (["None", "ThrottlingError"], True),
        (["ProvisionedThroughputExceeded", "ConditionalCheckFailed"], False),
        (["ItemCollectionSizeLimitExceeded"], False),
        (["None"], False),
        ([], False),
    ],
)
def test_a_transaction_that_only_lacks_units_may_come_again(reasons, expected):
    assert errors.lacks_units(refusal(CANCELLED, *reasons).response) is expected
    assert errors.lacks_units({"Error": {"Code": "ThrottlingException"}}) is False
