"""Many function processes at once, behind all fronts, on the same queue."""

import collections
import time
from concurrent import futures

MESSAGES = 160
SECONDS = 60


def test_consumers_in_several_processes_share_a_queue_without_loss_or_double(servers, name):
    fronts = list(servers.values())
    path = f"/queues/{name}"
    assert fronts[0].ask("PUT", path, body="<Queue/>").status == 201
    taken: list[tuple[int, str]] = []  # by whom, what

    def send(number: int) -> int:
        entries = "".join(
            f"<Message><MessageBody>{number}-{each}</MessageBody></Message>" for each in range(MESSAGES // 16)
        )
        return fronts[number % 3].ask("POST", f"{path}/messages", body=f"<Messages>{entries}</Messages>").status

    def consume(number: int) -> None:
        """Receive and delete, until all have been taken."""
        deadline = time.monotonic() + SECONDS
        with fronts[number % 3].connect() as connection:
            while len(taken) < MESSAGES and time.monotonic() < deadline:
                reply = connection.ask("GET", f"{path}/messages?numOfMessages=4&waitseconds=1")
                for entry in reply.entries if reply.status == 200 else ():
                    deleted = connection.ask("DELETE", f"{path}/messages?ReceiptHandle={entry['ReceiptHandle']}")
                    assert deleted.status == 204
                    taken.append((number, entry["MessageBody"]))

    with futures.ThreadPoolExecutor(12) as pool:
        consumers = [pool.submit(consume, number) for number in range(6)]
        assert list(pool.map(send, range(16))) == [201] * 16
        for consumer in consumers:
            consumer.result()
    counted = collections.Counter(body for _, body in taken)
    assert (len(counted), set(counted.values())) == (MESSAGES, {1})
    assert len({number for number, _ in taken}) > 1
