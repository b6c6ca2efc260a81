"""Whoever has the database and the keys, but no envelope of an assistant, opens nothing."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session

from mcpbridge.grants.envelopes import Kind, unseal
from mcpbridge.grants.tokens.exchange import TokenState, redeem_code, refresh
from mcpbridge.models import UsedCode
from tests.mcpbridge.grants.authorizing import SECRET, allowed, answered
from tests.mcpbridge.grants.claude import CLAUDE, VERIFIER


def values() -> Iterator[tuple[str, Any]]:
    """Every value of every row."""
    for model in apps.get_models():
        for row in model._base_manager.values():
            for name, value in row.items():
                yield f"{model.__name__}.{name}", value


def opened() -> set[str]:
    """The columns of which a value can be opened, as any kind, as text or as bytes."""
    found = set()
    for place, value in values():
        data = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        encoded = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        for kind in Kind:
            texts = (data.decode("latin-1"), f"hse_{kind}1_{data.decode('latin-1')}", f"hse_{kind}1_{encoded}")
            if any(unseal(kind, text) is not None for text in texts):
                found.add(place)
    return found


@pytest.mark.django_db(databases=["default", "sandbox"])
def test_nothing_in_the_database_can_be_opened() -> None:
    code = answered(allowed().address)["code"]
    issued = redeem_code(client_id=CLAUDE, code=code, verifier=VERIFIER, redirect=None)
    token = issued.refresh.reveal()
    refresh(client_id=CLAUDE, token=token, state_of=lambda _: TokenState.ACCEPTED)
    assert UsedCode.objects.exists()
    assert opened() == set()
    assert not [place for place, value in values() if SECRET in str(value) or "hse_" in str(value)]
    # It would be found.
    Session.objects.create(session_key="x", session_data=token, expire_date="2026-12-01T00:00:00Z")
    assert opened() == {"Session.session_data"}
