"""A workspace with a channel, rules, and a clock that the test turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from hoursmith_console.alerts.collecting import close_due_alerts, collect_audit_events, collect_observed_events
from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import AlertChannel, AlertDelivery, AlertRule, ChannelKind
from hoursmith_console.alerts.sending import send_due_deliveries
from hoursmith_console.alerts.services import RuleSettings, create_channel, create_rule
from tests.hoursmith_console.conftest import Cast


@dataclass
class Alerts:
    """What a test does with alerts. `now` begins a little after the rules, as their events do."""

    cast: Cast
    mails: list[EmailMessage]
    now: datetime = field(default_factory=timezone.now)

    def channel(self, kind: str = ChannelKind.EMAIL, *, name: str = "Team", address: str = "") -> AlertChannel:
        recipients = ["team@example.com"] if kind == ChannelKind.EMAIL else []
        return create_channel(
            workspace=self.cast.workspace, name=name, kind=kind, actor="Ana", address=address, recipients=recipients
        )

    def rule(
        self, kind: AlertKind = AlertKind.DELETION, *, channels: Sequence[AlertChannel] = (), **more: Any
    ) -> AlertRule:
        found = AlertChannel.objects.first()
        chosen = channels or [found or self.channel()]
        settings = RuleSettings(**{"name": str(kind.label), "channels": chosen, **more})
        return create_rule(workspace=self.cast.workspace, kind=kind, settings=settings, actor="Ana")

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def collect(self) -> None:
        """One look at everything, and what is due."""
        collect_audit_events(self.now)
        collect_observed_events(self.now)
        close_due_alerts(self.now)

    def send(self) -> int:
        return send_due_deliveries(lambda: self.now)

    def round(self) -> int:
        """What the jobs of one process do in a round; how many deliveries were accepted."""
        self.collect()
        return self.send()

    @property
    def texts(self) -> list[str]:
        return [str(mail.body) for mail in self.mails]

    @property
    def deliveries(self) -> list[AlertDelivery]:
        return list(AlertDelivery.objects.order_by("pk"))


@pytest.fixture
def alerts(cast: Cast, mail: list[EmailMessage], settings: Any) -> Alerts:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.LOG_DESTINATION_TIMEOUT_S = 0.3
    settings.PUBLIC_URL = "https://console.example"
    return Alerts(cast, mail)


Browse = Callable[[str], Any]
