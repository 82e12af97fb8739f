"""The composition root: from settings to a working application, the only place that names concrete classes."""

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from typing import Any

from chalicelib import clock as clocks
from chalicelib import settings as configuration
from chalicelib.api import door, logs, waiting
from chalicelib.broker import (
    accounts,
    acls,
    deliveries,
    directory,
    event_rules,
    identities,
    messages,
    permissions,
    ports,
    publications,
    queues,
    sessions,
    subscriptions,
    throttle,
    tokens,
    topics,
    upkeep,
)
from chalicelib.broker.verbs import Verbs
from chalicelib.model import account, certificate, delivery, endpoint, limits, object_event, publication, queue, topic
from chalicelib.model.frozen import frozen
from chalicelib.push import addresses, http, lanes, mail, mobile, noted, signing, sms
from chalicelib.push import queue as queue_channel
from chalicelib.rpc import dispatcher
from chalicelib.storage import accounts as account_table
from chalicelib.storage import batches, client, errors, payloads, resources, sealing
from chalicelib.storage import deliveries as delivery_table
from chalicelib.storage import directory as directory_table
from chalicelib.storage import event_rules as event_rule_table
from chalicelib.storage import identities as identity_table
from chalicelib.storage import messages as message_table
from chalicelib.storage import publications as publication_table
from chalicelib.storage import queues as queue_table
from chalicelib.storage import subscriptions as subscription_table
from chalicelib.storage import tallies as tally_table
from chalicelib.storage import tokens as token_table
from chalicelib.storage import topics as topic_table
from chalicelib.storage import vault as vaults
from chalicelib.wire import notifications, object_events

_PARALLEL_CALLS = 16  # a full batch of claims goes out at once

_Records = Iterable[Mapping[str, Any]]  # of a table's stream, as Lambda receives them
Services = Callable[[str], Any]  # the client of another AWS service, such as "ses", by boto3's name for it
# Another way to keep the messages of queues, and to count them, given what encrypts them and where queues are kept.
KeepMessages = Callable[[sealing.Sealing, ports.Queues, ports.Ids], tuple[ports.Messages, ports.Counted]]


@frozen
class Application:
    """Everything a door can call."""

    settings: configuration.Settings
    clock: ports.Clock
    door: door.Door
    verbs: Verbs
    release: upkeep.Release
    count: upkeep.Count
    purge: upkeep.Purge
    fan_out: publications.FanOut
    deliver: deliveries.Deliver
    redeliver: deliveries.Redeliver
    log: deliveries.Log
    notify: event_rules.Notify
    forget: Callable[[], None]  # what is remembered of the engine, for it may have changed otherwise
    read_changes: Callable[[_Records], Iterable[ports.Change]]
    read_deletions: Callable[[_Records], Iterable[tuple[str, queue.Queue]]]
    read_topic_deletions: Callable[[_Records], Iterable[tuple[str, tuple[account.Namespace, topic.Topic]]]]
    read_publications: Callable[[_Records], Iterable[tuple[str, publication.Publication | ports.PublicationKey]]]
    read_publication_changes: Callable[[_Records], Iterable[ports.Change]]
    read_deliveries: Callable[[_Records], Iterable[delivery.Delivery]]
    close: Callable[[], None]  # end what runs in threads


