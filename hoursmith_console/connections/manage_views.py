"""Change and remove connections."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.connections.context import get_connection_or_404, is_owner
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import change_connection, remove_connection
from hoursmith_console.workspaces.viewer import ConsoleRequest


def change(request: ConsoleRequest, key: str) -> HttpResponse:
    """Change the name or permissions of the viewer's own connection."""
    connection = get_connection_or_404(request, key)
    viewer = request.viewer
    if not is_owner(viewer, connection) or connection.removed_at is not None:
        raise PermissionDenied
    form = ConnectionForm(request.POST)
    if not form.is_valid():
        errors = " ".join(str(error) for field_errors in form.errors.values() for error in field_errors)
        messages.error(request, f"Nothing was changed. {errors}")
        return _to(connection)
    had = connection.access
    has_changed = change_connection(connection=connection, **form.cleaned_data, actor=viewer.member.display_identity)
    if connection.access != had:
        messages.warning(request, "Connection saved. Update its address in the assistant, and restart it.")
    elif has_changed:
        messages.success(request, "Connection saved.")
    return _to(connection)


def remove(request: ConsoleRequest, key: str) -> HttpResponse:
    """Confirm and remove a connection."""
    connection = get_connection_or_404(request, key)
    viewer = request.viewer
    if not (is_owner(viewer, connection) or viewer.member.sees_workspace):
        raise PermissionDenied
    if connection.removed_at is not None:
        return _to(connection)
    context = {
        "title": f"Remove {connection.label}?",
        "connection": connection,
    }
    if request.method != "POST":
        return TemplateResponse(request, "connections/remove.html", context)
    remove_connection(connection=connection, actor=viewer.member.display_identity)
    messages.success(request, f"{connection.label} removed.")
    return HttpResponseRedirect(reverse("console:connections:list"))


def _to(connection: Connection) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("console:connections:detail", args=[connection.slug]))
