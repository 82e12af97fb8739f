"""How quickly a function starts and answers, in CPU time; `python -m infra.bench.cold` says it in full."""

import pytest

from infra.bench import cold, lambdas


@pytest.fixture(scope="module")
def bench(package, tmp_path_factory: pytest.TempPathFactory):
    with lambdas.engine_server() as url, lambdas.kms_server() as kms:
        yield cold.Bench(tmp_path_factory.mktemp("cold"), package, url, kms)


@pytest.mark.parametrize("handler", cold.HANDLERS.values())
def test_a_start_to_the_first_answer_takes_less_than_600_ms(bench, handler):
    assert min(bench.start(handler).cpu for _ in range(2)) < cold.LONGEST_START


@pytest.mark.parametrize("handler", cold.HANDLERS.values())
def test_a_warm_send_takes_less_than_3_ms_beside_its_storage_calls(bench, handler):
    assert bench.warm(handler, 100).beside_cpu < cold.LONGEST_CALL
