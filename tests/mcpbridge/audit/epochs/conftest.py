"""The same log and the same attacker as in the tests of anchors."""

from tests.mcpbridge.audit.anchors.conftest import restart, signed, sql

__all__ = ["restart", "signed", "sql"]
