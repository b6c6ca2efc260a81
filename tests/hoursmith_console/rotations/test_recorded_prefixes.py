"""The record of a rotation names both tokens by their prefixes, each in a field of its own, and shows them readably."""

import io
import json
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.test import Client

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.new_token import choose_new_token
from hoursmith_console.rotations.services import cancel_rotation, start_rotation
from hoursmith_console.rotations.undo import undo_new_token
from hoursmith_console.tokens.services import claim_token
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.wrapped_tokens import PREFIX, TOKEN, pieces_left

NEW = "9f8e7d6c5b4a"
Browse = Callable[[str], Client]


@pytest.fixture
def rotation(cast: Cast) -> Rotation:
    """A rotation of the member's token whose new token was removed and chosen again."""
    member, token = cast.people["member"], cast.tokens["member"]
    rotation = start_rotation(
        env=token.env, prefix=token.prefix, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="A"
    )
    claim = claim_token(env="live", prefix=NEW, member=member, source="claimed")
    choose_new_token(rotation=rotation, member=member, claim=claim)
    undo_new_token(rotation=rotation, member=member)
    choose_new_token(rotation=rotation, member=member, claim=claim)
    cancel_rotation(rotation=rotation, actor="A")
    return rotation


def test_each_entry_names_both_tokens_readably(cast: Cast, rotation: Rotation) -> None:
    old, new = rotation.masked_token, f"hsk_live_{NEW}_••••"
    rows = AuditEvent.objects.filter(tool__startswith="console.rotation_").order_by("sequence")
    found = [(row.prefix, row.arguments["old_token"], row.arguments.get("new_token")) for row in rows]
    assert found == [(rotation.prefix, old, None), *[(rotation.prefix, old, new)] * 4]
    assert "hsk_••••" not in repr([row.arguments for row in rows])


def test_the_page_and_the_exports_show_them(cast: Cast, rotation: Rotation, trusted: Browse) -> None:
    owner = trusted("owner")
    row = AuditEvent.objects.filter(tool="console.rotation_abandon").get()
    page = owner.get(f"/audit/{row.call_id}/").text
    assert rotation.masked_token in page
    assert f"hsk_live_{NEW}_••••" in page
    for name in ("jsonl", "csv", "ocsf", "cef"):
        printed = io.StringIO()
        call_command("audit_export", "--format", name, "--workspace", cast.org_id, stdout=printed)
        assert f"hsk_live_{NEW}_••••" in printed.getvalue().encode().decode("utf-8"), name


def test_a_prefix_survives_in_every_detail_and_a_secret_in_none(db: None) -> None:
    details = {
        "token": TokenNamed("live", NEW),
        "text": f"{PREFIX} became hsk_live_{NEW}, at last.",
        "list": [PREFIX, f"{PREFIX}_••••", "live_4f8a2c1bdedf"],
        "pasted": f"not {TOKEN}",
    }
    record_event(org_id="org-1", action="console.test", actor=f"Ana {PREFIX}", details=details, note=PREFIX)
    row = AuditEvent.objects.get()
    assert row.arguments == {
        "token": f"hsk_live_{NEW}_••••",
        "text": details["text"],
        "list": details["list"],
        "pasted": f"not {PREFIX}_••••",
    }
    assert (row.actor, row.note) == (f"Ana {PREFIX}", PREFIX)
    assert not pieces_left(json.dumps(row.arguments))
