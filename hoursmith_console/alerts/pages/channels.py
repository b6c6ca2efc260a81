"""Pages of channels."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hoursmith_console.alerts.channels import can_mail
from hoursmith_console.alerts.models import AlertChannel, ChannelKind
from hoursmith_console.alerts.pages.forms import ChannelForm
from hoursmith_console.alerts.pages.queries import visible_alerts
from hoursmith_console.alerts.pages.rules import attempt
from hoursmith_console.alerts.services import AlertError, change_channel, create_channel, delete_channel
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest


def new_channel(request: ConsoleRequest) -> HttpResponseBase:
    """With a `kind`, GET shows its form and POST creates the channel; else lead to the list, which offers the kinds."""
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    return _new_channel(request, ChannelKind(kind)) if kind in ChannelKind.values else _to_list()


@recent_auth_required
def _new_channel(request: ConsoleRequest, kind: ChannelKind) -> HttpResponse:
    member = request.viewer.member
    form = ChannelForm(kind, request.POST if request.method == "POST" else None)
    if not form.is_bound:
        form.initial = {"name": kind.label, "recipients": member.email}
    status, channel = attempt(
        form,
        lambda: create_channel(
            workspace=member.workspace, kind=kind, actor=member.display_identity, **form.cleaned_data
        ),
    )
    if channel is None:
        return _form(request, form, kind, status=status)
    messages.success(request, f"Channel {channel.name} added.")
    return _to_list()


def edit_channel(request: ConsoleRequest, key: int) -> HttpResponseBase:
    """GET shows the form, POST changes the channel."""
    return _edit_channel(request, _channel(request, key))


@recent_auth_required
def _edit_channel(request: ConsoleRequest, channel: AlertChannel) -> HttpResponse:
    kind = ChannelKind(channel.kind)
    form = ChannelForm(kind, request.POST if request.method == "POST" else None, channel=channel)

    def change() -> bool:
        change_channel(channel=channel, actor=request.viewer.member.display_identity, **form.cleaned_data)
        return True

    status, is_changed = attempt(form, change)
    if not is_changed:
        return _form(request, form, kind, status=status, channel=_channel(request, channel.pk))
    messages.success(request, "Channel saved.")
    return _to_list()


def remove_channel(request: ConsoleRequest, key: int) -> HttpResponse:
    """Delete a channel that no rule uses."""
    channel = _channel(request, key)
    try:
        delete_channel(channel=channel, actor=request.viewer.member.display_identity)
    except AlertError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Channel {channel.name} deleted.")
    return _to_list()


def _channel(request: ConsoleRequest, key: int) -> AlertChannel:
    channels = visible_alerts(request.viewer, AlertChannel.objects.select_related("workspace"))
    found: AlertChannel = get_object_or_404(channels, pk=key)
    return found


def _form(
    request: ConsoleRequest,
    form: ChannelForm,
    kind: ChannelKind,
    *,
    status: int,
    channel: AlertChannel | None = None,
) -> HttpResponse:
    return render_page(
        request,
        "alerts/channel.html",
        title=channel.name if channel else f"New channel: {kind.label}",
        status=status,
        form=form,
        kind=kind,
        channel=channel,
        can_mail=can_mail(),
        rules=list(channel.rules.all()) if channel else [],
    )


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('console:alerts:list')}#channels")