def build(  # noqa: PLR0913  # a composition root is handed every collaborator that can be another
    settings: configuration.Settings,
    *,
    engine: client.Client,
    clock: ports.Clock | None = None,
    wall: ports.Clock | None = None,
    ids: ports.Ids | None = None,
    fan: client.Fan = client.one_by_one,
    waiter: waiting.Waiter | None = None,
    settle: Callable[[], None] = lambda: None,
    services: Services | None = None,
    vault: ports.Vault | None = None,
    pushes: ports.Lanes | None = None,
    make_certificate: Callable[[], certificate.Certificate] | None = None,
    read_key: Callable[[str], signing.Key] | None = None,
    purge_seconds: float = limits.PURGE_SECONDS,
    public_secret: str | None = None,
    keep_messages: KeepMessages | None = None,
) -> Application:
    """Put an application together on an engine; time and ids are the machine's unless handed in.

    Args:
        settings: what the deployment decides.
        engine: where everything is kept.
        clock: by which messages live.
        wall: by which the dates of requests are checked; `clock` unless handed in.
        ids: makes ids.
        fan: how independent calls of the engine are made.
        waiter: how a thread waits for a long poll.
        settle: brings counts up to date, where that can be had at once.
        services: gives the clients of SES, SNS and KMS; boto3's unless handed in.
        vault: seals secrets; KMS unless handed in.
        pushes: in which pushes are made; threads unless handed in.
        make_certificate: makes the certificate of pushes where nobody sets it up.
        read_key: makes what signs pushes of a key's PEM text; `push.signing` does unless handed in.
        purge_seconds: how long one run of a purge may take.
        public_secret: of keys that are refused, since everybody knows it.
        keep_messages: makes what keeps the messages of queues; they are in tables of the engine unless handed in.
    """
    clock, ids = clock or clocks.SystemClock(), ids or clocks.RandomIds()
    services = services or _aws
    vault = vault or vaults.KmsVault(
        client=lambda: services("kms"),
        key_id=settings.kms_key,
        clock=clocks.SystemClock(),
        draw=clocks.random_bytes,
    )
    gate = errors.Gate(engine)
    batch = batches.Batches(gate=gate, clock=clock)
    prefix = settings.table_prefix
    resource_store = resources.Resources(gate=gate, prefix=prefix)
    seal = sealing.Sealing(gate=gate, prefix=prefix, vault=vault, draw=clocks.random_bytes)
    queue_store = queue_table.Queues(resources=resource_store)
    topic_store = topic_table.Topics(resources=resource_store)
    subscription_store = subscription_table.Subscriptions(resources=resource_store)
    event_rule_store = event_rule_table.EventRules(resources=resource_store)
    publication_store = publication_table.Publications(gate=gate, batches=batch, sealing=seal, prefix=prefix)
    delivery_store = delivery_table.Deliveries(gate=gate, batches=batch, prefix=prefix)
    account_store = account_table.Accounts(gate=gate, prefix=prefix)
    tally_store = tally_table.Tallies(gate=gate, batches=batch, prefix=prefix)
    keep = keep_messages or _in_tables(gate=gate, batch=batch, fan=fan, settings=settings, counted=tally_store)
    message_store, counted = keep(seal, queue_store, ids)
    queue_verbs = queues.Queues(
        store=queue_store,
        tallies=counted,
        sealing=seal,
        clock=clock,
        ids=ids,
        shards=settings.queue_shards,
        settle=settle,
    )
    topic_verbs = topics.Topics(
        store=topic_store,
        tallies=tally_store,
        sealing=seal,
        clock=clock,
        ids=ids,
        shards=settings.topic_shards,
        settle=settle,
    )
    subscription_verbs = subscriptions.Subscriptions(
        topics=topic_verbs, store=subscription_store, find_queue=queue_verbs.find, clock=clock, ids=ids
    )
    directory_store = directory_table.Directory(gate=gate, batches=batch, prefix=prefix)
    identity_store = identity_table.Identities(gate=gate, prefix=prefix, vault=vault)
    permission_verbs = permissions.Permissions(store=directory_store, clock=clock)
    session_verbs = sessions.Sessions(store=directory_store, vault=vault, clock=clock, ids=ids)
    identity_verbs = identities.Identities(
        store=identity_store,
        temporary=session_verbs,
        clock=clock,
        make_certificate=make_certificate,
        public_secret=public_secret,
    )

    def forget_identities() -> None:
        identity_verbs.forget()
        permission_verbs.forget()

    verbs = Verbs(
        queues=queue_verbs,
        messages=messages.Messages(
            queues=queue_verbs, store=message_store, clock=clock, ids=ids, longest_wait=settings.longest_wait
        ),
        topics=topic_verbs,
        subscriptions=subscription_verbs,
        publications=publications.Publications(topics=topic_verbs, store=publication_store, clock=clock, ids=ids),
        accounts=accounts.Accounts(store=account_store, clock=clock, ids=ids),
        acls=acls.Acls(store=account_store, clock=clock),
        identities=identity_verbs,
        directory=directory.Directory(
            store=directory_store, keys=identity_store, clock=clock, ids=ids, changed=forget_identities
        ),
        event_rules=event_rules.EventRules(
            store=event_rule_store, find_queue=queue_verbs.find, find_topic=topic_verbs.find, clock=clock
        ),
        calls=throttle.Calls(
            clock=wall or clock,
            region=settings.region,
            account_rate=settings.account_rate,
            metadata_rate=settings.metadata_rate,
        ),
        sessions=session_verbs,
        permissions=permission_verbs,
        tokens=tokens.Tokens(store=token_table.Tokens(gate=gate, prefix=prefix), clock=wall or clock),
    )
    machine = clocks.SystemClock()
    pushes = pushes or lanes.Lanes(clock=machine)
    channels = _channels(
        settings,
        signer=signing.Signer(verbs.identities.certificate, read_key, clock=machine),
        queue=queue_channel.QueueChannel(
            find=queue_verbs.find, messages=message_store, render=notifications.body, clock=clock
        ),
        services=services,
        machine=machine,
        ids=ids,
    )
    dead_letters = deliveries.DeadLetters(find_queue=queue_verbs.find, messages=message_store)

    def note(what: publication.Notification, outcome: delivery.Outcome) -> None:
        logs.notified(verbs.accounts, what, outcome, clock.now())

    ways = {kind: noted.NotedChannel(channel, note) for kind, channel in channels.items()}
    deliver = deliveries.Deliver(
        subscriptions=subscription_verbs,
        publications=publication_store,
        deliveries=delivery_store,
        channels=ways,
        dead_letters=dead_letters,
        lanes=pushes,
        clock=clock,
        ids=ids,
    )

    def forget() -> None:
        queue_verbs.forget()
        topic_verbs.forget()
        subscription_verbs.forget()
        resource_store.forget()
        seal.forget()
        forget_identities()
        verbs.acls.forget()
        verbs.accounts.forget()

    def close() -> None:
        for part in (pushes, channels[endpoint.Kind.HTTP]):
            getattr(part, "close", lambda: None)()

    return Application(
        settings=settings,
        clock=clock,
        door=door.Door(
            verbs=verbs,
            rpc=dispatcher.Dispatcher(
                verbs=verbs,
                clock=wall or clock,
                ids=ids,
                region=settings.region,
                explain_signatures=settings.explain_signatures,
            ),
            clock=wall or clock,
            ids=ids,
            waiter=waiter or waiting.SleepingWaiter(clock),
            region=settings.region,
            explain_signatures=settings.explain_signatures,
        ),
        verbs=verbs,
        release=upkeep.Release(store=queue_store, queues=queue_verbs, messages=message_store, clock=clock),
        count=upkeep.Count(tallies=tally_store),
        purge=upkeep.Purge(
            messages=message_store,
            subscriptions=subscription_store,
            tallies=tally_store,
            sealing=seal,
            clock=clock,
            seconds=purge_seconds,
        ),
        fan_out=publications.FanOut(
            store=publication_store,
            subscriptions=subscription_verbs,
            deliveries=delivery_store,
            channels=ways,
            dead_letters=dead_letters,
            fan=fan,
            clock=clock,
        ),
        deliver=deliver,
        redeliver=deliveries.Redeliver(deliver=deliver, clock=clock),
        log=deliveries.Log(topics=topic_store, subscriptions=subscription_store, deliveries=delivery_store),
        notify=event_rules.Notify(
            rules=event_rule_store,
            owners=object_event.read_owners(settings.bucket_owners, settings.region),
            find_queue=queue_verbs.find,
            find_topic=topic_verbs.find,
            messages=message_store,
            publications=publication_store,
            render=object_events.render_event,
            clock=clock,
        ),
        forget=forget,
        read_changes=message_table.read_changes,
        read_deletions=queue_table.read_deletions,
        read_topic_deletions=topic_table.read_deletions,
        read_publications=publication_store.read_new,
        read_publication_changes=publication_table.read_changes,
        read_deliveries=delivery_table.read_new,
        close=close,
    )


