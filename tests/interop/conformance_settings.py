"""The product's settings with the conformance suite's tools in place of Hoursmith's; all else is the product."""

from tests.served_settings import *  # noqa: F403

MCP_CATALOGUE = "tests.interop.fixture_tools.FixtureTools"
