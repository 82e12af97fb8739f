"""The `mns` command: finds the subcommand and runs it."""

import argparse
import sys

import chalicelib
from infra.cli import account, aws, migrate, serve
from infra.local import config


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="mns", description="OpenMNS: an open server for the Alibaba Cloud MNS API.")
    parser.add_argument("--version", action="version", version=f"OpenMNS {chalicelib.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve.register(commands)
    account.register(commands)
    aws.register(commands)
    migrate.register(commands)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except config.ConfigError as error:
        print(f"mns: {error}", file=sys.stderr)  # noqa: T201  # a command line talks
        return 2
