"""The pages of connections: whose they are, what they say, what they let people do."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.models import AuditEvent, ObservedConnection
from tests.hoursmith_console.conftest import Cast, account_of
from tests.hoursmith_console.connections.conftest import Connect, refused, saw
from tests.hoursmith_console.records import make_call, make_client, make_refusal
from tests.hoursmith_console.sandbox_members import Town
from tests.reauthentication import trusted_client

Browse = Callable[[str], Client]
# The pages that who sees a connection has, and those that only its owner has.
SEEN = ("", "evidence/", "troubleshoot/", "remove/")
OWN = ("token/", "setup/", "ask/")


def words(page: Any) -> str:
    """What a page says, without its markup."""
    text = re.sub(r"<[^>]+>", " ", page.content.decode())
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'")


@pytest.mark.parametrize("more", SEEN)
@pytest.mark.parametrize(
    ("person", "status"), [("owner", 200), ("admin", 200), ("manager", 200), ("member", 404), ("outsider", 404)]
)
def test_a_connection_exists_for_its_owner_and_for_who_reviews_the_workspace(
    browse: Browse, connect: Connect, person: str, status: int, more: str
) -> None:
    made = connect("manager")
    assert browse(person).get(f"/connections/{made.slug}/{more}").status_code == status


@pytest.mark.parametrize("more", OWN)
@pytest.mark.parametrize(("person", "status"), [("owner", 403), ("manager", 200), ("member", 404), ("outsider", 404)])
def test_only_its_owner_sets_it_up(browse: Browse, connect: Connect, person: str, status: int, more: str) -> None:
    made = connect("manager")
    assert browse(person).get(f"/connections/{made.slug}/{more}").status_code == status


@pytest.mark.parametrize(
    "address", ["", "new/", "new/details/?client=cursor", "{slug}/", "{slug}/token/", "{slug}/troubleshoot/"]
)
def test_strangers_are_sent_to_sign_in(browse: Browse, connect: Connect, address: str) -> None:
    made = connect("manager")
    answer = browse("anonymous").get("/connections/" + address.format(slug=made.slug))
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/accounts/login/")


@pytest.mark.parametrize(
    ("person", "change", "remove"),
    [
        ("owner", 403, 302),
        ("admin", 403, 302),
        ("manager", 302, 302),
        ("member", 404, 404),
        ("outsider", 404, 404),
        ("anonymous", 302, 302),
    ],
)
def test_the_owner_renames_and_reviewers_may_remove_too(
    browse: Browse, connect: Connect, person: str, change: int, remove: int
) -> None:
    made = connect("manager", label="Laptop")
    visitor = browse(person)
    form = {"label": "Other", "access": "readonly"}
    assert visitor.post(f"/connections/{made.slug}/change/", form).status_code == change
    assert visitor.post(f"/connections/{made.slug}/remove/").status_code == remove
    made.refresh_from_db()
    assert made.label == ("Other" if person == "manager" else "Laptop")
    assert bool(made.removed_at) == (person in ("owner", "admin", "manager"))


def test_looking_changes_nothing(browse: Browse, connect: Connect) -> None:
    made = connect("manager")
    before = AuditEvent.objects.count()
    visitor = browse("manager")
    for more in (*SEEN, *OWN):
        visitor.get(f"/connections/{made.slug}/{more}")
    assert visitor.get(f"/connections/{made.slug}/change/").status_code == 200
    assert AuditEvent.objects.count() == before
    assert Connection.objects.get().removed_at is None


@pytest.mark.parametrize(
    ("person", "labels"),
    [
        ("owner", {"Of manager", "Of member"}),
        ("manager", {"Of manager"}),
        ("member", {"Of member"}),
        ("outsider", {"Of outsider"}),
    ],
)
def test_the_list_holds_ones_own_or_all_of_the_workspace(
    browse: Browse, connect: Connect, person: str, labels: set[str]
) -> None:
    for name in ("manager", "member", "outsider"):
        connect(name, label=f"Of {name}")
    page = browse(person).get("/connections/").content.decode()
    assert set(re.findall(r"Of \w+", page)) == labels


def test_the_list_says_how_each_stands(cast: Cast, browse: Browse, connect: Connect) -> None:
    connect("manager", label="One")
    saw(connect("manager", label="Two"), prefix=cast.tokens["manager"].prefix)
    saw(connect("manager", label="Three"), ago=timedelta(days=9))
    refused(connect("manager", label="Four", client="cursor"), "unexpanded_reference")
    page = browse("owner").get("/connections/")
    told = words(page)
    for said in (
        "Waiting for the first call",
        "Working",
        "Inactive for 9 days",
        "Failing",
        "Environment variable not expanded",
        f"hsk_live_{cast.tokens['manager'].prefix}_••••",
        "get_me 200",
    ):
        assert said in told
    assert f"/tokens/{cast.tokens['manager'].pk}/" in page.content.decode()


def test_an_empty_list_teaches(browse: Browse) -> None:
    assert "You haven’t connected an assistant yet" in words(browse("member").get("/connections/"))


def test_removed_ones_are_folded_away_and_keep_their_page(browse: Browse, connect: Connect) -> None:
    made = connect("member", label="Old laptop")
    visitor = browse("member")
    visitor.post(f"/connections/{made.slug}/remove/")
    page = words(visitor.get("/connections/"))
    assert "Removed (1)" in page
    assert "This connection was removed" in words(visitor.get(f"/connections/{made.slug}/"))
    assert visitor.get(f"/connections/{made.slug}/setup/").status_code == 403


def test_the_evidence_line_waits_names_faults_and_says_who_called(cast: Cast, browse: Browse, connect: Connect) -> None:
    made = connect("manager")
    visitor = browse("manager")
    address = f"/connections/{made.slug}/evidence/"
    waiting = visitor.get(address)
    assert "Waiting for the first call from Claude Code" in words(waiting)
    assert "hx-trigger" in waiting.content.decode()
    assert "Refresh" in words(waiting)

    refused(made, "unexpanded_reference", fault_client="Claude Code")
    faulty = words(visitor.get(address))
    assert "Environment variable not expanded" in faulty
    assert "In Claude Code, write ${HOURSMITH_API_TOKEN}" in faulty

    saw(made, ago=timedelta(0), prefix=cast.tokens["manager"].prefix)
    called = visitor.get(address)
    assert re.search(r"Claude Code 2\.1 called get_me as MANAGER (just now|\d+ s ago)", words(called))
    assert "hx-trigger" not in called.content.decode()


def test_the_script_is_answered_only_when_something_changed(browse: Browse, connect: Connect) -> None:
    made = connect("manager")
    visitor = browse("manager")
    first = visitor.get(f"/connections/{made.slug}/evidence/").content.decode()
    again = re.search(r'hx-get="([^"]+)"', first)
    assert again
    assert visitor.get(again[1]).status_code == 204
    refused(made, "missing")
    assert visitor.get(again[1]).status_code == 200


def test_a_client_that_only_lists_the_tools_is_told_to_be_asked(browse: Browse, connect: Connect) -> None:
    made = connect("manager")
    saw(made, called_at=None, calls=0, last_method="tools/list", last_status=None)
    told = words(browse("manager").get(f"/connections/{made.slug}/evidence/"))
    assert "is connected and requested tools/list" in told


def test_a_token_of_nobody_here_is_not_named(browse: Browse, connect: Connect) -> None:
    made = connect("manager")
    refused(made, "rejected", fault_env="live", fault_prefix="ffffffffffff")
    for more in ("", "troubleshoot/"):
        assert "ffffffffffff" not in browse("owner").get(f"/connections/{made.slug}/{more}").content.decode()


def test_the_page_gathers_facts_calls_and_instructions(cast: Cast, browse: Browse, connect: Connect) -> None:
    made = connect("member", access="readonly")
    token, foreign = cast.tokens["member"], cast.tokens["outsider"]
    saw(made, prefix=token.prefix)
    for each in (token, foreign):
        make_client(each, name="Claude Code", connection=made.slug)
        make_call(each, "list_tasks" if each is token else "list_expenses", connection=made.slug)
    make_call(token, "list_members")
    told = words(browse("member").get(f"/connections/{made.slug}/"))
    for said in (f"/mcp/c/{made.slug}/readonly", "Read only", "list_tasks", "~/.claude.json", "MCP 2026-07-28, http"):
        assert said in told
    assert "list_expenses" not in told
    assert "list_members" not in told
    other = words(browse("member").get(f"/connections/{made.slug}/?client=codex"))
    assert "~/.codex/config.toml" in other
    activity = words(browse("member").get(f"/activity/?connection={made.slug}"))
    assert "list_tasks" in activity
    assert "list_members 200" not in activity


def test_the_wizard_leads_from_the_client_to_a_connection(cast: Cast, trusted: Browse) -> None:
    visitor = trusted("member")
    first = visitor.get("/connections/new/").content.decode()
    address = "/connections/new/details/?client=claude-code"
    assert f'href="{address}"' in first
    page = visitor.get(address).content.decode()
    assert "Claude Code on Member’s machine" in page
    assert 'value="readonly" checked' in page
    assert visitor.post(address, {"label": " ", "access": "full"}).status_code == 400
    assert visitor.post(address, {"label": "x" * 121, "access": "full"}).status_code == 400
    assert visitor.post(address, {"label": "Laptop", "access": "everything"}).status_code == 400
    assert not ObservedConnection.objects.exists()
    answer = visitor.post(address, {"label": "Laptop", "access": "readonly"})
    made = Connection.objects.get()
    assert (made.owner, made.label, made.access) == (cast.people["member"], "Laptop", "readonly")
    assert answer.headers["Location"] == f"/connections/{made.slug}/token/"


@pytest.mark.django_db(databases="__all__")
def test_one_form_creates_a_connection_and_its_token_once(acme: Town) -> None:
    member = acme["member"].member
    visitor = trusted_client(account_of(member))
    address = "/connections/new/details/?client=claude-code"
    mark = re.search(r'name="mark" value="([^"]+)"', visitor.get(address).content.decode())
    assert mark
    form = {"label": "Laptop", "access": "readonly", "mark": mark[1]}
    shown = visitor.post(address, form)
    made = Connection.objects.get()
    claim = TokenClaim.objects.get(member=member, form=mark[1])
    page = shown.content.decode()
    assert f"hsk_live_{claim.prefix}_" in page
    assert "no-store" in shown.headers["Cache-Control"]
    assert page.index("data-kept") > page.index('id="evidence"') > page.index('id="minted-token"')
    again = visitor.post(address, form)
    assert (again.status_code, Connection.objects.get()) == (409, made)
    assert "A token was already created from this form" in words(again)


def test_what_was_chosen_is_kept_when_re_authentication_expires(cast: Cast, browse: Browse) -> None:
    address = "/connections/new/details/?client=claude-code"
    asked = browse("member").get(address)
    assert asked.headers["Location"].startswith(
        "/accounts/reauthenticate/?next=%2Fconnections%2Fnew%2Fdetails%2F%3Fclient"
    )
    answer = browse("member").post(address, {"label": "Laptop", "access": "readonly", "mark": "a" * 22})
    made = Connection.objects.get()
    assert (made.label, made.access) == ("Laptop", "readonly")
    assert answer.headers["Location"] == f"/connections/{made.slug}/token/"


def test_who_connects_is_told_why_a_web_page_cannot(browse: Browse) -> None:
    said = words(browse("member").get("/connections/new/"))
    readme = (Path(__file__).resolve().parents[3] / "README.md").read_text("utf-8")

    assert "/mcp rejects requests from other origins, so no website can use a token" in said
    assert re.search(r"requests from (pages of )?other origins", readme)


@pytest.mark.parametrize("query", ["", "?client=", "?client=telnet"])
def test_the_wizard_begins_with_a_client_that_exists(browse: Browse, query: str) -> None:
    answer = browse("member").get(f"/connections/new/details/{query}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/connections/new/")


def test_in_hosted_mode_nothing_pretends_to_mint(browse: Browse, connect: Connect, settings: Any) -> None:
    settings.SANDBOX_MODE = False
    settings.HOURSMITH_TOKENS_URL = "https://hoursmith.example/settings/api"
    made = connect("member")
    page = browse("member").get(f"/connections/{made.slug}/token/")
    assert "https://hoursmith.example/settings/api" in page.content.decode()
    assert "Create token" not in words(page)


def test_minting_asks_who_is_there(browse: Browse, connect: Connect) -> None:
    made = connect("member")
    answer = browse("member").post(f"/connections/{made.slug}/token/", {"mark": "a" * 22})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")


def test_read_only_connections_are_asked_what_only_reads(browse: Browse, connect: Connect) -> None:
    visitor = browse("member")
    full = words(visitor.get(f"/connections/{connect('member').slug}/ask/"))
    narrow = words(visitor.get(f"/connections/{connect('member', access='readonly').slug}/ask/"))
    assert "Create a client" in full
    assert "Create a client" not in narrow
    assert "Who am I in Hoursmith?" in narrow


def test_the_doctor_tells_an_old_token_from_a_wrong_one(cast: Cast, browse: Browse, connect: Connect) -> None:
    made = connect("member")
    old = cast.tokens["member"]
    refused(made, "rejected", fault_env="live", fault_prefix=old.prefix)
    assert "Cause found: The token is missing or malformed" in words(
        browse("member").get(f"/connections/{made.slug}/troubleshoot/")
    )
    claim = claim_token(env="live", prefix="bbbbbbbbbbbb", member=cast.people["member"], source="minted")
    claim.claimed_at = timezone.now() + timedelta(seconds=1)
    claim.save()
    told = words(browse("member").get(f"/connections/{made.slug}/troubleshoot/"))
    assert "Cause found: The assistant was not restarted" in told
    assert "hsk_live_bbbbbbbbbbbb_••••" in told


def test_the_doctor_sees_calls_at_the_address_without_an_id(cast: Cast, browse: Browse, connect: Connect) -> None:
    made = connect("member")
    make_client(cast.tokens["member"], name="claude-code", last_seen_at=timezone.now())
    told = words(browse("member").get(f"/connections/{made.slug}/troubleshoot/"))
    assert "Cause found: The entry is in the wrong configuration file" in told


def test_the_doctor_lists_what_was_turned_away_here(cast: Cast, browse: Browse, connect: Connect) -> None:
    made = connect("member")
    make_refusal(cast.tokens["member"], connection=made.slug, client_name="Claude Code", attempts=31)
    told = words(browse("member").get(f"/connections/{made.slug}/troubleshoot/"))
    assert "Rejected requests at this address" in told
    assert "31" in told


def test_a_client_that_the_catalogue_lost_still_has_its_page(browse: Browse, connect: Connect) -> None:
    made = connect("member")
    Connection.objects.filter(pk=made.pk).update(client="gone")
    visitor = browse("member")
    assert visitor.get(f"/connections/{made.slug}/").status_code == 200
    assert visitor.get("/connections/").status_code == 200
    assert visitor.get(f"/connections/{made.slug}/setup/").status_code == 200
    assert visitor.get(f"/connections/{made.slug}/troubleshoot/").status_code == 404


def test_a_block_of_the_token_in_use_is_the_status_of_the_connection(
    cast: Cast, browse: Browse, connect: Connect
) -> None:
    made, token = connect("manager"), cast.tokens["manager"]
    saw(made, prefix=token.prefix)
    visitor = browse("manager")
    assert "Working" in words(visitor.get("/connections/"))
    block_token(env="live", prefix=token.prefix, org_id=cast.org_id, actor="Bob <bob@example.com>", reason="odd")
    for address in ("/connections/", f"/connections/{made.slug}/"):
        assert "Token blocked" in words(visitor.get(address))
    assert "Blocked by Bob: odd" in words(visitor.get(f"/connections/{made.slug}/evidence/"))
