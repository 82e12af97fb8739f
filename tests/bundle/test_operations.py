"""The operation suite of the Python SDK through the bundle, behind every front."""

from tests.sdk import test_operations as suite

pytestmark = suite.pytestmark
globals().update({name: test for name, test in vars(suite).items() if name.startswith("test_")})
