"""Decorators of views that say who may open them. `ConsoleSite.admin_view` has let members alone in before."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseBase

from hoursmith_console.core.viewer import ConsoleMember

View = Callable[..., HttpResponseBase]
Marked = TypeVar("Marked", bound=View)


ADMINS, REVIEWERS = "Owners and Admins", "Owners, Admins and Auditors"


class RoleNotAllowedError(PermissionDenied):
    """The viewer's role does not allow what they asked for; the page of the refusal names the roles that do.

    A plain PermissionDenied means that the object is another member's, or in a state that allows no change.
    """

    def __init__(self, roles: str = ADMINS) -> None:
        super().__init__(f"This is for {roles} only.")
        self.roles = roles


def reviewer_required(view: View) -> View:
    """Answer 403 to members who do not see the whole workspace: only Owner, Admin and Auditor do."""
    return _members_who(lambda member: member.sees_workspace, view, REVIEWERS)


def admin_required(view: View) -> View:
    """Answer 403 to everyone but Owner and Admin."""
    return _members_who(lambda member: member.administers, view, ADMINS)


def recent_auth_required(view: View) -> View:
    """Ask for re-authentication first where the last one is not recent (`ACCOUNT_REAUTHENTICATION_TIMEOUT`).

    Put it inside `admin_required`, so that whom it is not for is refused before anything is asked of them.
    """
    guarded: View = reauthentication_required(view)
    return guarded


def auditor_may_post(view: Marked) -> Marked:
    """Mark `view` as one whose form changes nothing of the workspace, so that auditors may send it."""
    view.auditor_may_post = True  # type: ignore[attr-defined]
    return view


def without_two_factor(view: Marked) -> Marked:
    """Mark `view` as open where the workspace demands two-factor authentication that the member has not set up."""
    view.without_two_factor = True  # type: ignore[attr-defined]
    return view


def _members_who(may: Callable[[ConsoleMember], bool], view: View, roles: str) -> View:
    @wraps(view)
    def inner(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request.viewer.member):
            raise RoleNotAllowedError(roles)
        return view(request, *args, **kwargs)

    return inner