def _in_tables(
    *,
    gate: errors.Gate,
    batch: batches.Batches,
    fan: client.Fan,
    settings: configuration.Settings,
    counted: ports.Counted,
) -> KeepMessages:
    """Messages in tables of the engine, counted from their stream."""

    def keep(seal: sealing.Sealing, _: ports.Queues, ids: ports.Ids) -> tuple[ports.Messages, ports.Counted]:
        prefix = settings.table_prefix
        kept = payloads.Payloads(gate=gate, batches=batch, sealing=seal, prefix=prefix, inline=settings.inline_bytes)
        made = message_table.Messages(gate=gate, batches=batch, payloads=kept, fan=fan, ids=ids, prefix=prefix)
        return made, counted

    return keep


def _channels(
    settings: configuration.Settings,
    *,
    signer: signing.Signer,
    queue: ports.Channel,
    services: Services,
    machine: ports.Clock,
    ids: ports.Ids,
) -> dict[endpoint.Kind, ports.Channel]:
    """The table of channels: how each kind of endpoint is reached."""

    def render(of: publication.Notification, to: endpoint.Http) -> notifications.Push:
        now = machine.now()
        return notifications.push(
            of,
            to,
            request_id=ids.request_id(now),
            now=now,
            certificate_url=settings.public_url + certificate.PATH,
            sign=signer.sign,
        )

    post = (
        mail.by_smtp(settings.smtp_url, settings.push_ca_file)
        if settings.smtp_url
        else mail.by_ses(lambda: services("ses"))
    )
    return {
        endpoint.Kind.HTTP: http.HttpChannel(
            guard=addresses.Guard(settings.push_allow), render=render, clock=machine, ca_file=settings.push_ca_file
        ),
        endpoint.Kind.QUEUE: queue,
        endpoint.Kind.MAIL: mail.MailChannel(post=post, sender=settings.mail_sender),
        endpoint.Kind.SMS: sms.SmsChannel(client=lambda: services("sns")),
        endpoint.Kind.MOBILE: mobile.MobileChannel(client=lambda: services("sns")),
    }


