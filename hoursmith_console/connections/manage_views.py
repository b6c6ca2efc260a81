"""Renames and removes connections."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.connections.context import found_connection, owns
from hoursmith_console.connections.forms import ConnectionForm
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import connection_change, connection_remove
from hoursmith_console.workspaces.viewer import ConsoleRequest


def change(request: ConsoleRequest, key: str) -> HttpResponse:
    """Give one's own connection another name or access."""
    connection = found_connection(request, key)
    viewer = request.viewer
    if not owns(viewer, connection) or connection.removed_at is not None:
        raise PermissionDenied
    form = ConnectionForm(request.POST)
    if not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        messages.error(request, f"Nothing was changed. {words}")
        return _to(connection)
    had = connection.access
    has_changed = connection_change(connection=connection, **form.cleaned_data, actor=viewer.member.display_identity)
    if connection.access != had:
        messages.warning(request, "Changed. Put the new address below into the client, and start it again.")
    elif has_changed:
        messages.success(request, "Changed.")
    return _to(connection)


def remove(request: ConsoleRequest, key: str) -> HttpResponse:
    """Ask whether it is meant, and take the connection out of the lists."""
    connection = found_connection(request, key)
    viewer = request.viewer
    if not (owns(viewer, connection) or viewer.member.sees_workspace):
        raise PermissionDenied
    if connection.removed_at is not None:
        return _to(connection)
    context = {
        "title": f"Remove {connection.label}?",
        "connection": connection,
    }
    if request.method != "POST":
        return TemplateResponse(request, "connections/remove.html", context)
    connection_remove(connection=connection, actor=viewer.member.display_identity)
    messages.success(request, f"{connection.label} is removed.")
    return HttpResponseRedirect(reverse("console:connections:list"))


def _to(connection: Connection) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("console:connections:detail", args=[connection.slug]))
