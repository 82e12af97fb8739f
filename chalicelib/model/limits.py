"""Every documented number, beside its source.

`D` is an MNS help page, `OA` the 2022-01-19 API, `R` a choice of ours where the documents are silent or at odds (its
reason in docs/adr/0003-protocol-choices.md).
"""

from chalicelib.model import errors
from chalicelib.model.frozen import frozen


@frozen
class Range:
    """An integer from `low` to `high`, both included; `name` is the element or parameter on the wire."""

    name: str
    low: int
    high: int
    default: int

    def check(self, value: int) -> int:
        """Return `value`; raise InvalidArgument naming the element and its range if it lies outside."""
        if self.low <= value <= self.high:
            return value
        raise errors.InvalidArgument(f"The value of {self.name} should between {self.low} and {self.high}.")

    def clamp(self, value: int | None) -> int:
        """The nearest value of the range; the default for None."""
        return self.default if value is None else min(max(value, self.low), self.high)


# Queues (D CreateQueue, OA CreateQueue); seconds and bytes.
DELAY_SECONDS = Range(name="DelaySeconds", low=0, high=604_800, default=0)
MAXIMUM_MESSAGE_SIZE = Range(name="MaximumMessageSize", low=1_024, high=65_536, default=65_536)
MESSAGE_RETENTION_PERIOD = Range(name="MessageRetentionPeriod", low=60, high=604_800, default=345_600)
VISIBILITY_TIMEOUT = Range(name="VisibilityTimeout", low=1, high=43_200, default=30)
POLLING_WAIT_SECONDS = Range(name="PollingWaitSeconds", low=0, high=30, default=0)
QUEUE_NAME_LENGTH = 120  # D "Limits"; older pages said 256
QUEUES_PER_ACCOUNT = 1_000  # D "Limits", per account and region
QUEUE_SHARDS = Range(name="shards", low=1, high=64, default=1)  # R: more shards, more throughput, looser order

# What the control-plane API adds to queues, topics and subscriptions (OA names the fields, mostly without ranges).
MAX_RECEIVE_COUNT = Range(name="MaxReceiveCount", low=1, high=1_000, default=16)  # R
MAX_RECEIVES_PER_SECOND = Range(name="MaxReceivesPerSecond", low=1, high=20_000, default=20_000)  # R: an account's rate
KMS_KEY_ID_LENGTH = 256  # R
RESOURCE_TAGS = 20  # D "Tags", of all products: per resource
RESOURCE_TAG_KEY_LENGTH = 128  # D "Tags"
RESOURCE_TAG_VALUE_LENGTH = 128  # D "Tags"

# Messages (D SendMessage, BatchSendMessage, "Message properties").
PRIORITY = Range(name="Priority", low=1, high=16, default=8)  # 1 is received first
BATCH_SIZE = Range(name="numOfMessages", low=1, high=16, default=1)
BATCH_BYTES = 65_536  # the sum over a BatchSendMessage
WAIT_SECONDS = Range(name="waitseconds", low=0, high=30, default=0)
USER_PROPERTIES = 50
PROPERTY_NAME_LENGTH = 256
PROPERTY_VALUE_LENGTH = 4_096
SYSTEM_PROPERTY_NAMES = frozenset(  # constants of the Java, Python and PHP SDKs; Java fails on any other name
    {"traceparent", "tracestate", "baggage", "DLQMessageType", "DLQSourceArn", "DLQOriginMessageId"}
)
MESSAGE_GROUP_ID_LENGTH = 128  # R: undocumented; what SQS allows

# Topics and subscriptions (D CreateTopic, Subscribe, "Limits", "NotifyStrategy", "Endpoint").
TOPIC_NAME_LENGTH = 120  # D "Limits"; CreateTopic says 255
TOPICS_PER_ACCOUNT = 1_000  # per account and region
TOPIC_SHARDS = Range(name="shards", low=1, high=64, default=1)  # R
TOPIC_RETENTION_SECONDS = 86_400
SUBSCRIPTION_NAME_LENGTH = 255
SUBSCRIPTIONS_PER_TOPIC = 100
TAG_LENGTH = 16  # of FilterTag and MessageTag
ENDPOINT_LENGTH = 2_048  # R
SUBSCRIPTION_LINE_LENGTH = 256  # R: of a mail's subject, a short message's signature or template
ENDPOINT_DEFAULT_PATH = "/notifications"

