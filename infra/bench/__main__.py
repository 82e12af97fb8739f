"""`python -m infra.bench`."""

import sys

from infra.bench import cli

if __name__ == "__main__":
    sys.exit(cli.main())
