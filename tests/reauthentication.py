"""Session values of a sign-in that allauth takes for a recent one."""

import time
from typing import Any

from django.contrib.auth.models import User
from django.test import Client


def password_given(user: User) -> dict[str, Any]:
    """Return the session values of `user` who gave their password just now."""
    step = {"method": "password", "at": time.time(), "reauthenticated": True, "email": user.email}
    return {"account_authentication_methods": [step], "account_authentication_methods_user": str(user.pk)}


def trusted_client(user: User, client: Client | None = None) -> Client:
    """Return `client`, or a new one, signed in as `user` who gave their password just now."""
    client = client or Client()
    client.force_login(user)
    session = client.session
    session.update(password_given(user))
    session.save()
    return client
