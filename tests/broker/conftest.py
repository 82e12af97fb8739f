"""One process on tables in memory."""

import pytest

from tests.broker import fakes


@pytest.fixture
def process():
    return fakes.Process()


@pytest.fixture
def clock(process):
    return process.clock


@pytest.fixture
def tables(process):
    return process.tables
