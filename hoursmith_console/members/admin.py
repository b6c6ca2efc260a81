"""The members section. Django's admin imports it at start-up."""

import shlex
from typing import Any, Protocol

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.accounts.addresses import get_email_verification, normalize_email
from hoursmith_console.accounts.services import list_sessions
from hoursmith_console.connections.models import Connection
from hoursmith_console.core.permissions import admin_required, recent_auth_required
from hoursmith_console.core.section import ConsoleSection
from hoursmith_console.core.site import site
from hoursmith_console.core.texts import one_line
from hoursmith_console.core.views import render_page
from hoursmith_console.members.forms import InviteForm
from hoursmith_console.members.queries import list_people, search_members, visible_members
from hoursmith_console.paths import manage_command
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.sign_in.invitation_views import invitation_path
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels, tokens_claimed_by
from hoursmith_console.workspaces import access
from hoursmith_console.workspaces.invitations import InvitationError, UnlistedAddressError, find_member, invite
from hoursmith_console.workspaces.mail import MailNotSentError, send_invitation, sends_mail
from hoursmith_console.workspaces.models import Invitation, Member, Role
from hoursmith_console.workspaces.sync_age import is_sync_overdue
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import ObservedToken

PER_PAGE = LATEST = 50


class Change(Protocol):
    """A service that changes the console access of a member."""

    def __call__(self, *, member: Member, actor: str) -> object: ...


