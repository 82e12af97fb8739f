"""What only the Python client has: lists with attributes, bodies as they are, request ids, and its `mnscmd`."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import live
from tests.sdk import clients
from tests.sdk.clients import Draft

if not os.environ.get("CI"):
    pytest.importorskip("mns")

_COMMAND_SECONDS = 20


@pytest.fixture
def plain(server: live.Server) -> Iterator[clients.PythonClient]:
    """A client that sends bodies as they are."""
    made = clients.PythonClient(server.endpoint, live.OWNER, encoding=False)
    yield made
    made.close()


def test_a_listing_with_meta_has_all_attributes_of_each_queue_beside_its_url(plain, server, name):
    plain.create_queue(f"{name}-a", VisibilityTimeout=60)
    plain.create_queue(f"{name}-b", LoggingEnabled=True)
    plain.send_batch(f"{name}-b", [Draft(body="1"), Draft(body="2"), Draft(body="3", delay=60)])
    plain.receive(f"{name}-b")
    listed = plain.list_queues_with_meta(name)
    common = {
        "DelaySeconds": "0",
        "MaximumMessageSize": "65536",
        "MessageRetentionPeriod": "345600",
        "PollingWaitSeconds": "0",
    }
    assert [
        {attribute: value for attribute, value in entry.items() if not attribute.endswith("Time")} for entry in listed
    ] == [
        common
        | {
            "QueueURL": f"{server.endpoint}/queues/{name}-a",
            "QueueName": f"{name}-a",
            "VisibilityTimeout": "60",
            "LoggingEnabled": "False",
            "ActiveMessages": "0",
            "InactiveMessages": "0",
            "DelayMessages": "0",
        },
        common
        | {
            "QueueURL": f"{server.endpoint}/queues/{name}-b",
            "QueueName": f"{name}-b",
            "VisibilityTimeout": "30",
            "LoggingEnabled": "True",
            "ActiveMessages": "1",
            "InactiveMessages": "1",
            "DelayMessages": "1",
        },
    ]
    assert all({"CreateTime", "LastModifyTime"} <= set(entry) for entry in listed)


@pytest.mark.parametrize("body", ["订单 №7 🚀 <b>&amp;</b> ]]>", "  blanks, a tab\t, lines\n\n and the end \n", " "])
def test_a_body_without_base64_comes_back_as_it_was_sent(plain, name, body):
    plain.create_queue(name)
    sent = plain.send(name, Draft(body=body))
    got = plain.receive(name)
    assert (got.body, got.body_md5, sent.body_md5) == (body, live.body_md5(body), live.body_md5(body))


def test_a_request_id_of_the_user_is_part_of_what_is_signed_and_the_answer_has_one_of_the_server(server, name):
    from mns import account, mns_request  # noqa: PLC0415

    user = account.Account(server.endpoint, live.OWNER.access_key_id, live.OWNER.secret)
    request = mns_request.CreateQueueRequest(name)
    request.request_id = "0f8fad5b-d9cb-469f-a165-70867728950e"
    response = mns_request.CreateQueueResponse()
    user.get_client().create_queue(request, response)
    user.get_client().close_connection()
    request_id = response.get_requestid()  # looked up by its exact name
    assert len(request_id) == 24
    assert set(request_id) <= set("0123456789ABCDEF")


# --- mnscmd ----------------------------------------------------------------------------------------------------------

Command = Callable[..., Mapping[str, str]]


@pytest.fixture
def mnscmd(server: live.Server, tmp_path: Path) -> Command:
    """Runs `mnscmd` at a home of its own, configured as a user would do it; answers what it printed, by line."""
    script = Path(sys.executable).with_name("mnscmd")
    if not script.exists():
        pytest.fail("the Python client is there, but not its mnscmd")

    def run(*arguments: str) -> Mapping[str, str]:
        done = subprocess.run(  # noqa: S603  # the client's own command
            [sys.executable, "-W", "ignore::DeprecationWarning", str(script), *arguments],
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=False,
            encoding="utf-8",
        )
        assert (done.returncode, done.stderr) == (0, "")
        lines = [line.partition(":") for line in done.stdout.splitlines()]
        return {name.strip(): value.strip() for name, _, value in lines}

    configured = run(
        "config",
        f"--mnsendpoint={server.endpoint}",
        f"--accesskeyid={live.OWNER.access_key_id}",
        f"--accesskeysecret={live.OWNER.secret}",
    )
    assert list(configured) == [f"Your configuration is saved into {tmp_path}/.mnscredentials ."]
    return run


def test_mnscmd_takes_a_message_through_its_life(mnscmd, server, name):
    created = mnscmd("createqueue", f"--queuename={name}", "--vistimeout=60")
    assert created["QueueURL"] == f"{server.endpoint}/queues/{name}"
    assert created["createqueue succeed!"] == ""
    attributes = mnscmd("getqueueattr", f"--queuename={name}")
    assert (attributes["QueueName"], attributes["VisibilityTimeout"]) == (name, "60")

    sent = mnscmd("sendmessage", f"--queuename={name}", "--body=from the shell", "--priority=3")
    received = mnscmd("receivemessage", f"--queuename={name}", "--waitsec=5", "--string=true")
    assert (received["MessageBody"], received["MessageID"], received["Priority"], received["DequeueCount"]) == (
        "from the shell",
        sent["MessageID"],
        "3",
        "1",
    )
    changed = mnscmd(
        "changevisibility", f"--queuename={name}", f"--handle={received['ReceiptHandle']}", "--vistimeout=600"
    )
    assert int(changed["NextVisibleTime"]) > int(received["NextVisibleTime"])
    assert "deletemessage succeed!" in mnscmd(
        "deletemessage", f"--queuename={name}", f"--handle={changed['ReceiptHandle']}"
    )


def test_mnscmd_shows_an_error_of_the_server_by_its_code(mnscmd, name):
    mnscmd("createqueue", f"--queuename={name}")
    shown = mnscmd("peekmessage", f"--queuename={name}")
    assert "peekmessage fail!" in shown
    assert '"MessageNotExist" "Message not exist."' in shown["Exception"]
    mnscmd("deletequeue", f"--queuename={name}")
    listed = mnscmd("listqueue", f"--prefix={name}")
    assert "Queue not exist in this account." in listed


def test_mnscmd_reads_and_writes_the_attributes_of_the_account(mnscmd):
    mnscmd("setaccountattr", "--loggingbucket=from-the-shell")
    assert mnscmd("getaccountattr")["LoggingBucket"] == "from-the-shell"
