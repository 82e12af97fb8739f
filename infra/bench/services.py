"""moto's services in a process of its own, until its standard input ends: `python -m infra.bench.services`.

Within one process moto's services share their state with every `mock_aws`, whose first start forgets all keys.
"""

import sys

from moto.server import ThreadedMotoServer


def main() -> None:
    """Serve, and say where."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201  # for whoever started it
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
