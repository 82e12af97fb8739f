"""One package of each door for the whole session: making one takes a second or two."""

import functools
from collections.abc import Callable

import pytest

from infra.aws import package
from infra.aws.template import Door

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def packaged(tmp_path_factory) -> Callable[..., package.Package]:
    @functools.cache
    def make(stage: str = "dev", door: Door = Door.REST) -> package.Package:
        return package.make(stage, door, region=REGION, into=tmp_path_factory.mktemp("build") / stage)

    return make
