"""The policy: who may see and change it, and that every change is on record with what was before."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.token_policy.models import TokenPolicy
from mcpbridge.models import AuditEvent, TokenNotice
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_token

Browse = Callable[[str], Client]
PAGE = "/rotations/token-policy/"
LIMITS = {"max_age_days": "90", "max_idle_days": "", "warn_days": "14"}


@pytest.mark.parametrize(
    ("person", "status"), [("owner", 200), ("admin", 200), ("manager", 403), ("member", 403), ("anonymous", 302)]
)
def test_owner_and_admin_have_the_page(cast: Cast, browse: Browse, person: str, status: int) -> None:
    assert browse(person).get(PAGE).status_code == status
    if status != 200:
        assert browse(person).post(PAGE, LIMITS).status_code == status
        assert not TokenPolicy.objects.exists()


def test_a_change_is_recorded_with_before_and_after(cast: Cast, browse: Browse) -> None:
    owner = browse("owner")
    assert "Policy saved" in owner.post(PAGE, LIMITS, follow=True).content.decode()
    assert "No changes" in owner.post(PAGE, LIMITS, follow=True).content.decode()
    (row,) = AuditEvent.objects.filter(tool="console.policy_change")
    assert row.actor == "Owner Person <owner@example.com>"
    assert row.arguments == {
        "before": {"max_age_days": None, "max_idle_days": None, "warn_days": 14, "notices_in_text": False},
        "after": {"max_age_days": 90, "max_idle_days": None, "warn_days": 14, "notices_in_text": False},
    }
    assert TokenPolicy.objects.get().workspace == cast.workspace


def test_a_change_tells_the_assistants_of_tokens_that_are_due_by_it(cast: Cast, browse: Browse) -> None:
    make_token(cast.org_id, "aaaaaaaaaaaa", first_used_at=timezone.now() - timedelta(days=91))
    browse("owner").post(PAGE, {**LIMITS, "notices_in_text": "on"})
    notice = TokenNotice.objects.get(ended_at=None)
    assert (notice.prefix, notice.is_in_text) == ("aaaaaaaaaaaa", True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"max_age_days": "0"}, "greater than or equal to 1"),
        ({"max_age_days": "soon"}, "whole number"),
        ({"max_age_days": "10", "warn_days": "10"}, "less than the maximum age"),
        ({"warn_days": ""}, "required"),
        ({"max_idle_days": "99999"}, "less than or equal to 3650"),
    ],
)
def test_an_invalid_value_is_explained_beside_its_field(
    cast: Cast, browse: Browse, change: dict[str, str], fault: str
) -> None:
    answer = browse("owner").post(PAGE, {**LIMITS, **change})
    assert answer.status_code == 400
    assert fault in answer.content.decode()
    assert not TokenPolicy.objects.exists()


@pytest.mark.usefixtures("audit_unavailable")
def test_without_a_record_the_policy_stays(cast: Cast, browse: Browse) -> None:
    assert browse("owner").post(PAGE, LIMITS).status_code == 503
    assert not TokenPolicy.objects.exists()
