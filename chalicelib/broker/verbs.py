"""All use cases, as the doors are handed them."""

from dataclasses import dataclass

from chalicelib.broker import accounts, acls, identities, messages, publications, queues, subscriptions, tokens, topics


@dataclass(frozen=True, kw_only=True)
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
    tokens: tokens.Tokens
