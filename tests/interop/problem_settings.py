"""The product's settings with tools that fail as they are told; all else is the product."""

from tests.served_settings import *  # noqa: F403

MCP_CATALOGUE = "tests.interop.problem_tools.ProblemTools"