@functools.cache
def _aws(service: str) -> Any:
    """A client of an AWS service, made when it is first needed."""
    limit = limits.PUSH_SECONDS
    attempts = 3 if service == "kms" else 1  # pushes are tried again by the rules of their subscriptions
    return _client(service, retries=_attempts(attempts), connect_timeout=limit, read_timeout=limit)


def _client(service: str, **config: Any) -> Any:
    """What `boto3.client` makes, without what else boto3 imports."""
    from botocore import session  # noqa: PLC0415  # slow to import, and not needed where clients are handed in
    from botocore.config import Config  # noqa: PLC0415  # the same

    return session.get_session().create_client(service, config=Config(**config))


def _come_again(pick: Callable[[int], int], *, attempts: int, response: Any, **_: object) -> float | None:
    """Seconds until a throttled transaction is tried again, as botocore has it for all other calls; None: it is not."""
    if response is None or attempts > limits.ENGINE_ATTEMPTS or not errors.lacks_units(response[1]):
        return None
    return pick(1000) / 1000 * 2.0 ** (attempts - 1)


def _attempts(most: int) -> dict[str, Any]:
    return {"mode": "standard", "max_attempts": most}


_installed: list[Application] = []


def install(made: Application) -> None:
    """Let `application` answer with one that was made elsewhere; for local servers and tests."""
    _installed[:] = [made]
    application.cache_clear()


@functools.cache
def application() -> Application:
    """The application of this process, made when it is first needed."""
    if _installed:
        return _installed[-1]
    settings = configuration.read()
    if settings.application:
        module, _, function = settings.application.partition(":")
        made: Application = getattr(importlib.import_module(module), function)(settings)
        return made
    engine = _client(
        "dynamodb",
        retries=_attempts(limits.ENGINE_ATTEMPTS),
        connect_timeout=limits.ENGINE_SECONDS,
        read_timeout=limits.ENGINE_SECONDS,
        max_pool_connections=_PARALLEL_CALLS,
    )
    engine.meta.events.register(
        "needs-retry.dynamodb.TransactWriteItems", functools.partial(_come_again, clocks.RandomIds().pick)
    )
    pool = futures.ThreadPoolExecutor(_PARALLEL_CALLS)

    def side_by_side(call: Callable[[Any], Any], arguments: Sequence[Any], /) -> Iterable[Any]:
        return pool.map(call, arguments) if len(arguments) > 1 else map(call, arguments)

    refused = None if settings.explain_signatures else configuration.LOCAL_SECRET  # what explains is for local use
    return build(settings, engine=engine, fan=side_by_side, public_secret=refused)


if configuration.on_lambda():
    application()  # what Lambda does before the first event it does with a whole core, whatever the function's size
