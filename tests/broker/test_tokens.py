"""Tokens: what comes again is told from what comes for the first time."""

import pytest

from chalicelib.broker import tokens
from chalicelib.model import errors
from tests.broker.fakes import NOW


@pytest.fixture
def verb(process):
    return tokens.Tokens(store=process.tables.tokens, clock=process.clock)


def test_a_nonce_is_used_once_as_long_as_its_request_is_fresh(verb, clock):
    assert [verb.use("n", signed_at=NOW) for _ in range(2)] == [True, False]
    assert verb.use("m", signed_at=NOW)
    clock.advance(15 * 60 - 1)
    assert not verb.use("n", signed_at=NOW)
    clock.advance(2)
    assert verb.use("n", signed_at=NOW + 15 * 60_000)


def test_a_call_is_made_once_and_its_outcome_told_again(verb, clock):
    made = []
    for _ in range(3):
        assert verb.once("t", "digest", lambda: made.append(1) or "outcome") == "outcome"
        clock.advance(3600)
    assert made == [1]
    clock.advance(24 * 3600)
    verb.once("t", "another", lambda: made.append(2) or "new")
    assert made == [1, 2]


def test_a_token_with_another_digest_is_refused_and_nothing_is_done(verb):
    verb.once("t", "digest", lambda: "outcome")
    with pytest.raises(errors.IdempotentParameterMismatch):
        verb.once("t", "another", pytest.fail)


def test_a_call_that_is_under_way_is_not_made_again_until_it_must_have_died(verb, clock):
    def again():
        with pytest.raises(errors.IdempotentProcessing):
            verb.once("t", "digest", pytest.fail)
        clock.advance(60)
        return verb.once("t", "digest", lambda: "second")

    assert verb.once("t", "digest", again) == "second"


def test_a_call_that_fails_may_be_made_again(verb):
    def fail():
        raise errors.QueueNotExist

    with pytest.raises(errors.QueueNotExist):
        verb.once("t", "digest", fail)
    assert verb.once("t", "other", lambda: "outcome") == "outcome"
