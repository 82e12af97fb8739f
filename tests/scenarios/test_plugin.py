"""The plugin as a user's tests use it: a private server, the official SDK, and time at hand."""

import json
import time
import urllib.error
import urllib.request
from concurrent import futures

import pytest
from mns.mns_exception import MNSServerException
from mns.queue import Message, QueueMeta

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated function:DeprecationWarning")


def make_queue(openmns, **attributes):
    made = openmns.account().get_queue("orders")
    meta = QueueMeta()
    for name, value in attributes.items():
        setattr(meta, name, value)
    made.create(meta)
    return made


def counts(queue) -> tuple[int, int, int]:
    found = queue.get_attributes()
    return found.active_messages, found.inactive_messages, found.delay_messages


def clock(openmns, method: str, body: bytes | None = None, content_type: str = "application/json") -> tuple[int, dict]:
    request = urllib.request.Request(
        f"{openmns.endpoint}/_local/clock", method=method, data=body, headers={"Content-Type": content_type}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_delay_of_seven_days_is_over_when_the_test_says_so(openmns):
    queue = make_queue(openmns, message_retention_period=604_800)
    late = Message("late")
    late.set_delayseconds(604_799)
    queue.send_message(late)
    openmns.advance(604_798)
    assert counts(queue) == (0, 0, 1)
    openmns.advance(1)
    assert counts(queue) == (1, 0, 0)
    assert queue.receive_message(0).message_body == b"late"


def test_everything_due_happens_in_its_order_when_time_moves(openmns):
    queue = make_queue(openmns)
    openmns.freeze()
    for name, delay in (("third", 3_000), ("first", 1_000), ("second", 2_000)):
        draft = Message(name)
        draft.set_delayseconds(delay)
        queue.send_message(draft)
    openmns.advance(86_400)
    received = queue.batch_receive_message(16, 0)
    assert [message.message_body for message in received] == [b"first", b"second", b"third"]


def test_a_parked_poll_sees_what_comes_due_and_ends_when_its_time_has_passed(openmns):
    queue = make_queue(openmns, visibility_timeout=3_600)
    queue.send_message(Message("once"))
    queue.receive_message(0)
    with futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make_queue(openmns, visibility_timeout=3_600).receive_message, 30)
        wait_until_parked(openmns)
        openmns.advance(3_600)
        assert waiting.result(10).dequeue_count == 2
        ended = pool.submit(make_queue(openmns, visibility_timeout=3_600).receive_message, 30)
        wait_until_parked(openmns)
        openmns.advance(31)
        with pytest.raises(MNSServerException, match="MessageNotExist"):
            ended.result(10)


def wait_until_parked(openmns) -> None:
    """The poll was sent before this round trip began, on a connection of its own; it is parked soon after."""
    for _ in range(5):
        openmns.now()
        time.sleep(0.02)


def test_a_message_is_gone_when_its_retention_is_over_and_so_is_its_count(openmns):
    queue = make_queue(openmns, message_retention_period=60)
    for name in ("kept", "held"):
        queue.send_message(Message(name))
    queue.receive_message(0)
    openmns.advance(61)
    assert counts(queue) == (0, 0, 0)
    with pytest.raises(MNSServerException, match="MessageNotExist"):
        queue.receive_message(0)


def test_a_frozen_clock_stands_still_and_goes_forward_only(openmns):
    openmns.freeze()
    now = openmns.now()
    assert openmns.now() == now
    openmns.advance(0.5)
    assert openmns.now() == now + 500
    assert clock(openmns, "PUT", json.dumps({"now": now}).encode())[0] == 400
    status, shown = clock(openmns, "PUT", b'{"now": "2099-01-01T00:00:00Z"}')
    assert (status, shown) == (200, {"now": 4_070_908_800_000, "iso": "2099-01-01T00:00:00.000+00:00", "frozen": True})


@pytest.mark.parametrize(
    ("method", "body", "content_type", "status"),
    [
        ("POST", b'{"advance": 1}', "text/plain", 415),
        ("POST", b"{", "application/json", 400),
        ("POST", b'{"advance": -1}', "application/json", 400),
        ("POST", b'{"advance": true}', "application/json", 400),
        ("POST", b'{"advance": NaN}', "application/json", 400),
        ("POST", b'{"go": 1}', "application/json", 400),
        ("PUT", b'{"now": "soon"}', "application/json", 400),
        ("PUT", b'{"now": 99999999999999999999}', "application/json", 400),
        ("PUT", b'{"frozen": 1}', "application/json", 400),
        ("PUT", b"[]", "application/json", 400),
        ("DELETE", b"", "application/json", 405),
    ],
)
def test_what_the_clock_does_not_understand_changes_nothing(openmns_session, method, body, content_type, status):
    before = openmns_session.now()
    answered, document = clock(openmns_session, method, body, content_type)
    assert (answered, list(document)) == (status, ["error"])
    assert 0 <= openmns_session.now() - before < 60_000


def test_what_is_no_helper_is_said_in_json(openmns_session):
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{openmns_session.endpoint}/_local/nothing")
    with raised.value as error:
        assert (error.code, error.headers["Content-Type"]) == (404, "application/json")


@pytest.fixture
def set_up_otherwise(monkeypatch, tmp_path):
    """A user's folder and environment that would make another server of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMNS_DATA", "kept")
    monkeypatch.setenv("OPENMNS_ACCESS_KEY_ID", "mine")
    (tmp_path / "openmns.toml").write_text('region = "cn-beijing"\n[[queues]]\nname = "orders"\ndelay_seconds = 9\n')


def test_a_private_server_is_the_same_whatever_the_folder_and_the_environment_say(set_up_otherwise, openmns):
    make_queue(openmns).send_message(Message("x"))
    assert counts(openmns.account().get_queue("orders")) == (1, 0, 0)
