"""`python -m infra.cli`: the same as `mns`."""

import sys

from infra.cli.main import main

sys.exit(main())
