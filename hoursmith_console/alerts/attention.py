"""Attention item about alerts that do not reach their channel."""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from hoursmith_console.alerts.models import AlertDelivery, DeliveryState
from hoursmith_console.alerts.pages.queries import visible_alerts
from hoursmith_console.core.attention import AttentionItem, Tone
from hoursmith_console.core.times.rendering import ago
from hoursmith_console.workspaces.viewer import Viewer

_LATELY = timedelta(days=1)
_TROUBLED = Q(state=DeliveryState.FAILED) | (Q(state=DeliveryState.WAITING) & ~Q(last_error=""))


def undelivered_alerts(viewer: Viewer) -> Iterator[AttentionItem]:
    """The latest alert that failed within a day, or is being retried."""
    since = timezone.now() - _LATELY
    found = visible_alerts(viewer, AlertDelivery.objects.filter(_TROUBLED, is_test=False, created_at__gte=since))
    if viewer.member.sees_workspace and (last := found.order_by("-pk").first()):
        yield AttentionItem(
            tone=Tone.LOST,
            sign="!",
            what=format_html(
                '<strong>Alerts are not delivered to <span class="name">{}</span></strong>: {}',
                last.channel_name,
                last.last_error,
            ),
            second=ago(last.created_at),
            about="alert deliveries",
            address=reverse("console:alerts:deliveries"),
        )
