"""What a local server is told: flags win over the environment, the environment over `openmns.toml`, that over defaults.

This is the only reader of the environment outside `chalicelib/settings.py`.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib import settings
from chalicelib.model import account, errors, object_event, queue, throttle

FILE = "openmns.toml"
ACCOUNT_ID = "1234567890123456"
ACCESS_KEY_ID = "openmns"
ACCESS_KEY_SECRET = settings.LOCAL_SECRET
LOOPBACK = "127.0.0.0/8,::1/128"
_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
ENGINES = ("embedded", "moto")  # the first is the default
DURABILITIES = ("normal", "full")
DATA = ".openmns"  # the folder that keeps the state of the embedded engine unless told otherwise
MOST_WORKERS = 64
_WORKERS = 2  # docs/adr/0009-worker-processes.md
_HIGHEST_PORT = 65_535


class ConfigError(Exception):
    """A setting that cannot be; the message says which, where and what would do."""


@dataclass(frozen=True, kw_only=True)
class QueueAtStart:
    """A queue to create at start, if it is not there."""

    name: str
    account_id: str
    change: queue.QueueChange


@dataclass(frozen=True, kw_only=True)
class LocalConfig:
    """How a local server runs."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free
    region: str = "cn-hangzhou"
    data: Path | None = None  # the folder that keeps the state; None: memory
    engine: str = ENGINES[0]
    durability: str = DURABILITIES[0]
    workers: int = 0  # processes that serve; more than one need a folder; 0: as `usual_workers` says
    s3_port: int | None = None  # where an object store listens whose events go to event rules; 0: any; None: nowhere
    bucket_owners: str = ""  # bucket=account id, commas between; empty: all are the first account's
    account_rate: int = 0  # an account's calls on messages a second; 0: any number
    metadata_rate: int = 0  # its other calls a second; 0: any number
    public_url: str = ""  # where receivers of pushes reach the server; empty: host and port
    push_allow: str = LOOPBACK  # networks that pushes may reach though they are not public
    push_ca_file: str = ""  # certificates that pushes trust besides the machine's
    smtp_url: str = ""  # smtp://[user:password@]host[:port] or smtps://; empty: mails go to the outbox
    mail_sender: str = settings.Settings.mail_sender  # whom mails come from whose message names nobody
    signing_key: str = ""  # a file; empty: a key is made
    signing_certificate: str = ""  # the file with its certificate
    keys: tuple[account.AccessKey, ...] = ()
    queues: tuple[QueueAtStart, ...] = ()
    source: str = field(default="defaults", compare=False)  # the file read, for the banner

    @property
    def url(self) -> str:
        """Where clients on this machine, and receivers of pushes unless told otherwise, reach the server."""
        named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # compared, not bound
        return self.public_url or f"http://{f'[{named}]' if ':' in named else named}:{self.port}"


def variable(name: str) -> str:
    """An environment variable, for commands that are clients; empty if it is not set."""
    return os.environ.get(name, "")


