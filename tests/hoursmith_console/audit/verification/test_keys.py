"""The address of the public keys, for people who trust nobody here."""

import pytest
from django.test import Client

from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.keyring import published_keys
from mcpbridge.audit.signing import configured_key
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit


def test_anybody_gets_the_public_keys(cast: Cast) -> None:
    make_audit(cast.tokens["owner"])
    make_checkpoints(reason="demand")
    answer = Client().get("/audit/key")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "public, max-age=60"
    assert not answer.cookies
    assert "Vary" not in answer or "Cookie" not in answer["Vary"]
    assert answer.json() == published_keys()
    assert answer.json()["current"] == configured_key().key_id


@pytest.mark.django_db
def test_before_the_first_checkpoint_there_is_no_key() -> None:
    assert Client().get("/audit/key").json() == {"keys": [], "current": ""}


@pytest.mark.django_db
def test_it_is_for_reading_alone() -> None:
    assert Client().post("/audit/key").status_code == 405
