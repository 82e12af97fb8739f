"""The composition of a local server's parts: engine, application, parking lot, driver."""

from dataclasses import dataclass

from chalicelib import bootstrap, clock, settings
from chalicelib.model import account, errors, limits
from infra.local import config, driver, engine, parking
from infra.local.moto_engine import MotoEngine


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A running OpenMNS without an HTTP server."""

    application: bootstrap.Application
    driver: driver.Driver
    lot: parking.ParkingLot
    engine: engine.LocalEngine

    def stop(self) -> None:
        """Let nobody wait any more, finish what is in hand, let go of the engine."""
        self.lot.close()
        self.driver.stop()
        self.engine.close()


def start(told: config.LocalConfig, base: settings.Settings | None = None) -> Runtime:
    """Make everything, with the accounts and queues that the configuration declares."""
    system = clock.SystemClock()
    lot = parking.ParkingLot()
    made: engine.LocalEngine = MotoEngine(now=system.now)
    decided = base or settings.Settings(
        region=told.region, longest_wait=limits.WAIT_SECONDS.high, explain_signatures=True
    )
    engine.make_tables(made, decided.table_prefix)
    application = bootstrap.build(decided, engine=made, clock=system, waiter=parking.ParkedWaiter(lot, system))
    bootstrap.install(application)
    _declare(application, told)
    runner = driver.Driver(engine=made, prefix=decided.table_prefix, clock=system, lot=lot)
    runner.start()
    return Runtime(application=application, driver=runner, lot=lot, engine=made)


def _declare(application: bootstrap.Application, told: config.LocalConfig) -> None:
    for key in told.keys:
        application.verbs.identities.add_key(key)
    for entry in told.queues:
        namespace = account.Namespace(account_id=entry.account_id, region=told.region)
        try:
            application.verbs.queues.create(namespace, entry.name, entry.change)
        except errors.QueueAlreadyExist as error:
            raise config.ConfigError(f"the queue {entry.name} of {told.source} exists with other attributes") from error
