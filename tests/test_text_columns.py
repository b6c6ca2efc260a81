"""Every column that can hold a text masks tokens, or a reason stands here why none can get there (guarantee G1)."""

import pytest
from django.apps import apps
from django.db import models

from hoursmith_console.accounts.library_tables import UNMASKED, masks
from mcpbridge.redaction.fields import Masked

OURS = ("hoursmith_console.", "mcpbridge")
TEXTS = (models.CharField, models.TextField, models.JSONField, models.BinaryField)
PUBLIC = "12 letters or digits, or the environment, as the bridge read them from a whole token"
DIGEST = "a digest or a signature that is made here"
MADE_HERE = "an id that is made here"
REASONS = {
    **dict.fromkeys(("env", "prefix", "new_env", "new_prefix", "fault_env", "fault_prefix"), PUBLIC),
    **dict.fromkeys(("hash", "previous_hash", "signature", "countersignature", "public_key"), DIGEST),
    **dict.fromkeys(("key_id", "announced_by", "digest"), DIGEST),
    **dict.fromkeys(("slug", "session_key", "lease_holder"), MADE_HERE),
    **dict.fromkeys(("encrypted_secret", "encrypted_address"), "ciphertext"),
    "cache_key": "a digest that is made here, with the name of what is counted",
    "value": "a count",
    "token_digest": DIGEST,
    "client_digest": DIGEST,
    "id": MADE_HERE,
    **dict.fromkeys(("root", "signed_note", "line", "hashes"), DIGEST),
    "seal": "random bytes that are made here",
    "origin": "the name of the installation, by its operator, and ids",
    "use": "one of two words",
}


def columns(*, of_ours: bool) -> list["models.Field[object, object]"]:
    """The columns for text of our models, or of the libraries' models."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        is_ours = model.__module__.startswith(OURS)
        # The sandbox stands for somebody else's service: what it is told to store, it stores.
        if is_ours == of_ours and model._meta.app_label != "sandbox":
            found += [column for column in model._meta.local_fields if isinstance(column, TEXTS)]
    return found


def inherited() -> list["models.Field[object, object]"]:
    """Those of ours, with what a model has from an abstract one."""
    return [column for column in columns(of_ours=True) if not column.choices]


@pytest.mark.parametrize("column", inherited(), ids=str)
def test_a_column_of_ours_masks_tokens_or_cannot_be_reached(column: "models.Field[object, object]") -> None:
    assert isinstance(column, Masked) or column.name in REASONS, f"{column} is open to what people and clients write."


@pytest.mark.parametrize("column", columns(of_ours=False), ids=str)
def test_a_column_of_a_library_is_masked_or_cannot_be_reached(
    column: "models.Field[object, object]",
) -> None:
    assert masks(column) or str(column) in UNMASKED


def test_the_walk_sees_the_columns() -> None:
    assert len(inherited()) > 100
    assert {"connections.Connection.label", "mcpbridge.AuditEvent.note", "mcpbridge.Freeze.reason"} <= {
        str(column) for column in inherited()
    }
    assert {"auth.User.email", "account.EmailAddress.email", "sessions.Session.session_data"} <= {
        str(column) for column in columns(of_ours=False)
    }
    # No reason outlives what it was for.
    assert {column.name for column in inherited()} >= set(REASONS)
    assert {str(column) for column in columns(of_ours=False)} >= set(UNMASKED)
