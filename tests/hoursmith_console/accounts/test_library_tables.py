"""A token does not get into a library's table, nor into a session, whoever writes it there."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from mcpbridge.secret_scan.patterns import secrets_in
from tests.wrapped_tokens import PREFIX, TOKEN

pytestmark = pytest.mark.django_db
MASKED = f"{PREFIX}_••••"


def test_accounts_addresses_and_identities_are_masked() -> None:
    user = User.objects.create(username="ana", first_name=TOKEN, email=f"ana+{TOKEN}@example.com", password="!x")
    EmailAddress.objects.create(user=user, email=f"{TOKEN}@example.com")
    claims: dict[str, Any] = {"sub": "1", "groups": [TOKEN], TOKEN: {"name": TOKEN}}
    SocialAccount.objects.create(user=user, provider="hoursmith", uid=TOKEN, extra_data=claims)
    user.refresh_from_db()
    account = SocialAccount.objects.get()
    assert (user.first_name, user.email, account.uid) == (MASKED, f"ana+{MASKED}", MASKED)
    assert EmailAddress.objects.get().email == MASKED
    assert account.extra_data == {"sub": "1", "groups": [MASKED], MASKED: {"name": MASKED}}


def test_a_session_holds_no_token_and_all_else() -> None:
    session = SessionStore()
    kept = {"state": "4x9k-hsk_5Gx-91k_Bearer9x", "number": 3, "list": [1, None]}
    session["kept"] = kept
    session["pasted"] = {"note": [f"x {TOKEN} " * 40], TOKEN: 1}
    session.save()
    read = SessionStore(session.session_key)
    assert read["kept"] == kept
    assert TOKEN not in repr(dict(read.items()))
    stored = Session.objects.get().session_data
    assert list(secrets_in(stored.encode())) == []
