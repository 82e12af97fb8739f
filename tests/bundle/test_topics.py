"""The topic suite of the Python SDK through the bundle: what is published goes the way of the streams."""

from tests.sdk import test_topics as suite
from tests.sdk.test_topics import topic, topics  # noqa: F401  # its fixtures

globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})
