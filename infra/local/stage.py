"""What `chalice local --stage local` runs on: the application with its engine and driver inside the same process."""

from chalicelib import bootstrap, settings
from infra.local import config, runtime


def application(decided: settings.Settings) -> bootstrap.Application:
    """The application of this process; `.chalice/config.json` names this function as the engine."""
    return runtime.start(config.load({}), decided).application
