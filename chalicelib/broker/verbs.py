"""All use cases, as the doors are handed them."""

from chalicelib.broker import (
    accounts,
    acls,
    directory,
    event_rules,
    identities,
    messages,
    permissions,
    publications,
    queues,
    sessions,
    subscriptions,
    throttle,
    tokens,
    topics,
)
from chalicelib.model.frozen import frozen


@frozen
class Verbs:
    """All use cases."""

    queues: queues.Queues
    messages: messages.Messages
    topics: topics.Topics
    subscriptions: subscriptions.Subscriptions
    publications: publications.Publications
    accounts: accounts.Accounts
    acls: acls.Acls
    identities: identities.Identities
    directory: directory.Directory
    sessions: sessions.Sessions
    permissions: permissions.Permissions
    tokens: tokens.Tokens
    event_rules: event_rules.EventRules
    calls: throttle.Calls
