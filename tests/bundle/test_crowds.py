"""Many function processes at once, behind all fronts, on the same queue."""

import collections
from concurrent import futures

from tests import live

MESSAGES = 160


def test_consumers_in_several_processes_share_a_queue_without_loss_or_double(servers, name):
    fronts = list(servers.values())
    path = f"/queues/{name}"
    assert fronts[0].ask("PUT", path, body="<Queue/>").status == 201

    def send(number: int) -> int:
        entries = "".join(
            f"<Message><MessageBody>{number}-{each}</MessageBody></Message>" for each in range(MESSAGES // 16)
        )
        return fronts[number % 3].ask("POST", f"{path}/messages", body=f"<Messages>{entries}</Messages>").status

    def consume(number: int) -> list[str]:
        """Receive and delete, until there is nothing for a while."""
        bodies = []
        with fronts[number % 3].connect() as connection:
            while (reply := connection.ask("GET", f"{path}/messages?numOfMessages=4&waitseconds=1")).status == 200:
                for entry in reply.entries:
                    handle = entry["ReceiptHandle"]
                    deleted = connection.ask("DELETE", f"{path}/messages?ReceiptHandle={handle}")
                    assert deleted.status == 204
                    bodies.append(entry["MessageBody"])
        return bodies

    with futures.ThreadPoolExecutor(12) as pool:
        consumers = [pool.submit(consume, number) for number in range(6)]
        assert list(pool.map(send, range(16))) == [201] * 16
        taken = [consumer.result(live._ANSWER_SECONDS) for consumer in consumers]
    counted = collections.Counter(body for bodies in taken for body in bodies)
    assert (len(counted), set(counted.values())) == (MESSAGES, {1})
    assert sum(1 for bodies in taken if bodies) > 1
