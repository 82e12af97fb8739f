"""Every price, with its source and the day it was read; US dollars, us-east-1, without any free tier.

Prices change and differ by region: whoever decides by them looks them up again.
"""

from dataclasses import dataclass

READ_ON = "November 2026"


@dataclass(frozen=True, kw_only=True)
class Price:
    """A price and where it comes from."""

    name: str
    usd: float
    per: str
    source: str


WRITE_UNITS = Price(
    name="DynamoDB write, on demand", usd=0.625, per="million units", source="AWS, DynamoDB on-demand pricing"
)
READ_UNITS = Price(
    name="DynamoDB read, on demand", usd=0.125, per="million units", source="AWS, DynamoDB on-demand pricing"
)
STORAGE = Price(name="DynamoDB storage", usd=0.25, per="GB and month", source="AWS, DynamoDB on-demand pricing")
BACKUP = Price(name="DynamoDB point-in-time recovery", usd=0.20, per="GB and month", source="AWS, DynamoDB pricing")
INVOCATIONS = Price(name="Lambda invocation", usd=0.20, per="million", source="AWS, Lambda pricing")
GB_SECONDS = Price(name="Lambda time, arm64", usd=0.0000133334, per="GB and second", source="AWS, Lambda pricing")
REST = Price(name="API Gateway, REST API", usd=3.50, per="million requests", source="AWS, API Gateway pricing")
HTTP = Price(
    name="API Gateway, HTTP API", usd=1.00, per="million requests of 512 KB", source="AWS, API Gateway pricing"
)
URL = Price(name="Lambda function URL", usd=0.0, per="million requests", source="AWS, Lambda pricing")
KEY = Price(name="KMS key", usd=1.00, per="key and month", source="AWS, KMS pricing")
SQS_STANDARD = Price(
    name="SQS, standard", usd=0.40, per="million requests of 64 KB", source="AWS, SQS pricing, first 100 billion"
)
SQS_FIFO = Price(
    name="SQS, FIFO", usd=0.50, per="million requests of 64 KB", source="AWS, SQS pricing, first 100 billion"
)
SMQ_REQUESTS = Price(
    name="Alibaba SMQ, requests",
    usd=0.28,
    per="million requests of 64 KB",
    source="legacy MNS price list, CNY 2.00 at 7.1 CNY for a dollar; today's pages name no number outside the"
    " price calculator; 20 million a month are free",
)
SMQ_QUEUE = Price(
    name="Alibaba SMQ, queue outside the mainland",
    usd=0.11,
    per="queue and day",
    source="Alibaba Cloud, SMQ billing, March 2026 (mainland: 0.08)",
)

EVERY = (
    WRITE_UNITS,
    READ_UNITS,
    STORAGE,
    BACKUP,
    INVOCATIONS,
    GB_SECONDS,
    REST,
    HTTP,
    URL,
    KEY,
    SQS_STANDARD,
    SQS_FIFO,
    SMQ_REQUESTS,
    SMQ_QUEUE,
)

# How requests are counted.
CHUNK_BYTES = 65_536  # of SQS and SMQ
HTTP_CHUNK_BYTES = 524_288  # of an HTTP API
SQS_BATCH = 10

# Assumptions: what was not counted on the embedded engine.
MEMORY_MB = 512  # of the function that serves the API
BACKGROUND_MB = 256  # of those behind it
HANDLER_SECONDS = 0.003  # of a warm function beside its calls of DynamoDB
TRIP_SECONDS = 0.005  # of one round trip to DynamoDB
MONTH_SECONDS = 2_629_800  # a twelfth of 365.25 days
