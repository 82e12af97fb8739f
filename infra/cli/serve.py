"""`mns serve`: the local server."""

import argparse
import contextlib
import dataclasses
import socket
import sys
import time
from typing import TYPE_CHECKING

import chalicelib
from infra.local import config

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from infra.local import runtime


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "serve",
        help="serve the MNS API on this machine",
        description=(
            "Serve the MNS API on this machine. Each flag can also be set by the environment variable OPENMNS_<FLAG> or"
            f" in the file {config.FILE}; flags win."
        ),
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0: any that is free (8000)")
    parser.add_argument("--region", help="region of requests whose host names none (cn-hangzhou)")
    parser.add_argument("--account", help=f"account id ({config.ACCOUNT_ID})")
    parser.add_argument("--access-key-id", help=f"its access key id ({config.ACCESS_KEY_ID})")
    parser.add_argument("--access-key-secret", help=f"its access key secret ({config.ACCESS_KEY_SECRET})")
    parser.add_argument("--data", metavar="DIR", help=f"keep the state in this folder ({config.DATA})")
    parser.add_argument("--memory", action="store_true", default=None, help="keep the state in memory only")
    parser.add_argument("--engine", choices=config.ENGINES, help=f"what keeps the state ({config.ENGINES[0]})")
    parser.add_argument(
        "--durability",
        choices=config.DURABILITIES,
        help="normal: what was answered survives the end of the process; full: the end of power, too (normal)",
    )
    parser.add_argument(
        "--s3-port", type=int, metavar="PORT", help="serve an object store there, for event rules; 0: any that is free"
    )
    parser.add_argument(
        "--workers", type=int, help="processes that serve the same folder (2, or 1 with one core, a rate, or no folder)"
    )
    parser.add_argument("--config", metavar="FILE", help=f"configuration file ({config.FILE}, if it is there)")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Serve until told to stop."""
    started = time.monotonic()
    told = config.load({name: value for name, value in vars(chosen).items() if name != "run"})
    # Imported here, so that a wrong flag is answered at once.
    try:
        from infra.local import runners, runtime, server  # noqa: PLC0415
    except ValueError as error:  # a variable of `chalicelib.settings`
        raise config.ConfigError(str(error)) from error

    with _listen(told.host, told.port, "--port") as listener:
        workers = told.workers or config.usual_workers(told)
        told = dataclasses.replace(told, port=listener.getsockname()[1], workers=workers)
        runner = runners.OnLoop()
        running = runtime.start(told, run=runners.ThreadRunner if told.engine == "moto" else runner)
        try:
            with contextlib.ExitStack() as held:
                s3 = None if told.s3_port is None else _serve_objects(told.host, told.s3_port, held)
                endpoint = f"http://{_name(told.host)}:{listener.getsockname()[1]}"
                _greet(told, running, endpoint, time.monotonic() - started, s3)
                server.serve(running, told, listener, runner)
        finally:
            running.stop()
    return 0


def _listen(host: str, port: int, flag: str) -> socket.socket:
    from infra.local import server  # noqa: PLC0415  # see `run`

    try:
        return server.listen(host, port)
    except OSError as error:
        raise config.ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror or error};"
            f" choose another address with --host or another port with {flag}"
        ) from error


def _serve_objects(host: str, port: int, held: contextlib.ExitStack) -> str:
    """Serve an object store for as long as `held` is; its address."""
    listener = held.enter_context(_listen(host, port, "--s3-port"))
    try:
        from infra.local import objects  # noqa: PLC0415  # moto takes a second
    except ImportError as error:
        raise config.ConfigError(f"the object store needs a package that is not installed: {error.name}") from error

    held.enter_context(contextlib.closing(objects.ObjectStore(listener)))
    return f"http://{_name(host)}:{listener.getsockname()[1]}"


def _name(host: str) -> str:
    """A host as it stands in a URL a client on this machine can use."""
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104  # compared, not bound
    return named or (f"[{host}]" if ":" in host else host)


def _greet(told: config.LocalConfig, running: "runtime.Runtime", endpoint: str, seconds: float, s3: str | None) -> None:
    key = told.keys[0]
    kept = f"kept in {told.data}" if told.data else "kept in memory only"
    secret = key.secret if key.secret == config.ACCESS_KEY_SECRET else "(as configured)"
    others = f"\n  and              {len(told.keys) - 1} more account keys of {told.source}" if told.keys[1:] else ""
    objects = f"\n  S3 endpoint      {s3}" if s3 else ""
    queues = f"\n  queues           {', '.join(entry.name for entry in told.queues)}" if told.queues else ""
    sys.stdout.write(
        f"OpenMNS {chalicelib.__version__} is ready after {seconds:.1f} s: engine {told.engine}, {kept}\n\n"
        f"  endpoint         {endpoint}\n"
        f"  account          {key.account_id}, region {running.application.settings.region}\n"
        f"  AccessKeyId      {key.access_key_id}\n"
        f"  AccessKeySecret  {secret}{others}{queues}{objects}\n\n"
        f"Try:  curl {endpoint}/health\n"
        f"Stop: Ctrl-C\n"
    )
    sys.stdout.flush()
