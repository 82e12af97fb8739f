"""The command line, the results and the report, without any server."""

import argparse
from pathlib import Path

import pytest

from infra.bench import cli, report, results

MEASURED = {"rate": 1000.0, "p50_ms": 1.0, "p99_ms": 2.0, "server_cpu": 0.9, "generator_cpu": 0.2, "failures": 0.0}


@pytest.fixture
def found() -> results.Results:
    """Two subjects, three repetitions of one case, and a peer that was skipped."""
    made = results.Results(options={"repetitions": 3, "seconds": 5.0}, subjects={"openmns": "ours", "moto": "theirs"})
    for repetition, rate in enumerate((3000.0, 5000.0, 4000.0)):
        made.add("send-8", "openmns", repetition, MEASURED | {"rate": rate})
        made.add("send-8", "moto", repetition, MEASURED | {"rate": 80.0})
    made.skip("postgresql", "not installed")
    made.skip("postgresql", "not installed")
    return made


def test_a_ratio_is_of_medians_and_is_held_against_its_target(found):
    lines = report.text(found).splitlines()
    [target] = [line for line in lines if "40x" in line]
    assert target.replace(" ", "") == "|sendonebyone,8connections|moto|40x|50.00x|yes|"


def test_what_was_skipped_is_told_once_with_its_reason(found):
    assert report.text(found).count("not installed") == 1


def test_results_travel_as_json(found):
    assert results.Results.from_json(found.to_json()) == found


def test_what_was_written_by_hand_is_kept(found, tmp_path):
    path = tmp_path / "docs" / "performance.md"
    report.write(found, path)
    path.write_text(path.read_text() + "\nThe disk limits it.\n")
    once = path.read_text()
    report.write(found, path)
    assert path.read_text() == once
    assert once.endswith("\nThe disk limits it.\n")


def test_options_given_win_over_quick():
    told = cli.parser().parse_args(["--quick", "--repetitions", "5", "--peers", "moto", "--variants", "full"])
    planned = cli.plan(told, Path("folder"))
    assert (planned.repetitions, planned.seconds, planned.names) == (
        5,
        1.0,
        ("openmns", "openmns-full", "floor", "moto"),
    )


def test_a_million_is_an_option():
    planned = cli.plan(cli.parser().parse_args(["--million"]), Path("folder"))
    assert (planned.backlogs, planned.existing) == ((1_000, 10_000, 100_000, 1_000_000), 1_000_000)


@pytest.mark.parametrize("told", [["--peers", "kafka"], ["--seconds", "0"], ["--only", "nothing"]])
def test_an_option_that_cannot_be_is_refused(told, capsys):
    with pytest.raises((SystemExit, argparse.ArgumentTypeError)):
        cli.parser().parse_args(told)
    assert "error" in capsys.readouterr().err


def test_a_fifo_queue_is_held_against_an_ordinary_one(found):
    for kind, rate in (("normal", 1_000.0), ("fifo", 600.0)):
        for phase in ("send", "receive", "pipeline"):
            found.add(f"fifo-{phase}-{kind}", "openmns", 0, MEASURED | {"rate": rate})
    found.add("order", "openmns", 0, dict.fromkeys(("kills", "sent", "groups", "received", "deleted"), 7.0))
    lines = [line.replace(" ", "") for line in report.text(found).splitlines()]
    assert "|FIFOqueue:send,8connections|ordinaryqueue|0.5x|0.60x|yes|" in lines
    assert "|pipeline,8producers+8consumers|1,000|600|0.60x|" in lines
    assert "|messagegroups|7|" in lines
