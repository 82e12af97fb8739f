"""What `chalice local --stage local` runs on: the application with its engine and driver inside the same process."""

import dataclasses

from chalicelib import bootstrap, settings
from infra.local import config, runtime

_running: list[runtime.Runtime] = []  # to the end of the process, and with it the lock on the data folder


def application(decided: settings.Settings) -> bootstrap.Application:
    """The application of this process; `.chalice/config.json` names this function."""
    told = dataclasses.replace(config.load({}), workers=1)
    _running.append(runtime.start(told, dataclasses.replace(decided, region=told.region)))
    return _running[-1].application
