"""Two who decide at the same moment. Run on PostgreSQL by `test_postgres.py`, where transactions really overlap."""

import functools
import threading
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.accounts.addresses import AddressTakenError, find_verified_account, verify_address
from hoursmith_console.accounts.models import EmailVerification, OidcIdentity
from hoursmith_console.accounts.oidc_identities import IdentityTakenError, OidcUser, link_identity
from hoursmith_console.workspaces.invitations import InvitationError, accept_invitation, invite
from hoursmith_console.workspaces.models import Invitation, Member
from hoursmith_console.workspaces.services import draft_account, import_workspace


@pytest.fixture(autouse=True)
def _committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Everything is committed and stays: the audit log lets nothing be emptied, and the database is thrown away."""
    with django_db_blocker.unblock():
        yield
        connection.close()


def at_once(*deeds: Callable[[], object]) -> list[str]:
    """Do all at the same moment, each on a connection of its own; "done", or the name of what was raised."""
    start, said = threading.Barrier(len(deeds)), []

    def run(deed: Callable[[], object]) -> None:
        start.wait(10)
        try:
            deed()
        except (InvitationError, AddressTakenError, IdentityTakenError) as error:
            said.append(type(error).__name__)
        else:
            said.append("done")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(said)


def accounts(number: int) -> list[User]:
    made = [draft_account() for _ in range(number)]
    for user in made:
        user.save()
    return made


def test_one_invitation_is_accepted_by_one_account() -> None:
    acme = import_workspace(org_id="org-acme", name="Acme", plan="agency")
    for number in range(5):
        invitation, _ = invite(
            workspace=acme,
            email=f"i{number}@example.com",
            role="MEMBER",
            channel=Invitation.Channel.OPERATOR,
            actor="ana",
            allow_unlisted=True,
        )

        def accept(user: User, invitation: Invitation = invitation) -> None:
            accept_invitation(invitation=invitation, user=user, has_link=True, address="")

        deeds = [functools.partial(accept, user) for user in accounts(3)]
        assert at_once(*deeds) == ["InvitationError", "InvitationError", "done"]
        assert Member.objects.get(email=f"i{number}@example.com").user is not None


def test_one_address_is_proven_to_one_account() -> None:
    for number in range(5):
        email = f"v{number}@example.com"
        deeds = [
            lambda user=user, email=email: verify_address(
                user=user, email=email, method=EmailVerification.Method.OIDC, takes_over=True
            )
            for user in accounts(3)
        ]
        assert at_once(*deeds).count("done") == 1
        assert find_verified_account(email) is not None


def test_one_identity_is_linked_to_one_account() -> None:
    for number in range(5):
        told = OidcUser("https://login.example.com", f"subject-{number}", "")
        deeds = [lambda user=user, told=told: link_identity(user=user, oidc_user=told) for user in accounts(3)]
        assert at_once(*deeds) == ["IdentityTakenError", "IdentityTakenError", "done"]
        assert OidcIdentity.objects.filter(subject=told.subject).count() == 1
