"""Logs: events with fields, as JSON. Never a body, a key or a signature."""

from aws_lambda_powertools import Logger

logger = Logger(service="openmns", use_rfc3339=True)
