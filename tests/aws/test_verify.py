"""`mns aws verify` against a live local server: what works is found to work, and what does not is named."""

import json
import socket
import subprocess

import pytest

from infra.aws import verify
from tests import live

_SECONDS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live.serving(tmp_path_factory.mktemp("verified"), "--port", "0", "--memory") as running:
        yield running


def target(url: str, **changes) -> verify.Target:
    given = {"url": url, "access_key_id": "openmns", "secret": "openmns-secret", "patience": 20, "quick": True}
    return verify.Target(**given | changes)


def command(url: str, *more: str, secret: str = live.OWNER.secret) -> tuple[int, str]:
    keys = ("--access-key-id", "openmns", "--access-key-secret", secret)
    run = [live.mns_command(), "aws", "verify", url, *keys, "--quick", "--patience", "20", *more]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603  # ours
    return done.returncode, done.stdout + done.stderr


def test_a_deployment_that_works_passes_every_step(server):
    status, said = command(server.endpoint, "--json")
    found = json.loads(said)
    assert (status, found["ok"]) == (0, True)
    outcomes = {step["name"]: step["outcome"] for step in found["steps"]}
    assert [name for name, outcome in outcomes.items() if outcome != "ok"] == ["topic: retries, dead letter"]
    push = next(step for step in found["steps"] if step["name"] == "topic: push to a web server")
    assert push["detail"].endswith(f"signed by {server.endpoint}/x509_public_certificate.pem")
    assert server.ask("GET", "/queues").entries == []


def test_the_table_names_what_fails_and_the_status_says_so(server):
    status, said = command(server.endpoint, secret="another")
    assert status == 1
    assert "failed" in said
    assert "GET /queues is answered by 403" in said
    assert "SignatureDoesNotMatch" in said


def test_where_nobody_answers_nothing_else_is_tried():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        [step] = verify.run(target(f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert (step.name, step.outcome) == ("it answers", "failed")
    assert "Connection refused" in step.detail


def test_what_is_no_url_is_refused():
    assert command("ftp://somewhere") == (2, "mns: ftp://somewhere is no URL of an endpoint\n")


def test_what_a_deployment_cannot_reach_is_not_pushed_to():
    session = verify._Session(target=target("https://mns.example.test"), client=None)
    with pytest.raises(verify._Skipped, match="--receiver"):
        session.push()


def test_the_python_sdk_takes_no_path_in_an_endpoint():
    session = verify._Session(target=target("https://mns.example.test/api"), client=None)
    with pytest.raises(verify._Skipped, match="own domain"):
        session.sdk()
