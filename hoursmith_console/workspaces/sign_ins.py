"""Records who came into the console and who tried, in each workspace that the account opens."""

from django.contrib.auth.models import User

from hoursmith_console.workspaces.models import Member
from mcpbridge.events import event_record
from mcpbridge.models import Result


def sign_in_record(*, user: User, way: str, address: str) -> None:
    """Record that `user` signs in by `way` (password, invitation); raises AuditUnavailableError: then they must not."""
    for member in _memberships(user):
        _record(member, "console.sign_in", actor=member.named, address=address, details={"way": way})


def sign_out_record(*, user: User, address: str) -> None:
    """Record that `user` signs out; raises AuditUnavailableError."""
    for member in _memberships(user):
        _record(member, "console.sign_out", actor=member.named, address=address)


def sign_in_failure_record(*, email: str, address: str) -> None:
    """Record that somebody, nobody knows who, failed to sign in as the account with `email`, if there is one.

    Raises AuditUnavailableError. Attempts beyond the limits of the sign-in page never come here.
    """
    user = User.objects.filter(emailaddress__email=email.strip().lower()).first()
    if user is not None:
        for member in _memberships(user):
            _record(member, "console.sign_in_failed", actor="", address=address, result=Result.REFUSED)


def _memberships(user: User) -> list[Member]:
    # In one order, so that two people of the same workspaces never wait for each other in a ring.
    found = Member.objects.filter(user_id=user.pk, is_active=True).select_related("workspace")
    return sorted(found, key=lambda member: member.workspace.org_id)


def _record(
    member: Member,
    action: str,
    *,
    actor: str,
    address: str,
    details: dict[str, str] | None = None,
    result: Result = Result.SUCCEEDED,
) -> None:
    event_record(
        org_id=member.workspace.org_id,
        org_name=member.workspace.name,
        action=action,
        actor=actor,
        target_type="account",
        target_id=str(member.user_id),
        target_label=member.named,
        details=details,
        result=result,
        address=address,
    )
