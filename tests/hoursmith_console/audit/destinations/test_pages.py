"""The pages of the sinks: for reviewers who have just shown that it is they; each change is in the record."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mcpbridge.audit.destinations.services import MOST_SINKS, sink_create
from mcpbridge.models import AuditEvent, Kind, Sink
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver

Browse = Callable[[str], Client]
NEW = {"way": "webhook:json", "name": "SIEM", "address": "https://1.1.1.1/in", "begin": "now"}
CHANGES = ("change", "restart", "secret", "test", "pause", "resume", "delete")


def make_sink(cast: Cast, name: str = "SIEM", *, org_id: str = "", **more: Any) -> Sink:
    said = {"kind": "webhook", "format": "json", "address": "https://1.1.1.1/in", "from_first_row": True, **more}
    return sink_create(org_id=org_id or cast.org_id, name=name, actor="Ana", **said)[0]


def recorded(action: str) -> AuditEvent:
    return AuditEvent.objects.get(tool=f"console.sink_{action}")


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_reviewers_make_a_sink_and_see_its_secret_once(cast: Cast, trusted: Browse, person: str) -> None:
    make_audit(cast.tokens["manager"])
    visitor = trusted(person)
    answer = visitor.post("/audit/sinks/new/", NEW)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/=]+", text_of(answer)))
    sink = Sink.objects.get()
    assert (sink.org_id, sink.confirmed, sink.created_by) == (cast.org_id, 2, cast.people[person].named)
    told = recorded("create")
    assert told.actor == cast.people[person].named
    assert told.arguments == {
        "kind": "webhook",
        "format": "json",
        "address": "https://1.1.1.1/in",
        "from_row": 3,
    }
    # Nowhere else: not in the database, not on the sink's own page, not in the session.
    raw = secret.removeprefix("whsec_")
    assert raw not in sink.sealed_secret
    assert not any(raw in str(row) for model in (Sink, AuditEvent) for row in model.objects.values())
    for address in ("/audit/sinks/", f"/audit/sinks/{sink.pk}/", f"/audit/{told.call_id}/"):
        page = visitor.get(address)
        assert page.status_code == 200
        assert raw not in text_of(page)
    assert raw not in str(dict(visitor.session))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"address": "http://siem.example.com/in"}, "begins with https://"),
        ({"address": "https://169.254.169.254/latest"}, "does not lead to an address on the public internet"),
        ({"address": "https://ana:word@1.1.1.1/"}, "without user, password"),
        ({"address": "https://1.1.1.1/?token=x"}, "something like a secret"),
        ({"way": "syslog:cef", "address": "udp://1.1.1.1"}, "begins with tls:// or tcp://"),
        ({"way": "file:json", "address": "../../etc/passwd"}, "no name for the file"),
        ({"way": "file:json", "address": "/etc/passwd"}, "no name for the file"),
        ({"way": "file:json", "address": ".."}, "no name for the file"),
        ({"way": "file:cef"}, "not one of the available choices"),
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 81}, "at most 80"),
    ],
)
def test_what_cannot_be_is_said_at_the_field_and_makes_nothing(
    trusted: Browse, changes: dict[str, str], told: str
) -> None:
    answer = trusted("owner").post("/audit/sinks/new/", {**NEW, **changes})
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert not Sink.objects.exists()
    assert not AuditEvent.objects.exists()


def test_names_are_taken_once_and_sinks_have_a_number(cast: Cast, trusted: Browse) -> None:
    make_sink(cast)
    assert "Another sink has that name" in text_of(trusted("owner").post("/audit/sinks/new/", NEW))
    for number in range(MOST_SINKS - 1):
        make_sink(cast, f"sink {number}")
    assert f"at most {MOST_SINKS} sinks" in text_of(
        trusted("owner").post("/audit/sinks/new/", {**NEW, "name": "one more"})
    )
    assert 'href="/audit/sinks/new/"' not in text_of(trusted("owner").get("/audit/sinks/"))


def test_two_sinks_never_share_a_file(cast: Cast, trusted: Browse) -> None:
    make_sink(cast, kind="file", address="audit.jsonl")
    answer = trusted("owner").post(
        "/audit/sinks/new/", {**NEW, "way": "file:json", "address": "audit.jsonl", "name": "B"}
    )
    assert "Another sink writes to that file" in text_of(answer)


def test_every_change_is_made_and_recorded(cast: Cast, trusted: Browse) -> None:
    for _ in range(3):
        make_audit(cast.tokens["manager"])
    sink = make_sink(cast)
    visitor, page = trusted("admin"), f"/audit/sinks/{sink.pk}/"

    def do(action: str, **said: Any) -> Sink:
        answer = visitor.post(f"{page}{action}/", said)
        assert answer.status_code == 302, text_of(answer)
        return Sink.objects.get()

    changed = do("change", name="SIEM 2", address="https://1.0.0.1/in", format="json")
    assert (changed.name, changed.address) == ("SIEM 2", "https://1.0.0.1/in")
    assert recorded("change").arguments["before"] == {"name": "SIEM", "address": "https://1.1.1.1/in"}
    assert do("pause").is_paused
    assert not do("resume").is_paused
    assert do("restart", sequence=3).confirmed == 2
    assert recorded("restart").arguments == {"from_row": 3, "confirmed_row": 0}
    sealed = Sink.objects.get().sealed_secret
    shown = visitor.post(f"{page}secret/")
    assert "whsec_" in text_of(shown)
    assert Sink.objects.get().sealed_secret != sealed
    assert recorded("secret").arguments == {}
    gone = do("delete")
    assert (gone.deleted_by, gone.sealed_secret) == (cast.people["admin"].named, "")
    assert recorded("delete").target_label == "SIEM 2"
    assert visitor.get(page).status_code == 404
    assert {row.actor for row in AuditEvent.objects.filter(kind=Kind.CONSOLE).exclude(tool="console.sink_create")} == {
        cast.people["admin"].named
    }


def test_the_record_tells_of_sinks_in_sentences(cast: Cast, trusted: Browse) -> None:
    sink = make_sink(cast, "Splunk of ours")
    visitor = trusted("owner")
    for action in ("pause", "resume", "secret", "delete"):
        visitor.post(f"/audit/sinks/{sink.pk}/{action}/")
    pages = [text_of(visitor.get(f"/audit/{row.call_id}/")) for row in AuditEvent.objects.all()]
    told = " ".join(" ".join(pages).split())
    for words in (
        "sends the record to the new sink",
        "paused the sink",
        "resumed the sink",
        "replaced the signing secret of the sink",
        "deleted the sink",
    ):
        assert f'{words} <strong class="name">Splunk of ours</strong>' in told


def test_a_test_says_whether_it_arrived(cast: Cast, trusted: Browse, settings: Any) -> None:
    settings.SINK_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SINK_TIMEOUT_S = 2
    with HttpReceiver(200, 503) as receiver:
        sink = make_sink(cast, address=receiver.url)
        visitor = trusted("owner")
        first = visitor.post(f"/audit/sinks/{sink.pk}/test/", follow=True)
        second = visitor.post(f"/audit/sinks/{sink.pk}/test/", follow=True)
    assert "The test arrived." in text_of(first)
    assert "The test did not arrive. The receiver answered 503." in text_of(second)
    assert [request.records[0]["type"] for request in receiver.requests] == ["test", "test"]
    rows = AuditEvent.objects.filter(tool="console.sink_test").order_by("sequence")
    assert [(row.result, row.arguments) for row in rows] == [
        ("succeeded", {}),
        ("failed", {"fault": "The receiver answered 503."}),
    ]
    assert Sink.objects.get().failing_since is None


@pytest.mark.parametrize(
    ("person", "listing", "page"),
    [("outsider", 200, 404), ("manager", 403, 403), ("member", 403, 403), ("anonymous", 302, 302)],
)
def test_nobody_else_sees_or_changes_a_sink(cast: Cast, browse: Browse, person: str, listing: int, page: int) -> None:
    sink = make_sink(cast, "Ours alone")
    before = Sink.objects.values().get()
    visitor = browse(person)
    answer = visitor.get("/audit/sinks/")
    assert answer.status_code == listing
    assert "Ours alone" not in text_of(answer)
    assert visitor.get(f"/audit/sinks/{sink.pk}/").status_code == page
    for action in CHANGES:
        answer = visitor.post(f"/audit/sinks/{sink.pk}/{action}/", {"sequence": 1, **NEW})
        # A reviewer of another workspace is asked who they are before anything is looked for.
        assert answer.status_code == (302 if person == "outsider" else page)
    assert Sink.objects.values().get() == before


def test_an_outsider_who_re_authenticated_finds_nothing(cast: Cast, trusted: Browse) -> None:
    sink = make_sink(cast)
    before = Sink.objects.values().get()
    for action in CHANGES:
        answer = trusted("outsider").post(f"/audit/sinks/{sink.pk}/{action}/", {"sequence": 1, **NEW, "format": "json"})
        assert answer.status_code == 404
    assert Sink.objects.values().get() == before


@pytest.mark.parametrize("action", CHANGES)
def test_each_change_asks_for_a_recent_password_and_is_no_link(cast: Cast, browse: Browse, action: str) -> None:
    sink = make_sink(cast)
    before = Sink.objects.values().get()
    address = f"/audit/sinks/{sink.pk}/{action}/"
    answer = browse("owner").post(address, {"sequence": 1, **NEW})
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/reauthenticate/")
    assert browse("owner").get(address).status_code == 405
    assert Sink.objects.values().get() == before


def test_a_new_sink_asks_for_a_recent_password(browse: Browse) -> None:
    for answer in (browse("owner").get("/audit/sinks/new/"), browse("owner").post("/audit/sinks/new/", NEW)):
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/reauthenticate/")
    assert not Sink.objects.exists()


def test_the_list_teaches_when_it_is_empty_and_says_what_fails_when_it_is_not(cast: Cast, browse: Browse) -> None:
    visitor = browse("owner")
    assert "Keep a copy of the record where nobody here can change it." in text_of(visitor.get("/audit/sinks/"))
    failing, paused = make_sink(cast, "Failing <one>"), make_sink(cast, "Paused one")
    since = timezone.now() - timedelta(hours=2)
    fault = "The receiver answered 500."
    Sink.objects.filter(pk=failing.pk).update(failing_since=since, fault=fault, next_try_at=since, attempts=3)
    Sink.objects.filter(pk=paused.pk).update(is_paused=True)
    page = text_of(visitor.get("/audit/sinks/"))
    for words in ("Failing &lt;one&gt;", "Failing</span>", "Paused</span>", fault):
        assert words in page
    detail = text_of(visitor.get(f"/audit/sinks/{failing.pk}/"))
    assert "Failing since" in detail
    assert "2 rows wait and none is lost. 3 attempts failed" in " ".join(detail.split())


def test_the_overview_names_a_failing_sink_to_reviewers_alone(cast: Cast, browse: Browse) -> None:
    sink = make_sink(cast, "SIEM")
    fault = "The receiver answered 500."
    Sink.objects.filter(pk=sink.pk).update(failing_since=timezone.now(), fault=fault)
    page = text_of(browse("owner").get("/"))
    assert "Sink SIEM is failing</strong>: The receiver answered 500." in page
    assert "1 row behind" in page
    assert f'href="/audit/sinks/{sink.pk}/"' in page
    for person in ("manager", "outsider"):
        assert "is failing" not in text_of(browse(person).get("/"))
    Sink.objects.filter(pk=sink.pk).update(is_paused=True)
    assert "is failing" not in text_of(browse("owner").get("/"))