def load(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> LocalConfig:
    """The configuration from all sources; a flag that was not given is None.

    Raises:
        ConfigError: a value cannot be, a name is not known, or the file named does not exist.
    """
    found = os.environ if environment is None else environment
    path = Path(flags.get("config") or found.get("OPENMNS_CONFIG") or FILE)
    named = bool(flags.get("config") or found.get("OPENMNS_CONFIG"))
    document = _read_file(path, must_exist=named)
    given = {name: value for name, value in flags.items() if value is not None and name != "config"}
    values: dict[str, Any] = {}
    for layer in (document, _from_environment(found), given):  # a later one wins, over what it excludes, too
        if layer.get("memory") or layer.get("engine") == "moto":
            values.pop("data", None)
        if layer.get("data"):
            values.pop("memory", None)
        values |= layer
    return _build(values, str(path) if document else "defaults")


def without_settings() -> dict[str, str]:
    """This process's environment without what would set up a server; for servers that must be the same everywhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENMNS_")}


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if must_exist:
            raise ConfigError(f"there is no file {path}") from error
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


# Texts that are taken as they are.
_PUSHES = (
    "public_url",
    "push_allow",
    "push_ca_file",
    "smtp_url",
    "mail_sender",
    "signing_key",
    "signing_certificate",
)
_SCALARS: dict[str, type] = {
    "host": str,
    "port": int,
    "region": str,
    "data": str,
    "memory": bool,
    "engine": str,
    "durability": str,
    "workers": int,
    "s3_port": int,
    "bucket_owners": str,
    "account_rate": int,
    "metadata_rate": int,
    "account": str,
    "access_key_id": str,
    "access_key_secret": str,
    **dict.fromkeys(_PUSHES, str),
}


_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_LISTS = ("accounts", "queues")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in _SCALARS.items():
        variable = f"OPENMNS_{name.upper()}"
        text = environment.get(variable)
        if text:
            try:
                values[name] = _TRUTHS[text.lower()] if kind is bool else kind(text)
            except KeyError as error:
                raise ConfigError(f"{variable} should be one of {', '.join(_TRUTHS)}, not {text!r}") from error
            except ValueError as error:
                raise ConfigError(f"{variable} should be of type {kind.__name__}, not {text!r}") from error
    return values


def _check_kinds(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in _SCALARS and not (
            isinstance(value, _SCALARS[name]) and (_SCALARS[name] is bool or not isinstance(value, bool))
        ):
            raise ConfigError(f"{name} should be of type {_SCALARS[name].__name__}, not {value!r}")
        if name not in _SCALARS and name not in _LISTS:
            known = ", ".join([*_SCALARS, *_LISTS])
            raise ConfigError(f"{name} is not a setting; the settings are: {known}")
    for name in _LISTS:
        entries = values.get(name, [])
        if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
            raise ConfigError(f"{name} should be a list of tables, each begun by [[{name}]]")


def _build(values: dict[str, Any], source: str) -> LocalConfig:
    _check_kinds(values)
    engine = values.get("engine", ENGINES[0])
    if engine not in ENGINES:
        raise ConfigError(f"engine should be one of {', '.join(ENGINES)}, not {engine!r}")
    durability = values.get("durability", DURABILITIES[0])
    if durability not in DURABILITIES:
        raise ConfigError(f"durability should be one of {', '.join(DURABILITIES)}, not {durability!r}")
    if values.get("data") and values.get("memory"):
        raise ConfigError("data and memory exclude each other: give the one or the other")
    if values.get("data") and engine == "moto":
        raise ConfigError("the moto engine keeps its state in memory only: leave out data")
    port, s3_port = values.get("port", LocalConfig.port), values.get("s3_port")
    for name, number in (("port", port), ("s3_port", s3_port)):
        if number is not None and not 0 <= number <= _HIGHEST_PORT:
            raise ConfigError(f"{name} should be 0 to {_HIGHEST_PORT}, not {number}")
    keys = _keys(values)
    data = None if engine == "moto" or values.get("memory") else Path(values.get("data") or DATA)
    host = values.get("host", LocalConfig.host)
    if host not in _LOOPBACK_HOSTS:  # others can subscribe: not to what this machine serves to itself alone
        values = {"push_allow": "", **values}
    return LocalConfig(
        host=host,
        port=port,
        region=values.get("region", LocalConfig.region),
        data=data,
        engine=engine,
        durability=durability,
        workers=_workers(values.get("workers"), data),
        s3_port=s3_port,
        bucket_owners=_owners(values),
        account_rate=_rate("account_rate", values),
        metadata_rate=_rate("metadata_rate", values),
        keys=keys,
        queues=tuple(_queue(entry, keys) for entry in values.get("queues", [])),
        source=source,
        **{name: values[name] for name in _PUSHES if name in values},
    )


def _owners(values: Mapping[str, Any]) -> str:
    told: str = values.get("bucket_owners", "")
    try:
        object_event.read_owners(told, "")
    except ValueError as error:
        raise ConfigError(f"bucket_owners: {error}") from error
    return told


def _rate(name: str, values: Mapping[str, Any]) -> int:
    try:
        return throttle.check_rate(name, values.get(name, 0))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def usual_workers(told: LocalConfig) -> int:
    """How many processes serve unless something else is told: two, where there are cores for them and a folder."""
    has_rate = told.account_rate or told.metadata_rate  # which each process would keep by itself
    has_room = told.data is not None and (os.cpu_count() or 1) >= _WORKERS
    return _WORKERS if has_room and not has_rate else 1


def _workers(told: int | None, data: Path | None) -> int:
    if told is None:
        return LocalConfig.workers
    if not 1 <= told <= MOST_WORKERS:
        raise ConfigError(f"workers should be 1 to {MOST_WORKERS}, not {told}")
    if data is None and told > 1:
        raise ConfigError("several workers share a file: leave out workers, or keep the state in a folder")
    return told


def _keys(values: Mapping[str, Any]) -> tuple[account.AccessKey, ...]:
    """The default account's key first, then those of `[[accounts]]`."""
    first = {
        "id": values.get("account", ACCOUNT_ID),
        "access_key_id": values.get("access_key_id", ACCESS_KEY_ID),
        "access_key_secret": values.get("access_key_secret", ACCESS_KEY_SECRET),
    }
    keys = tuple(_key(entry) for entry in [first, *values.get("accounts", [])])
    ids = [key.access_key_id for key in keys]
    if len(set(ids)) < len(ids):
        raise ConfigError(f"an access key id is given twice: {', '.join(ids)}")
    return keys


def _key(entry: Mapping[str, Any]) -> account.AccessKey:
    names = {"id", "access_key_id", "access_key_secret"}
    if set(entry) != names or not all(isinstance(value, str) and value for value in entry.values()):
        raise ConfigError(f"an account has the texts {', '.join(sorted(names))}, not {', '.join(sorted(entry))}")
    if not account.is_account_id(entry["id"]):
        raise ConfigError(f"an account id is made of digits, not {entry['id']!r}")
    if not set(entry["access_key_id"]).isdisjoint(": \t,/"):
        raise ConfigError(f"an access key id has no blanks, colons, commas or slashes, not {entry['access_key_id']!r}")
    return account.AccessKey(
        access_key_id=entry["access_key_id"], secret=entry["access_key_secret"], account_id=entry["id"]
    )


def _queue(entry: Mapping[str, Any], keys: tuple[account.AccessKey, ...]) -> QueueAtStart:
    fields = {name for name, value in vars(queue.QueueAttributes()).items() if isinstance(value, int)}  # no policies
    unknown = sorted(set(entry) - fields - {"name", "account"})
    if unknown or not isinstance(entry.get("name"), str):
        raise ConfigError(f"a queue has a name and may have account, {', '.join(sorted(fields))}; not {entry!r}")
    account_id = entry.get("account", keys[0].account_id)
    if account_id not in {key.account_id for key in keys}:
        raise ConfigError(f"the queue {entry['name']} is of the account {account_id!r}, which is not declared")
    change = {name: value for name, value in entry.items() if name in fields}
    for name, value in change.items():
        if isinstance(value, bool) != (name == "logging_enabled") or not isinstance(value, int):
            raise ConfigError(f"{name} of the queue {entry['name']} cannot be {value!r}")
    try:
        queue.check_name(entry["name"])
        queue.QueueAttributes().evolve(queue.QueueChange(**change))
    except errors.MnsError as error:
        raise ConfigError(f"the queue {entry['name']!r}: {error.message}") from error
    return QueueAtStart(name=entry["name"], account_id=account_id, change=queue.QueueChange(**change))