class MembersSection(ConsoleSection):
    """Members pages: all members for reviewers; other members see only themselves."""

    area, title, menu_order = "members", "Members", 8

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("", guard(require_safe(self.list_view)), name="list"),
            path(
                "invite/",
                guard(require_http_methods(["GET", "POST"])(admin_required(recent_auth_required(self.invite_view)))),
                name="invite",
            ),
            path("<int:key>/", guard(require_safe(self.detail_view)), name="detail"),
            path(
                "<int:key>/invite/",
                guard(require_POST(admin_required(recent_auth_required(self.reinvite_view)))),
                name="invite_again",
            ),
            path(
                "<int:key>/close/",
                guard(require_POST(admin_required(recent_auth_required(self.close_view)))),
                name="close",
            ),
            path(
                "<int:key>/open/",
                guard(require_POST(admin_required(recent_auth_required(self.open_view)))),
                name="open",
            ),
            path(
                "<int:key>/sign-out/",
                guard(require_POST(admin_required(recent_auth_required(self.sign_out_view)))),
                name="sign_out",
            ),
            path(
                "<int:key>/auditor/",
                guard(require_POST(admin_required(recent_auth_required(self.auditor_view)))),
                name="auditor",
            ),
        ]

    def list_view(self, request: ConsoleRequest) -> HttpResponse:
        """List the members and their console access."""
        query = one_line(request.GET.get("q", ""), 200)
        pages = Paginator(search_members(visible_members(request.viewer), query), PER_PAGE)
        page = pages.get_page(request.GET.get("page"))
        return render_page(
            request,
            "members/list.html",
            people=list_people(page.object_list),
            page=page,
            query=query,
            synced_at=request.viewer.member.workspace.members_synced_at,
            is_overdue=is_sync_overdue(request.viewer.member.workspace),
            sync_command=f"{manage_command()} members_sync",
        )

    def detail_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Show a member; 404 for members outside the viewer's sight."""
        viewer = request.viewer
        member = get_object_or_404(visible_members(viewer), pk=key)
        return render_page(request, "members/detail.html", **_detail(viewer, member))

    def invite_view(self, request: ConsoleRequest) -> HttpResponse:
        """Invite a user to the console."""
        viewer = request.viewer
        data = request.POST if request.method == "POST" else None
        form = InviteForm(data, actor=viewer.member)
        if not form.is_valid():
            return _invite_page(request, form)
        email, role = normalize_email(form.cleaned_data["email"]), form.cleaned_data["role"]
        is_confirmed = bool(request.POST.get("unlisted"))
        try:
            known = find_member(workspace=viewer.member.workspace, email=email)
            return self._invited(request, email, known.role if known else role, known, allow_unlisted=is_confirmed)
        except UnlistedAddressError as error:
            form.add_error("email", str(error))
            return _invite_page(request, form, asks_unlisted=True)
        except InvitationError as error:
            return self._not_invited(request, error, None)

    def reinvite_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Invite a member who has no account here yet."""
        member = self._managed(request, key)
        return self._invited(request, member.email, member.role, member, allow_unlisted="unlisted" in request.POST)

    def close_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Revoke a member's console access."""
        return self._done(request, self._managed(request, key), access.revoke_access, "Access removed")

    def open_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Restore a member's console access."""
        return self._done(request, self._managed(request, key), access.restore_access, "Access restored")

    def sign_out_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """End all sessions of a member."""
        return self._done(request, self._managed(request, key), access.sign_out_member, "Signed out everywhere")

    def auditor_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Add or remove the auditor role."""
        member = self._managed(request, key)
        if member.role in (Role.OWNER, Role.ADMIN):
            raise PermissionDenied
        if member.is_auditor:
            return self._done(request, member, access.remove_auditor, "Auditor role removed")
        return self._done(request, member, access.add_auditor, "Auditor role added")

    def _managed(self, request: ConsoleRequest, key: int) -> Member:
        """Return the member; 404 if the viewer may not see them, 403 if the viewer may not manage them."""
        viewer = request.viewer
        member = get_object_or_404(visible_members(viewer), pk=key)
        if not access.can_manage_member(viewer.member, member):
            raise PermissionDenied
        return member

    def _done(self, request: ConsoleRequest, member: Member, change: Change, words: str) -> HttpResponse:
        change(member=member, actor=request.viewer.member.display_identity)
        messages.success(request, f"{words}.")
        return HttpResponseRedirect(reverse("console:members:detail", args=[member.pk]))

    def _invited(
        self, request: ConsoleRequest, email: str, role: str, known: Member | None, *, allow_unlisted: bool
    ) -> HttpResponse:
        """Invite and email the link. Never show the link: anyone who sees it could use it.

        Raises UnlistedAddressError for an address that no member has.
        """
        viewer = request.viewer
        if not access.can_invite_as(viewer.member, role) or (
            known and not access.can_manage_member(viewer.member, known)
        ):
            raise PermissionDenied
        channel = Invitation.Channel.MAIL if sends_mail() else Invitation.Channel.CONSOLE
        workspace, actor = viewer.member.workspace, viewer.member.display_identity
        try:
            invitation, secret = invite(
                workspace=workspace,
                email=email,
                role=role,
                channel=channel,
                actor=actor,
                allow_unlisted=allow_unlisted,
            )
        except InvitationError as error:
            if known is None:
                raise
            return self._not_invited(request, error, known)
        return render_page(
            request,
            "members/invited.html",
            title="Member invited",
            person=list_people([invitation.member])[0],
            command="" if secret else _command(invitation),
            is_mailed=bool(secret) and _mailed(invitation, secret),
            oidc_name=settings.OIDC.get("name", ""),
        )

    def _not_invited(self, request: ConsoleRequest, error: Exception, known: Member | None) -> HttpResponse:
        messages.error(request, str(error))
        address = reverse("console:members:detail", args=[known.pk]) if known else reverse("console:members:invite")
        return HttpResponseRedirect(address)


def _invite_page(request: ConsoleRequest, form: InviteForm, *, asks_unlisted: bool = False) -> HttpResponse:
    return render_page(
        request,
        "members/invite.html",
        title="Invite member",
        form=form,
        asks_unlisted=asks_unlisted,
        sends_mail=sends_mail(),
        status=400 if form.is_bound else 200,
    )


def _mailed(invitation: Invitation, secret: str) -> bool:
    """Email the link to the invited address. Return False if the mail server does not accept it."""
    link = f"{settings.PUBLIC_URL}{invitation_path(secret)}"
    try:
        send_invitation(member=invitation.member, link=link, inviter=invitation.inviter)
    except MailNotSentError:
        return False
    return True


def _command(invitation: Invitation) -> str:
    """Return the command that prints a link, with the address quoted for the shell."""
    given = ["--email", invitation.email, "--role", invitation.role.lower()]
    given += ["--workspace", invitation.member.workspace.org_id]
    if not invitation.member.is_listed:
        given.append("--force")
    return f"{manage_command()} console_invite {shlex.join(given)}"


def _detail(viewer: Viewer, member: Member) -> dict[str, Any]:
    """Return the context of a member's page. Only the member and reviewers see sessions."""
    person = list_people([member])[0]
    sees_sessions = member.pk == viewer.member.pk or viewer.member.sees_workspace
    return {
        "title": member.name,
        "person": person,
        "is_self": member.pk == viewer.member.pk,
        "can_manage_member": access.can_manage_member(viewer.member, member),
        "can_be_auditor": member.role not in (Role.OWNER, Role.ADMIN) and member.is_active,
        "verification": get_email_verification(member.user, member.email) if isinstance(member.user, User) else None,
        "tokens": _tokens_of(viewer, member),
        "connections": Connection.objects.filter(owner=member, removed_at=None)[:LATEST],
        "rotations": Rotation.objects.needing_action().filter(owner=member)[:LATEST],
        "sessions": list_sessions(member.user) if sees_sessions and isinstance(member.user, User) else [],
    }


site.add(MembersSection(site))


def _tokens_of(viewer: Viewer, member: Member) -> list[tuple[ObservedToken, TokenLabel]]:
    tokens = list(tokens_claimed_by(viewer, member)[:LATEST])
    labels = token_labels(viewer, tokens)
    return [(token, labels[ref_of(token)]) for token in tokens]
