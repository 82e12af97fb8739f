"""A whole application, on each engine, with two accounts."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import bootstrap, settings
from chalicelib.model import account
from chalicelib.wire import http
from infra.bench.costs import meter
from infra.local import engine as engines
from infra.local import vault
from tests.api import signing


@pytest.fixture
def engine(embedded_engine, prefix):
    """The app is run on one engine, and the worked examples on each; that engines agree is for the contracts to say."""
    engines.make_tables(embedded_engine, prefix)
    return embedded_engine


@pytest.fixture
def application(engine, prefix, clock):
    made = bootstrap.build(
        settings.Settings(table_prefix=prefix, explain_signatures=True, longest_wait=30),
        engine=engine,
        clock=clock,
        vault=vault.in_memory(),
    )
    bootstrap.install(made)
    for key_id, secret, owner in (
        (signing.KEY, signing.SECRET, signing.ACCOUNT),
        (signing.OTHER_KEY, signing.OTHER_SECRET, signing.OTHER_ACCOUNT),
    ):
        made.verbs.identities.add_key(account.AccessKey(access_key_id=key_id, secret=secret, account_id=owner))
    return made


@pytest.fixture
def recorded(engine, prefix, clock):
    """An application on an engine whose calls are counted."""
    recorder = meter.Meter(engine)
    made = bootstrap.build(
        settings.Settings(table_prefix=prefix), engine=recorder, clock=clock, fan=recorder.fan, vault=vault.in_memory()
    )
    return made, recorder


@pytest.fixture
def call(application, clock) -> Callable[..., http.Response]:
    """Sign a request and have it answered."""

    def run(method: str, target: str, **arguments: Any) -> http.Response:
        return application.door.run(signing.signed(method, target, now=clock.now(), **arguments))

    return run