# Pushes (D "NotifyStrategy", "HttpEndpoint").
BACKOFF_RETRIES = 3
BACKOFF_SECONDS = 10  # the least that passes between two attempts ...
BACKOFF_SPREAD_MS = 10_000  # ... and the most that chance adds
DECAY_RETRIES = 176
DECAY_LONGEST_SECONDS = 512  # after 1, 2, 4 ...
PUSH_SECONDS = 5  # in which an endpoint has to answer
PUSH_RESPONSE_BYTES = 16_384  # R: of an answer that are read at most
PUSH_DETAIL_LENGTH = 200  # R
PUSH_IDLE_SECONDS = 4  # R: a connection is kept this long for the next push
PUSH_SLOW_SECONDS = 1  # R: who takes longer than this is put with the slow ones, to be tried one by one
PUSH_WORKERS = 64  # R: pushes under way at once to good endpoints, and as many to slow ones
PUSH_LANE = 8  # R: of these, to one server
PUSH_LANE_WAITING = 256  # R: more than these for one server are put off
PUSH_SLOW_LANES = 1_000  # R: servers without pushes that are remembered to have been slow
CERTIFICATE_SECONDS = 300  # R: how long a process may sign with a key that has been renewed elsewhere
DELIVERY_SHARDS = 4  # R: partitions of a subscription's deliveries
DELIVERY_LEASE_SECONDS = 30  # R: a first attempt that nobody has recorded by then is made again
DELIVERY_SEALED_SECONDS = 60  # R: a push whose message or queue has a key that cannot be used is put off by this
DELIVERY_FULL_SECONDS = 10  # R: a push whose endpoint has too many in hand is put off by this
DUE_SHARDS = 4  # R: of the index of due deliveries
DUE_PAGE = 100  # R: due deliveries read in one go
DUE_PAGES = 32  # R: read at most, of each shard, to get past those that are in hand already

# What a message tells the channels (R; D "MessageAttributes" names no limits).
MESSAGE_ATTRIBUTES_BYTES = 65_536  # all of it together
RECEIVERS = 100  # phones or devices that one message names

LOGGING_BUCKET_LENGTH = 256  # R: undocumented; of LoggingBucket, ProjectName and LogStoreName
ACL_ENTRIES = 100  # R: blocks of addresses that may reach an endpoint
ROLE_ARN_LENGTH = 256  # R

# Lists (D ListQueue).
RETURN_NUMBER = Range(name="x-mns-ret-number", low=1, high=1_000, default=1_000)
PAGE_NUM = Range(name="PageNum", low=1, high=100_000_000, default=1)  # OA ListQueue: what lies outside is clamped
PAGE_SIZE = Range(name="PageSize", low=10, high=50, default=10)  # OA ListQueue; R: the default

# Requests.
API_VERSION = "2015-06-06"  # D "Common parameters"
CLOCK_SKEW_SECONDS = 15 * 60  # D "Sign requests"
REQUEST_BYTES = 1_048_576  # R: 64 KB with every character written as a character reference, and the XML around it
XML_DEPTH = 16  # R: the deepest request has five levels
XML_ELEMENTS = 8_192  # R: a full batch with all properties has under 5,000
RPC_PARAMETERS = 500  # R: of a call; the most that an action can use are about 60
RPC_BYTES = 262_144  # R: of its query and body; checking a signature over more keeps others waiting
CLIENT_TOKEN_LENGTH = 64  # OA SetAccountAttributes
CLIENT_TOKEN_SECONDS = 86_400  # R: the outcome of a call with a ClientToken is remembered this long
CLIENT_TOKEN_LEASE_SECONDS = 60  # R: a call that has told no outcome by then may be made again

# Event rules (D "Configure event notification rules").
EVENT_RULES_PER_REGION = 10
EVENT_RULE_NAME_LENGTH = 85
EVENT_RULE_SUBSCRIPTIONS = 20  # OA GetEventRule: of a rule's topic, that are shown
MATCH_RULES = 5  # "resource descriptions" of a rule
MATCH_LENGTH = 1_200  # R: a bucket's resource name and the longest key

DATA_KEYS_KEPT = 10_000  # R: of queues and topics, that a process remembers

# Rates (D "Throttling policy", "Limits"), per account and region; a batch counts as its messages.
ACCOUNT_RATE = 20_000  # calls on messages a second
METADATA_RATE = 200  # other calls a second
HIGHEST_RATE = 1_000_000  # R: that can be set up
METERS_KEPT = 10_000  # R: accounts, queues or subscriptions whose rates a process remembers

