"""The badge: when the record was verified last, with what result, and the button that does it again."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from hoursmith_console.audit.models import LOST_AFTER, Verification
from hoursmith_console.audit.verification.jobs import run_verification, start_verification, verification_status
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.db.locks import acquire_locks
from tests.databases import RecordDatabase, postgres_record, sqlite_record
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.postgres import shared_cluster

Browse = Callable[[str], Client]


def _run(org_id: str) -> Verification:
    run = Verification.objects.create(org_id=org_id)
    run_verification(run=run)
    return Verification.objects.get(pk=run.pk)


def _tamper(call_id: object) -> None:
    """Change a row as somebody with the database's password could."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'mcpbridge_auditevent'")
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')
        cursor.execute(
            "UPDATE mcpbridge_auditevent SET target_label = 'Other' WHERE call_id = %s AND phase = 'intent'",
            [str(call_id).replace("-", "")],
        )


def test_a_sound_chain_is_said_to_hold(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    make_audit(cast.tokens["outsider"])
    run = _run(cast.org_id)
    assert (run.is_sound, run.rows, run.fault) == (True, 2, "")
    for address in ("/", "/audit/"):
        page = browse("owner").get(address).content.decode()
        assert "no tampering detected" in page
        assert "tampered" not in page


def test_a_broken_chain_cannot_be_overlooked(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    bad = make_audit(cast.tokens["manager"])
    _tamper(bad.call_id)
    run = _run(cast.org_id)
    assert (run.is_sound, run.bad_sequence, run.bad_row) == (False, bad.sequence, str(bad.pk))
    visitor = browse("admin")
    for address in ("/", "/audit/", f"/audit/{bad.call_id}/"):
        page = visitor.get(address).content.decode()
        assert f"tampered with: edited at entry {bad.sequence}" in page
        assert f"/audit/{bad.call_id}/" in page
        assert "no tampering detected" not in page
        assert "Nothing needs attention." not in page


def test_a_wrong_key_is_told_apart_from_rows_that_were_changed(cast: Cast, browse: Browse, settings: Settings) -> None:
    make_audit(cast.tokens["manager"])
    make_checkpoints(reason="demand", org_id=cast.org_id)
    settings.AUDIT_SIGNING_KEY = "a text that nobody announced " * 2
    run = _run(cast.org_id)
    assert (run.is_sound, run.bad_kind) == (False, "unknown-key")
    for address in ("/", "/audit/"):
        page = browse("owner").get(address).content.decode()
        assert "signed with an unknown key" in page
        assert "tampered with" not in page
    assert "audit_keygen --rotate" in page


def test_the_last_result_stays_while_the_next_run_goes_on(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    _run(cast.org_id)
    Verification.objects.create(org_id=cast.org_id, rows=1500, total=20_000)
    page = browse("owner").get("/audit/").content.decode()
    assert "no tampering detected" in page
    assert "1,500" in page
    assert 'hx-trigger="every 1s"' in page
    assert "Verify now" not in page


def test_a_run_whose_process_ended_can_be_repeated(cast: Cast, browse: Browse) -> None:
    long_ago = timezone.now() - LOST_AFTER - timedelta(seconds=1)
    Verification.objects.create(org_id=cast.org_id, started_at=long_ago, seen_at=long_ago)
    page = browse("owner").get("/audit/").content.decode()
    assert "was interrupted" in page
    assert "Verify now" in page


def test_a_run_that_goes_on_is_not_begun_twice(cast: Cast) -> None:
    run = Verification.objects.create(org_id=cast.org_id)
    assert start_verification(org_id=cast.org_id, actor="Ana") == run


@pytest.fixture(params=["sqlite", "postgres"])
def record(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
    needs: Callable[[bool, str], None],
) -> Iterator[RecordDatabase]:
    """A database of its own, with what the badge needs."""
    made = sqlite_record(tmp_path) if request.param == "sqlite" else postgres_record(tmp_path, shared_cluster(needs))
    with django_db_blocker.unblock(), made as database:
        call_command("migrate", Verification._meta.app_label, verbosity=0)
        yield database


def test_of_two_who_begin_at_once_the_second_joins_the_first(record: RecordDatabase) -> None:
    """The first one's transaction is still open when the second asks: it waits, and then finds the run."""
    joined: list[Verification] = []

    def second() -> None:
        joined.append(start_verification(org_id="org-1", actor="Ben"))
        connections.close_all()

    with transaction.atomic():
        acquire_locks("default", "verification org-1")
        first = Verification.objects.create(org_id="org-1", asked_by="Ana")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(10)
    assert joined == [first]
    assert Verification.objects.count() == 1


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_reviewers_have_the_badge(browse: Browse, person: str) -> None:
    for address in ("/", "/audit/", "/audit/verification/"):
        page = browse(person).get(address).content.decode()
        assert "Not verified yet" in page
        assert "Verify now" in page


@pytest.mark.parametrize(("person", "status"), [("manager", 403), ("member", 403), ("anonymous", 302)])
def test_nobody_else_has_it(cast: Cast, browse: Browse, person: str, status: int) -> None:
    visitor = browse(person)
    assert visitor.post("/audit/verify/").status_code == status
    assert visitor.get("/audit/verification/").status_code == status
    assert "verified" not in visitor.get("/").content.decode()
    assert "verified" not in visitor.get("/audit/").content.decode()
    assert not Verification.objects.exists()


def test_another_workspace_sees_nothing_of_it(cast: Cast, browse: Browse) -> None:
    make_audit(cast.tokens["manager"])
    _run(cast.org_id)
    assert "Not verified yet" in browse("outsider").get("/audit/").content.decode()


def test_verifying_needs_a_post_with_the_pages_token(cast: Cast, browse: Browse) -> None:
    assert browse("owner").get("/audit/verify/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    user = cast.people["owner"].user
    assert user is not None
    strict.force_login(user)
    assert strict.post("/audit/verify/").status_code == 403


@pytest.mark.parametrize(
    ("posted", "script", "leads_to"),
    [({}, False, "/audit/"), ({"from": "overview"}, False, "/"), ({"from": "overview"}, True, None)],
)
def test_the_button_works_with_and_without_script(
    cast: Cast, browse: Browse, posted: dict[str, str], script: bool, leads_to: str | None
) -> None:
    # One goes on, so that no thread is started here.
    Verification.objects.create(org_id=cast.org_id)
    answer = browse("owner").post("/audit/verify/", posted, headers={"HX-Request": "true"} if script else {})
    if leads_to is None:
        assert answer.status_code == 200
        assert "Verifying:" in answer.content.decode()
        assert "<html" not in answer.content.decode()
    else:
        assert (answer.status_code, answer.headers["Location"]) == (302, leads_to)


@pytest.mark.django_db(transaction=True)
def test_the_run_in_the_background_leaves_its_result(cast: Cast) -> None:
    # Without rows, for those could not be cleared away after the test.
    start_verification(org_id=cast.org_id, actor="Ana")
    until = time.monotonic() + 20
    while verification_status(org_id=cast.org_id).last is None and time.monotonic() < until:
        time.sleep(0.05)
    last = verification_status(org_id=cast.org_id).last
    assert last is not None
    assert (last.is_sound, last.fault, last.asked_by) == (None, "The audit log is empty.", "Ana")
