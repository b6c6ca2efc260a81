"""A person lets an assistant use their token, on two pages; nothing of it is kept here."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from hoursmith_console.tokens.models import TokenClaim
from mcpbridge.grants.envelopes import Kind, unseal
from mcpbridge.models import AuditEvent, Grant, ObservedConnection, TokenBlock
from tests.hoursmith_console.authorizing.requests import (
    CLAUDE_REDIRECT,
    STATE,
    answer_of,
    ask,
    decide,
    hidden,
    submit,
    text_of,
)
from tests.hoursmith_console.sandbox_members import Town
from tests.secret_markers import Canaries
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")


def test_access_is_allowed_with_a_token_alone(acme: Town, settings: Any) -> None:
    browser, token = Client(), acme["member"].caller.token
    first = ask(browser)
    assert "Claude ( claude.ai ) wants to work in Hoursmith with your token." in text_of(first)
    assert "Did you start this yourself, just now?" in text_of(first)
    second = submit(browser, first, token, days="30", access="readonly")
    said = text_of(second)
    for part in (acme["member"].member.workspace.name, "MEMBER", f"{acme['member'].public}_••••", "Read only", "Ends"):
        assert part in said
    assert token.rsplit("_", 1)[1] not in second.content.decode()
    place, answered = answer_of(decide(browser, second))
    assert place == CLAUDE_REDIRECT
    assert (answered["state"], answered["iss"]) == (STATE, settings.PUBLIC_URL)
    code = unseal(Kind.CODE, answered["code"])
    assert code is not None
    assert code.credential.token == token

    grant = Grant.objects.get()
    assert (grant.id, grant.prefix, grant.client_name, grant.client_host) == (
        code.grant, acme["member"].token.prefix, "Claude", "claude.ai",
    )  # fmt: skip
    assert (grant.is_read_only, grant.role, grant.redirect_host) == (True, "MEMBER", "claude.ai")
    assert abs(grant.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)
    assert ObservedConnection.objects.filter(slug=grant.connection, org_id=grant.org_id).exists()
    event = AuditEvent.objects.get(org_id=grant.org_id)
    assert (event.tool, event.actor, event.prefix) == (
        "console.connection_authorize", f"token {acme['member'].public}", grant.prefix,
    )  # fmt: skip
    assert (event.target_type, event.target_label) == ("grant", "Claude")


def test_a_signed_in_member_is_named_and_the_token_becomes_theirs(acme: Town) -> None:
    member, browser = acme["manager"], acme["manager"].browser()
    TokenClaim.objects.filter(prefix=member.token.prefix).delete()
    answer_of(decide(browser, submit(browser, ask(browser), member.caller.token)))
    assert TokenClaim.objects.get(prefix=member.token.prefix).member == member.member
    assert Grant.objects.get().authorized_by == member.member.display_identity
    assert list(AuditEvent.objects.order_by("sequence").values_list("tool", "actor")) == [
        ("console.token_claim", member.member.display_identity),
        ("console.connection_authorize", member.member.display_identity),
    ]


def test_denying_tells_the_assistant_and_keeps_nothing(acme: Town, settings: Any) -> None:
    browser = Client()
    first = ask(browser)
    second = submit(browser, first, acme["member"].caller.token)
    # On the first page as well, without a token.
    for page in (first, second):
        place, answered = answer_of(decide(browser, page, "deny"))
        assert (place, answered["error"]) == (CLAUDE_REDIRECT, "access_denied")
        assert (answered["state"], answered["iss"]) == (STATE, settings.PUBLIC_URL)
    assert not Grant.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_member_has_a_token_created_only_when_they_allow(acme: Town) -> None:
    browser, member = acme["member"].browser(), acme["member"].member
    first, before = ask(browser), TokenClaim.objects.count()
    form = first.content.decode().partition('name="mint" value="')[2][:22]
    second = submit(browser, first, mint=form, access="full", days="1")
    assert "A new token named Claude" in text_of(second)
    assert TokenClaim.objects.count() == before
    answer_of(decide(browser, second, "deny"))
    assert TokenClaim.objects.count() == before

    _, answered = answer_of(decide(browser, second))
    code, grant = unseal(Kind.CODE, answered["code"]), Grant.objects.get()
    assert code is not None
    claim = TokenClaim.objects.get(prefix=grant.prefix)
    assert (claim.member, claim.source, code.credential.prefix) == (member, "minted", grant.prefix)
    assert AuditEvent.objects.filter(tool="console.token_mint").count() == 1
    # The button again, in this tab or another: no second token, no second grant.
    again = decide(browser, second)
    assert (again.status_code, Grant.objects.count()) == (400, 1)
    assert "decided already" in text_of(again)


def test_no_token_is_created_without_recent_authentication(acme: Town) -> None:
    browser = Client()
    assert acme["member"].member.user is not None
    browser.force_login(acme["member"].member.user)
    first = ask(browser)
    assert "Create a token instead" not in text_of(first)
    assert "/accounts/reauthenticate/?next=%2Fauthorize%3F" in first.content.decode()
    refused = submit(browser, first, mint="x" * 22)
    assert (refused.status_code, Grant.objects.exists()) == (403, False)
    assert "Your sign-in was too long ago" in text_of(refused)


def test_another_workspaces_token_is_refused_to_whoever_is_signed_in(acme: Town, globex: Town) -> None:
    browser = acme["owner"].browser()
    refused = submit(browser, ask(browser), globex["owner"].caller.token)
    assert refused.status_code == 409
    assert "belongs to a workspace in which your console account is not a member" in text_of(refused)
    assert globex["owner"].member.workspace.name not in text_of(refused)


def test_another_members_token_is_refused_to_whoever_is_signed_in(acme: Town) -> None:
    browser = acme["member"].browser()
    for other, said in (("other_member", "another member"), ("manager", "has the role MANAGER, but yours is MEMBER")):
        refused = submit(browser, ask(browser), acme[other].caller.token)
        assert (refused.status_code, Grant.objects.exists()) == (409, False)
        assert said in text_of(refused)


def test_a_person_who_changes_between_the_pages_cannot_keep_the_others_token(acme: Town) -> None:
    browser = Client()
    second = submit(browser, ask(browser), acme["owner"].caller.token)
    assert acme["member"].member.user is not None
    browser.force_login(acme["member"].member.user)
    refused = decide(browser, second)
    assert (refused.status_code, Grant.objects.exists()) == (409, False)


def test_an_auditor_gives_no_access(acme: Town) -> None:
    member, browser = acme["manager"].member, acme["manager"].browser()
    member.is_auditor = True
    member.save()
    refused = submit(browser, ask(browser), acme["manager"].caller.token)
    assert (refused.status_code, Grant.objects.exists()) == (409, False)
    assert "Auditors can’t give assistants access" in text_of(refused)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 400, "no token"),
        ('"quoted"', 400, "quotation marks"),
        ("hsk_live_short", 400, "incomplete"),
        ("${HOURSMITH_API_TOKEN}", 400, "name of a variable"),
        (assembled_token(prefix="zzzzzzzzzzzz"), 409, "does not accept this token"),
    ],
)
def test_a_wrong_token_is_explained_and_never_repeated(acme: Town, text: str, status: int, said: str) -> None:
    browser = Client()
    refused = submit(browser, ask(browser), text)
    assert refused.status_code == status
    assert said in text_of(refused)
    assert not text or text not in refused.content.decode()
    # The same page: with the right token it goes on.
    assert "Allow access?" in text_of(submit(browser, refused, acme["member"].caller.token))


def test_wrong_tokens_are_limited(acme: Town) -> None:
    browser = Client()
    page = ask(browser)
    for number in range(2):
        submit(browser, page, assembled_token(prefix=f"zzzzzzzzzzz{number}"))
    refused = submit(browser, page, acme["member"].caller.token)
    assert "Too many rejected tokens in the last minute" in text_of(refused)


def test_a_blocked_token_is_refused_on_either_page(acme: Town) -> None:
    browser, token = Client(), acme["member"].token
    second = submit(browser, ask(browser), acme["member"].caller.token)
    TokenBlock.objects.create(env="live", prefix=token.prefix, org_id=token.org_id, blocked_at=timezone.now())
    assert "This token is blocked" in text_of(decide(browser, second))
    refused = submit(browser, ask(browser), acme["member"].caller.token)
    assert (refused.status_code, Grant.objects.exists()) == (400, False)
    assert "This token is blocked" in text_of(refused)
    # Whoever knows only its prefix does not learn that.
    assert "blocked" not in text_of(submit(browser, ask(browser), assembled_token(prefix=token.prefix)))


def test_a_form_counts_for_its_browser_and_for_ten_minutes(acme: Town, stop_clock: Any, monkeypatch: Any) -> None:
    browser, token = Client(), acme["member"].caller.token
    first = ask(browser)
    second = submit(browser, first, token)
    stranger = Client()
    ask(stranger)
    for other in (Client(), stranger):
        for refused in (submit(other, first, token), decide(other, second), decide(other, second, "deny")):
            assert refused.status_code == 400
            assert "This page has expired" in text_of(refused)
    now = timezone.now()
    monkeypatch.setattr("time.time", lambda: now.timestamp() + 601)
    stop_clock(now + timedelta(seconds=601))
    for refused in (submit(browser, first, token), decide(browser, second), decide(browser, second, "deny")):
        assert "This page has expired" in text_of(refused)
    assert not Grant.objects.exists()


def test_what_a_page_sends_on_cannot_be_changed(acme: Town) -> None:
    browser = Client()
    first = ask(browser)
    second = submit(browser, first, acme["member"].caller.token)
    fields = hidden(second)
    for name, value in fields.items():
        for changed in (value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1], value[:-1], "", "x"):
            decision = "deny" if name == "request" else "allow"
            refused = browser.post("/authorize/decision", {**fields, name: changed, "decision": decision})
            assert refused.status_code == 400, (name, changed)
    # The pending token says itself what it is for: that of another request is no exchange.
    other = submit(browser, ask(browser, state="other"), acme["member"].caller.token)
    _, answered = answer_of(decide(browser, other))
    assert answered["state"] == "other"


def test_two_tabs_and_the_back_button_do_not_disturb_each_other(acme: Town) -> None:
    browser, token = Client(), acme["member"].caller.token
    tabs = [ask(browser, state=state) for state in ("one", "two")]
    seconds = [submit(browser, page, token) for page in tabs]
    # Back to the first page, and on again with the same form.
    seconds[0] = submit(browser, tabs[0], token, access="readonly")
    answered = [answer_of(decide(browser, page))[1] for page in seconds]
    assert [each["state"] for each in answered] == ["one", "two"]
    assert sorted(Grant.objects.values_list("is_read_only", flat=True)) == [False, True]
    assert decide(browser, seconds[0]).status_code == 400
    assert Grant.objects.count() == 2


def test_without_an_audit_entry_nothing_is_allowed(acme: Town, request: pytest.FixtureRequest) -> None:
    browser = Client()
    second = submit(browser, ask(browser), acme["member"].caller.token)
    request.getfixturevalue("audit_unavailable")
    assert decide(browser, second).status_code == 503
    assert not Grant.objects.exists()
    assert not ObservedConnection.objects.exists()


def test_nothing_of_the_token_is_kept_but_by_the_assistant(acme: Town, caplog: pytest.LogCaptureFixture) -> None:
    browser, token = acme["member"].browser(), acme["member"].caller.token
    canaries = Canaries()
    canaries.token("the token", token)
    first = ask(browser)
    second = submit(browser, first, token)
    last = decide(browser, second)
    _, answered = answer_of(last)
    for name, sealed in {"pending": hidden(second)["pending"], "code": answered["code"]}.items():
        canaries.watch(name, sealed.partition("1_")[2])
    denied = decide(browser, submit(browser, first, token), "deny")
    seen = {
        "first page": first.content,
        "page of a denial": denied.content,
        "cookies": str(browser.cookies).encode(),
        "session": str(dict(browser.session)).encode(),
        "log": caplog.text.encode(),
        **{model._meta.label: str(list(model._base_manager.values_list())).encode() for model in _tables()},
    }
    assert not {place: found for place, content in seen.items() if (found := canaries.traces(content))}
    # The envelopes are where they belong, and the token itself is not even there.
    whole = Canaries()
    whole.token("the token", token)
    assert not whole.traces(second.content + last.content + str(last.headers).encode())


def _tables() -> list[Any]:
    """The tables of the console; those of the sandbox are Hoursmith's."""
    return [model for model in apps.get_models() if model._meta.managed and model._meta.app_label != "sandbox"]
