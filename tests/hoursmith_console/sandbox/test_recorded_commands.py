"""What an operator does to the sandbox workspace is in its record, or it is not done."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from hoursmith_console.sandbox.models import Organization, Token
from hoursmith_console.sandbox.seed.members import create_members
from hoursmith_console.tokens.models import TokenClaim
from mcpbridge.audit.console_events import operator
from mcpbridge.models import AuditEvent

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def cast() -> Organization:
    org, _ = create_members(now=datetime(2026, 11, 23, tzinfo=UTC))
    return org


def mint(org: Organization) -> str:
    out = io.StringIO()
    email = org.members.order_by("pk").first().user.email
    call_command("sandbox_mint", email=email, name="Laptop", stdout=out)
    return out.getvalue().strip()


def test_a_minted_token_is_recorded_by_its_public_half(cast: Organization) -> None:
    token = mint(cast)
    row = AuditEvent.objects.get()
    assert (row.org_id, row.tool, row.actor) == (str(cast.pk), "console.token_mint", operator())
    assert (row.env, row.prefix, row.token_name) == ("live", token.split("_")[2], "Laptop")
    assert row.arguments["scopes"] == ["read", "write"]
    assert "@" in row.arguments["for"]
    assert token.split("_")[3] not in str(AuditEvent.objects.values())


def test_a_change_of_plan_is_recorded(cast: Organization) -> None:
    call_command("sandbox_plan", "free", stdout=io.StringIO())
    row = AuditEvent.objects.get()
    assert (row.tool, row.arguments) == ("console.plan_change", {"plan": "agency → free"})


@pytest.mark.usefixtures("audit_unavailable")
def test_without_a_record_nothing_is_minted_or_changed(cast: Organization) -> None:
    with pytest.raises(CommandError, match="nothing was done"):
        mint(cast)
    assert not Token.objects.exists()
    assert not TokenClaim.objects.exists()
    with pytest.raises(CommandError, match="nothing was done"):
        call_command("sandbox_plan", "free", stdout=io.StringIO())
    assert Organization.objects.get().plan == "agency"
