"""What people are written: once, without a link or a secret, outside of transactions, and failures are kept."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.utils import timezone

from hoursmith_console.campaigns.services import queue_reminders
from hoursmith_console.rotations.models import Rotation, RotationMail
from hoursmith_console.rotations.notices.mails import is_mail_configured, reserve_mail, send_due_mails
from tests.hoursmith_console.campaigns.test_campaigns import start
from tests.hoursmith_console.conftest import Cast
from tests.servers import free_port
from tests.token_shapes import assembled_token

NOW = timezone.now()


@pytest.fixture(autouse=True)
def at_one_instant(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


def test_a_message_names_the_prefix_and_carries_nothing_to_click(cast: Cast) -> None:
    token = assembled_token(secret="Zq7")
    reason = f"See https://evil.example/login or www.evil.example, ana@evil.example and {token}"
    start(cast, "member", reason=reason, actor="Bad.Actor.example <bad@example.com>")
    assert send_due_mails(now=timezone.now()) == 1
    (message,) = outgoing.outbox
    assert message.to == ["member@example.com"]
    assert message.subject == "Please rotate your Hoursmith token"
    text = str(message.body)
    assert f"hsk_live_{cast.tokens['member'].prefix}_••••" in text
    assert "contains no link on purpose" in text
    assert "Zq7" not in text
    for clickable in ("://", "www.", "evil.example", "@", "Actor.example", "bad@"):
        assert clickable not in text
    assert message.message().get_content_type() == "text/plain"


def test_one_message_names_all_tokens_of_a_person(cast: Cast) -> None:
    start(cast, "member", "manager")
    Rotation.objects.update(owner=cast.people["member"])
    RotationMail.objects.exclude(member=cast.people["member"]).delete()
    send_due_mails(now=timezone.now())
    (message,) = outgoing.outbox
    assert message.subject == "Please rotate your Hoursmith tokens"
    assert str(message.body).count("hsk_live_") == 2


def test_nothing_is_sent_twice(cast: Cast) -> None:
    start(cast, "member")
    assert send_due_mails(now=timezone.now()) == 1
    assert send_due_mails(now=timezone.now()) == 0
    # As another process sees it that read the row before the first one took it.
    taken = RotationMail.objects.get()
    assert (taken.next_attempt_at, taken.last_error) == (None, "")
    assert taken.sent_at is not None
    later = NOW + timedelta(days=7)
    assert queue_reminders(now=later) == 1
    assert send_due_mails(now=later) == 1
    assert [message.subject for message in outgoing.outbox][1] == "Reminder: please rotate your Hoursmith token"
    assert Rotation.objects.get().reminded_at == later


def test_a_message_that_two_processes_saw_is_taken_by_one(cast: Cast) -> None:
    start(cast, "member")
    here, there = RotationMail.objects.get(), RotationMail.objects.get()
    assert reserve_mail(here)
    assert not reserve_mail(there)
    assert send_due_mails(now=timezone.now()) == 0


def test_an_unreachable_mail_server_is_retried_and_reported(cast: Cast, settings: Any) -> None:
    start(cast, "member")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    now = timezone.now()
    assert send_due_mails(now=now) == 0
    mail = RotationMail.objects.get()
    assert "ConnectionRefusedError" in mail.last_error
    assert (mail.attempts, mail.sent_at) == (1, None)
    assert mail.next_attempt_at is not None
    assert mail.next_attempt_at > now
    assert send_due_mails(now=now) == 0
    for _ in range(3):
        mail.refresh_from_db()
        assert mail.next_attempt_at is not None
        send_due_mails(now=mail.next_attempt_at)
    mail.refresh_from_db()
    assert (mail.attempts, mail.next_attempt_at) == (4, None)


def test_who_has_rotated_meanwhile_is_not_written_to(cast: Cast) -> None:
    start(cast, "member")
    Rotation.objects.update(ended_at=NOW, outcome="done")
    assert send_due_mails(now=timezone.now()) == 0
    assert outgoing.outbox == []


@pytest.mark.parametrize("backend", ["console", "dummy"])
def test_without_a_mail_server_no_email_is_queued(cast: Cast, settings: Any, backend: str) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    assert not is_mail_configured()
    start(cast, "member")
    assert not RotationMail.objects.exists()