# Receipts and waiting (R).
CACHE_SECONDS = 5  # how long a process may act on a queue's attributes or a key that changed elsewhere
LONG_POLL_FIRST_LOOK_SECONDS = 0.05  # a waiting Lambda looks again after this long ...
LONG_POLL_LAST_LOOK_SECONDS = 1.0  # ... growing to this long
LONG_POLL_GROWTH = 1.5
LONG_POLL_MARGIN_SECONDS = 3  # before a function's time-out: for the last look and the answer's way

# Calls of DynamoDB (R): what takes longer has been lost, and is tried again while the caller still waits.
ENGINE_SECONDS = 3
ENGINE_ATTEMPTS = 3

# Background work (R).
RELEASE_GRAIN_SECONDS = 1  # the scheduled release looks no more often than this
RELEASE_WINDOW_SECONDS = 50  # and works this long in an invocation that comes each minute
RELEASE_PAGE = 100  # due messages taken from a queue in one go
DELIVER_SECONDS = 20  # a function that pushes waits this long for the answers, and ends before the lease
PURGE_SECONDS = 40  # a purge works this long, then leaves the rest to the stream's next attempt
REDELIVER_BREATH_SECONDS = 0.05  # between looks while more is due than was taken
TTL_SLACK_SECONDS = 86_400  # a body outlives its message's state by this, whatever order the two are swept in
PUBLICATION_SLACK_SECONDS = 3_600  # publications and deliveries outlive their end by this, so that it is noticed
# The counts of a deleted topic outlive its publications, which end with their time to live.
TALLY_SLACK_SECONDS = TOPIC_RETENTION_SECONDS + PUBLICATION_SLACK_SECONDS + TTL_SLACK_SECONDS

# RAM (help pages "Limits" and GetAccountSummary) and STS (AssumeRole).
POLICY_LENGTH = 6_144  # characters of a document
SESSION_POLICY_LENGTH = 2_048  # characters of the document that an AssumeRole gives
USERS_PER_ACCOUNT = 1_000
GROUPS_PER_ACCOUNT = 50
ROLES_PER_ACCOUNT = 1_000
POLICIES_PER_ACCOUNT = 1_500  # custom ones
POLICY_VERSIONS = 5
KEYS_PER_USER = 2
ACCESS_KEY_ID_LENGTH = 128  # R: longer ones are nobody's
GROUPS_PER_USER = 5
SYSTEM_POLICIES_ATTACHED = 20  # to one user, group or role
CUSTOM_POLICIES_ATTACHED = {"User": 10, "Group": 5, "Role": 5}
IDENTITY_NAME_LENGTH = 64  # of users, groups and roles
POLICY_NAME_LENGTH = 128
DISPLAY_NAME_LENGTH = 128
COMMENTS_LENGTH = 128
DESCRIPTION_LENGTH = 1_024
SESSION_NAME_LENGTH = 64
MARKER_LENGTH = 256  # R: longer than any that is answered
MAX_ITEMS = Range(name="MaxItems", low=1, high=1_000, default=100)
SESSION_SECONDS = Range(name="MaxSessionDuration", low=3_600, high=43_200, default=3_600)  # as a role allows it
SHORTEST_SESSION_SECONDS = 900
WRITE_ATTEMPTS = 8  # R: a change that somebody else was quicker with is tried again this often
SESSIONS_KEPT = 1_024  # R: temporary keys that a process remembers
POLICIES_KEPT = 1_024  # R: compiled documents that a process remembers
RESOURCE_LENGTH = 1_024  # R: policies are not asked about longer ones; none can be there
EXTERNAL_ID_LENGTH = 1_224  # AssumeRole
POLICY_ACTIONS_KEPT = 512  # R: actions whose statements a policy remembers

# Secrets at rest (docs/adr/0017).
SECRETS_KEPT = 1_024  # R: opened secrets that a process remembers
KMS_PLAIN_BYTES = 4_096  # what KMS encrypts itself (AWS KMS Encrypt)
DATA_KEY_BYTES = 32  # AES-256
DATA_KEY_SECONDS = 3_600  # R: a process takes a new data key after this long ...
DATA_KEY_USES = 2**24  # ... or this many seals; 2**32 random nonces are what AES-GCM bears (NIST SP 800-38D)
