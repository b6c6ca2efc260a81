"""The pages of the destinations: for reviewers who have just shown that it is they; each change is in the record."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.audit.destinations.services import MOST_DESTINATIONS, create_destination
from mcpbridge.models import AuditEvent, CallKind, LogDestination
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver

Browse = Callable[[str], Client]
NEW = {"type": "webhook:json", "name": "SIEM", "address": "https://1.1.1.1/in", "start": "now"}
CHANGES = ("change", "restart", "secret", "test", "pause", "resume", "delete")


def make_destination(cast: Cast, name: str = "SIEM", *, org_id: str = "", **more: Any) -> LogDestination:
    said = {"kind": "webhook", "format": "json", "address": "https://1.1.1.1/in", "from_first_row": True, **more}
    return create_destination(org_id=org_id or cast.org_id, name=name, actor="Ana", **said)[0]


def recorded(action: str) -> AuditEvent:
    return AuditEvent.objects.get(tool=f"console.destination_{action}")


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_reviewers_make_a_sink_and_see_its_secret_once(cast: Cast, trusted: Browse, person: str) -> None:
    make_audit(cast.tokens["manager"])
    visitor = trusted(person)
    answer = visitor.post("/audit/destinations/new/", NEW)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/=]+", text_of(answer)))
    destination = LogDestination.objects.get()
    assert (destination.org_id, destination.acked, destination.created_by) == (
        cast.org_id,
        2,
        cast.people[person].display_identity,
    )
    told = recorded("create")
    assert told.actor == cast.people[person].display_identity
    assert told.arguments == {
        "kind": "webhook",
        "format": "json",
        "address": "https://1.1.1.1/in",
        "from_row": 3,
    }
    # Nowhere else: not in the database, not on the destination's own page, not in the session.
    raw = secret.removeprefix("whsec_")
    assert raw not in destination.encrypted_secret
    assert not any(raw in str(row) for model in (LogDestination, AuditEvent) for row in model.objects.values())
    for address in ("/audit/destinations/", f"/audit/destinations/{destination.pk}/", f"/audit/{told.call_id}/"):
        page = visitor.get(address)
        assert page.status_code == 200
        assert raw not in text_of(page)
    assert raw not in str(dict(visitor.session))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"address": "http://siem.example.com/in"}, "must begin with https://"),
        ({"address": "https://169.254.169.254/latest"}, "does not resolve to an address on the public internet"),
        ({"address": "https://ana:word@1.1.1.1/"}, "must not contain a user, password"),
        ({"address": "https://1.1.1.1/?token=x"}, "seems to contain a secret"),
        ({"type": "syslog:cef", "address": "udp://1.1.1.1"}, "begin with tls:// or tcp://"),
        ({"type": "file:json", "address": "../../etc/passwd"}, "The file name is invalid"),
        ({"type": "file:json", "address": "/etc/passwd"}, "The file name is invalid"),
        ({"type": "file:json", "address": ".."}, "The file name is invalid"),
        ({"type": "file:cef"}, "not one of the available choices"),
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 81}, "at most 80"),
    ],
)
def test_what_cannot_be_is_said_at_the_field_and_makes_nothing(
    trusted: Browse, changes: dict[str, str], told: str
) -> None:
    answer = trusted("owner").post("/audit/destinations/new/", {**NEW, **changes})
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not LogDestination.objects.exists()
    assert not AuditEvent.objects.exists()


def test_names_are_taken_once_and_sinks_have_a_number(cast: Cast, trusted: Browse) -> None:
    make_destination(cast)
    assert "Another log destination has this name" in text_of(trusted("owner").post("/audit/destinations/new/", NEW))
    for number in range(MOST_DESTINATIONS - 1):
        make_destination(cast, f"destination {number}")
    assert f"at most {MOST_DESTINATIONS} log destinations" in text_of(
        trusted("owner").post("/audit/destinations/new/", {**NEW, "name": "one more"})
    )
    assert 'href="/audit/destinations/new/"' not in text_of(trusted("owner").get("/audit/destinations/"))


def test_two_sinks_never_share_a_file(cast: Cast, trusted: Browse) -> None:
    make_destination(cast, kind="file", address="audit.jsonl")
    answer = trusted("owner").post(
        "/audit/destinations/new/", {**NEW, "type": "file:json", "address": "audit.jsonl", "name": "B"}
    )
    assert "Another log destination writes to this file" in text_of(answer)


def test_every_change_is_made_and_recorded(cast: Cast, trusted: Browse) -> None:
    for _ in range(3):
        make_audit(cast.tokens["manager"])
    destination = make_destination(cast)
    visitor, page = trusted("admin"), f"/audit/destinations/{destination.pk}/"

    def do(action: str, **said: Any) -> LogDestination:
        answer = visitor.post(f"{page}{action}/", said)
        assert answer.status_code == 302, text_of(answer)
        return LogDestination.objects.get()

    changed = do("change", name="SIEM 2", address="https://1.0.0.1/in", format="json")
    assert (changed.name, changed.address) == ("SIEM 2", "https://1.0.0.1/in")
    assert recorded("change").arguments["before"] == {"name": "SIEM", "address": "https://1.1.1.1/in"}
    assert do("pause").is_paused
    assert not do("resume").is_paused
    assert do("restart", sequence=3).acked == 2
    assert recorded("restart").arguments == {"from_row": 3, "acked_row": 0}
    sealed = LogDestination.objects.get().encrypted_secret
    shown = visitor.post(f"{page}secret/")
    assert "whsec_" in text_of(shown)
    assert LogDestination.objects.get().encrypted_secret != sealed
    assert recorded("secret").arguments == {}
    gone = do("delete")
    assert (gone.deleted_by, gone.encrypted_secret) == (cast.people["admin"].display_identity, "")
    assert recorded("delete").target_label == "SIEM 2"
    assert visitor.get(page).status_code == 404
    assert {
        row.actor for row in AuditEvent.objects.filter(kind=CallKind.CONSOLE).exclude(tool="console.destination_create")
    } == {cast.people["admin"].display_identity}


def test_the_record_tells_of_sinks_in_sentences(cast: Cast, trusted: Browse) -> None:
    destination = make_destination(cast, "Splunk of ours")
    visitor = trusted("owner")
    for action in ("pause", "resume", "secret", "delete"):
        visitor.post(f"/audit/destinations/{destination.pk}/{action}/")
    pages = [text_of(visitor.get(f"/audit/{row.call_id}/")) for row in AuditEvent.objects.all()]
    told = " ".join(" ".join(pages).split())
    for words in (
        "added the log destination",
        "paused the log destination",
        "resumed the log destination",
        "rotated the signing secret of the log destination",
        "deleted the log destination",
    ):
        assert f'{words} <strong class="name">Splunk of ours</strong>' in told


def test_a_test_says_whether_it_arrived(cast: Cast, trusted: Browse, settings: Any) -> None:
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.LOG_DESTINATION_TIMEOUT_S = 2
    with HttpReceiver(200, 503) as receiver:
        destination = make_destination(cast, address=receiver.url)
        visitor = trusted("owner")
        first = visitor.post(f"/audit/destinations/{destination.pk}/test/", follow=True)
        second = visitor.post(f"/audit/destinations/{destination.pk}/test/", follow=True)
    assert "Test message delivered." in text_of(first)
    assert "The test message was not delivered. The receiver answered 503." in text_of(second)
    assert [request.records[0]["type"] for request in receiver.requests] == ["test", "test"]
    rows = AuditEvent.objects.filter(tool="console.destination_test").order_by("sequence")
    assert [(row.result, row.arguments) for row in rows] == [
        ("succeeded", {}),
        ("failed", {"fault": "The receiver answered 503."}),
    ]
    assert LogDestination.objects.get().failing_since is None


@pytest.mark.parametrize(
    ("person", "listing", "page"),
    [("outsider", 200, 404), ("manager", 403, 403), ("member", 403, 403), ("anonymous", 302, 302)],
)
def test_nobody_else_sees_or_changes_a_destination(
    cast: Cast, browse: Browse, person: str, listing: int, page: int
) -> None:
    destination = make_destination(cast, "Ours alone")
    before = LogDestination.objects.values().get()
    visitor = browse(person)
    answer = visitor.get("/audit/destinations/")
    assert answer.status_code == listing
    assert "Ours alone" not in text_of(answer)
    assert visitor.get(f"/audit/destinations/{destination.pk}/").status_code == page
    for action in CHANGES:
        answer = visitor.post(f"/audit/destinations/{destination.pk}/{action}/", {"sequence": 1, **NEW})
        # A reviewer of another workspace is asked who they are before anything is looked for.
        assert answer.status_code == (302 if person == "outsider" else page)
    assert LogDestination.objects.values().get() == before


def test_an_outsider_who_re_authenticated_finds_nothing(cast: Cast, trusted: Browse) -> None:
    destination = make_destination(cast)
    before = LogDestination.objects.values().get()
    for action in CHANGES:
        answer = trusted("outsider").post(
            f"/audit/destinations/{destination.pk}/{action}/", {"sequence": 1, **NEW, "format": "json"}
        )
        assert answer.status_code == 404
    assert LogDestination.objects.values().get() == before


@pytest.mark.parametrize("action", CHANGES)
def test_each_change_asks_for_a_recent_password_and_is_no_link(cast: Cast, browse: Browse, action: str) -> None:
    destination = make_destination(cast)
    before = LogDestination.objects.values().get()
    address = f"/audit/destinations/{destination.pk}/{action}/"
    answer = browse("owner").post(address, {"sequence": 1, **NEW})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/reauthenticate/")
    assert browse("owner").get(address).status_code == 405
    assert LogDestination.objects.values().get() == before


def test_a_new_destination_asks_for_a_recent_password(browse: Browse) -> None:
    for answer in (
        browse("owner").get("/audit/destinations/new/"),
        browse("owner").post("/audit/destinations/new/", NEW),
    ):
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/reauthenticate/")
    assert not LogDestination.objects.exists()


def test_the_list_teaches_when_it_is_empty_and_says_what_fails_when_it_is_not(cast: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    assert "Keep a copy of the audit log outside this console." in text_of(visitor.get("/audit/destinations/"))
    failing, paused = make_destination(cast, "Failing <one>"), make_destination(cast, "Paused one")
    since = timezone.now() - timedelta(hours=2)
    fault = "The receiver answered 500."
    LogDestination.objects.filter(pk=failing.pk).update(failing_since=since, fault=fault, next_try_at=since, attempts=3)
    LogDestination.objects.filter(pk=paused.pk).update(is_paused=True)
    page = text_of(visitor.get("/audit/destinations/"))
    for words in ("Failing &lt;one&gt;", "Failing</span>", "Paused</span>", fault):
        assert words in page
    detail = text_of(visitor.get(f"/audit/destinations/{failing.pk}/"))
    assert "Failing since" in detail
    assert "2 entries pending, none lost. 3 failed attempts" in " ".join(detail.split())


def test_the_overview_names_a_failing_destination_to_reviewers_alone(cast: Cast, browse: Browse) -> None:
    destination = make_destination(cast, "SIEM")
    fault = "The receiver answered 500."
    LogDestination.objects.filter(pk=destination.pk).update(failing_since=timezone.now(), fault=fault)
    page = text_of(browse("owner").get("/"))
    assert "Log destination SIEM is failing</strong>: The receiver answered 500." in page
    assert "1 pending entry" in page
    assert f'href="/audit/destinations/{destination.pk}/"' in page
    for person in ("manager", "outsider"):
        assert "is failing" not in text_of(browse(person).get("/"))
    LogDestination.objects.filter(pk=destination.pk).update(is_paused=True)
    assert "is failing" not in text_of(browse("owner").get("/"))
