"""Change and remove connections."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.connections.context import get_connection_or_404, verbs_for
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import change_connection, remove_connection
from hoursmith_console.workspaces.viewer import ConsoleRequest


def change(request: ConsoleRequest, key: str) -> HttpResponse:
    """Change the name or permissions of the viewer's own connection."""
    connection = get_connection_or_404(request, key)
    if not verbs_for(request.viewer, connection, None).edit:
        raise PermissionDenied
    had = connection.access
    if request.method != "POST":
        return _change_page(request, connection, ConnectionForm(initial={"label": connection.label, "access": had}))
    form = ConnectionForm(request.POST)
    if not form.is_valid():
        return _change_page(request, connection, form, status=400)
    actor = request.viewer.member.display_identity
    has_changed = change_connection(connection=connection, **form.cleaned_data, actor=actor)
    if connection.access != had:
        messages.warning(request, "Connection saved. Update its address in the assistant, and restart it.")
    elif has_changed:
        messages.success(request, "Connection saved.")
    return _to(connection)


def remove(request: ConsoleRequest, key: str) -> HttpResponse:
    """Confirm and remove a connection."""
    connection = get_connection_or_404(request, key)
    if connection.removed_at is not None:
        return _to(connection)
    if not verbs_for(request.viewer, connection, None).remove:
        raise PermissionDenied
    context = {
        "title": f"Remove {connection.label}?",
        "connection": connection,
    }
    if request.method != "POST":
        return TemplateResponse(request, "connections/remove.html", context)
    remove_connection(connection=connection, actor=request.viewer.member.display_identity)
    messages.success(request, f"{connection.label} removed.")
    return HttpResponseRedirect(reverse("console:connections:list"))


def _change_page(
    request: ConsoleRequest, connection: Connection, form: ConnectionForm, *, status: int = 200
) -> HttpResponse:
    context = {"title": "Edit connection", "connection": connection, "form": form}
    return TemplateResponse(request, "connections/change.html", context, status=status)


def _to(connection: Connection) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("console:connections:detail", args=[connection.slug]))
