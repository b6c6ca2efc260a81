"""Codes and refresh envelopes: what they are exchanged for, and what ends their grant."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from mcpbridge.auth.restrictions.blocks import block_token, unblock_token
from mcpbridge.core.credential import Credential, CredentialError
from mcpbridge.grants.decisions import AlreadyDecidedError, ForeignConnectionError, allow
from mcpbridge.grants.ending import end_grant, end_grants_of_token
from mcpbridge.grants.envelopes import Kind, unseal
from mcpbridge.grants.resources import READ, WRITE
from mcpbridge.grants.tokens.exchange import Issued, TokenError, TokenState, redeem_code, refresh, revoke
from mcpbridge.models import AuditEvent, EndReason, Grant, ObservedConnection, UsedCode
from tests.mcpbridge.grants.authorizing import ORG_ID, SECRET, allowed, answered, pending, request
from tests.mcpbridge.grants.claude import CLAUDE, CLAUDE_REDIRECT, VERIFIER

pytestmark = pytest.mark.django_db
NOW = datetime.fromisoformat("2026-12-01T10:00:00+00:00")
StopClock = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def at(stop_clock: StopClock) -> StopClock:
    stop_clock(NOW)
    return stop_clock


def accepted(credential: Credential) -> TokenState:
    assert credential.secret == SECRET
    return TokenState.ACCEPTED


def redeem(address: str, **more: object) -> Issued:
    said = {"client_id": CLAUDE, "verifier": VERIFIER, "redirect": CLAUDE_REDIRECT, **more}
    return redeem_code(code=answered(address)["code"], **said)  # type: ignore[arg-type]


def renew(token: str, *, state: Callable[[Credential], TokenState] = accepted, **more: object) -> Issued:
    return refresh(**{"client_id": CLAUDE, "token": token, "state_of": state, **more})  # type: ignore[arg-type]


def refused(attempt: Callable[[], object]) -> str:
    with pytest.raises(TokenError) as error:
        attempt()
    assert str(error.value).endswith(".")
    return error.value.code


def test_a_decision_makes_a_grant_a_connection_a_code_and_an_entry() -> None:
    made = allowed()
    said = answered(made.address)
    assert said["code"].startswith("hse_c1_")
    assert said["state"] == "s&t=a te"
    grant = Grant.objects.get()
    assert (grant.client_name, grant.client_host, grant.redirect_host) == ("Claude", "claude.ai", "claude.ai")
    assert (grant.org_id, grant.prefix, grant.role) == (ORG_ID, "4f8a2c1bdedf", "MEMBER")
    assert grant.expires_at == NOW + timedelta(days=30)
    assert ObservedConnection.objects.get().slug == grant.connection
    event = AuditEvent.objects.get(tool="console.connection_authorize")
    assert (event.actor, event.target_id, event.target_label) == ("Ana <ana@example.com>", grant.id, "Claude")
    assert SECRET not in repr(made)
    assert "hse_c1" not in repr(made)


def test_one_page_is_decided_once() -> None:
    page = pending()
    allow(page, actor="Ana")
    with pytest.raises(AlreadyDecidedError):
        allow(page, actor="Ana")
    assert Grant.objects.count() == AuditEvent.objects.filter(tool="console.connection_authorize").count() == 1


def test_a_blocked_token_gives_no_access() -> None:
    block = block_token(env="live", prefix="4f8a2c1bdedf", org_id=ORG_ID, actor="Ben", reason="leaked")
    with pytest.raises(CredentialError):
        allowed()
    assert not Grant.objects.exists()
    unblock_token(block=block, actor="Ben")
    assert allowed().grant.pk


def test_an_address_with_the_connection_of_another_workspace_gives_no_access() -> None:
    ObservedConnection.objects.create(slug="abcdefgh2345", org_id="org-globex")
    asked = request(resource="http://127.0.0.1:8000/mcp/c/abcdefgh2345")
    with pytest.raises(ForeignConnectionError):
        allowed(asked)
    ObservedConnection.objects.update(org_id=ORG_ID)
    assert allowed(asked).grant.connection == "abcdefgh2345"
    assert ObservedConnection.objects.count() == 1


def test_a_code_becomes_two_envelopes_of_the_same_token() -> None:
    made = allowed()
    issued = redeem(made.address)
    access, renewing = unseal(Kind.ACCESS, issued.access.reveal()), unseal(Kind.REFRESH, issued.refresh.reveal())
    assert access is not None
    assert renewing is not None
    assert access.credential.secret == renewing.credential.secret == SECRET
    assert access.grant == renewing.grant == made.grant.id
    assert access.connection == made.grant.connection
    assert access.expires_at == (NOW + timedelta(hours=12)).timestamp()
    assert renewing.expires_at == made.grant.expires_at.timestamp()
    assert (issued.expires_in, issued.scope) == (12 * 3600, f"{READ} {WRITE}")
    assert Grant.objects.get().redeemed_at == NOW


def test_a_code_that_is_used_again_ends_the_grant() -> None:
    made = allowed()
    issued = redeem(made.address)
    assert refused(lambda: redeem(made.address)) == "invalid_grant"
    grant = Grant.objects.get()
    assert (grant.ended_at, grant.ended_why) == (NOW, EndReason.CODE_REUSED)
    assert AuditEvent.objects.get(tool="console.connection_reuse").target_id == grant.id
    assert refused(lambda: renew(issued.refresh.reveal())) == "invalid_grant"
    assert UsedCode.objects.count() == 1


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"client_id": "https://chatgpt.com/oauth/client.json"}, "invalid_grant"),
        ({"verifier": VERIFIER[:-1] + "_"}, "invalid_grant"),
        ({"verifier": "x" * 42}, "invalid_grant"),
        ({"verifier": "x" * 129}, "invalid_grant"),
        ({"redirect": "https://claude.com/api/mcp/auth_callback"}, "invalid_grant"),
        ({"redirect": CLAUDE_REDIRECT + "/"}, "invalid_grant"),
        ({"resource": "http://127.0.0.1:8000/mcp/readonly"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8000/mcp/c/abcdefgh2345"}, "invalid_target"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
    ],
)
def test_what_does_not_fit_the_code_uses_nothing_up(more: dict[str, str], error: str) -> None:
    made = allowed()
    assert refused(lambda: redeem(made.address, **more)) == error
    # A thief without the verifier must not be able to end the access either.
    assert not UsedCode.objects.exists()
    assert redeem(made.address, resource="http://127.0.0.1:8000/mcp/", redirect=None).expires_in


@pytest.mark.parametrize(("seconds", "is_good"), [(59, True), (60, False), (3600, False), (-3600, True)])
def test_a_code_is_good_for_a_minute(at: StopClock, seconds: int, is_good: bool) -> None:
    made = allowed()
    at(NOW + timedelta(seconds=seconds))
    if is_good:
        assert redeem(made.address).expires_in
    else:
        assert refused(lambda: redeem(made.address)) == "invalid_grant"


def test_no_other_envelope_is_taken_for_a_code_or_a_refresh_token() -> None:
    made = allowed()
    issued = redeem(made.address)
    code, access, renewing = answered(made.address)["code"], issued.access.reveal(), issued.refresh.reveal()
    for text in (access, renewing, "", "x", access.replace("hse_a1_", "hse_c1_")):
        assert refused(lambda text=text: redeem(f"?code={text or 'x'}")) == "invalid_grant"
    for text in (access, code, "", "x", access.replace("hse_a1_", "hse_r1_")):
        assert refused(lambda text=text: renew(text)) == "invalid_grant"
    assert Grant.objects.get().ended_at is None


def test_a_refresh_rotates_after_two_minutes(at: StopClock) -> None:
    first = redeem(allowed().address).refresh.reveal()
    at(NOW + timedelta(seconds=120))
    assert generation(renew(first)) == 1
    at(NOW + timedelta(seconds=121))
    second = renew(first)
    assert generation(second) == 2
    # A burst, and an answer that was lost.
    assert generation(renew(first)) == generation(renew(second.refresh.reveal())) == 2
    at(NOW + timedelta(seconds=242))
    assert refused(lambda: renew(first)) == "invalid_grant"
    grant = Grant.objects.get()
    assert grant.ended_why == EndReason.REFRESH_REUSED
    assert refused(lambda: renew(second.refresh.reveal())) == "invalid_grant"
    assert AuditEvent.objects.filter(tool="console.connection_reuse").count() == 1


def generation(issued: Issued) -> int:
    found = unseal(Kind.REFRESH, issued.refresh.reveal())
    assert found is not None
    assert found.generation == Grant.objects.get().generation
    return found.generation


@pytest.mark.parametrize(
    ("state", "is_good"), [(TokenState.ACCEPTED, True), (TokenState.UNKNOWN, True), (TokenState.REJECTED, False)]
)
def test_hoursmith_is_asked_at_each_refresh(state: TokenState, is_good: bool) -> None:
    token = redeem(allowed().address).refresh.reveal()
    if is_good:
        assert renew(token, state=lambda _: state).expires_in
        return
    assert refused(lambda: renew(token, state=lambda _: state)) == "invalid_grant"
    assert Grant.objects.get().ended_why == EndReason.TOKEN_REVOKED


def test_hoursmith_is_not_asked_for_a_grant_that_is_over(at: StopClock) -> None:
    def never(_: Credential) -> TokenState:
        raise AssertionError

    made = allowed()
    token = redeem(made.address).refresh.reveal()
    block = block_token(env="live", prefix="4f8a2c1bdedf", org_id=ORG_ID, actor="Ben", reason="leaked")
    assert refused(lambda: renew(token, state=never)) == "invalid_grant"
    unblock_token(block=block, actor="Ben")
    # A block may be lifted again, so it does not end the grant.
    assert renew(token).expires_in
    end_grant(grant=made.grant, why=EndReason.MEMBER, actor="Ana")
    assert refused(lambda: renew(token, state=never)) == "invalid_grant"
    at(NOW + timedelta(days=31))
    assert refused(lambda: renew(token, state=never)) == "invalid_grant"


def test_no_envelope_outlives_the_grant(at: StopClock) -> None:
    made = allowed(lasts=timedelta(hours=13))
    issued = redeem(made.address)
    assert issued.expires_in == 12 * 3600
    at(NOW + timedelta(hours=12, minutes=30))
    assert renew(issued.refresh.reveal()).expires_in == 1800


@pytest.mark.parametrize(("chosen", "resource"), [(True, "/mcp"), (False, "/mcp/readonly")])
def test_a_read_only_grant_stays_read_only(chosen: bool, resource: str) -> None:
    asked = request(resource=f"http://127.0.0.1:8000{resource}")
    issued = redeem(allowed(asked, is_read_only=chosen).address)
    assert Grant.objects.get().is_read_only
    for each in (issued, renew(issued.refresh.reveal(), resource=f"http://127.0.0.1:8000{resource}")):
        access = unseal(Kind.ACCESS, each.access.reveal())
        assert access is not None
        assert access.is_read_only
        assert each.scope == READ
    token = issued.refresh.reveal()
    assert refused(lambda: renew(token, scope=f"{READ} {WRITE}")) == "invalid_scope"
    assert renew(token, scope=f"{READ} offline_access").scope == READ


def test_a_narrower_scope_is_for_one_access_token_only() -> None:
    issued = redeem(allowed().address)
    narrowed = renew(issued.refresh.reveal(), scope=READ)
    access = unseal(Kind.ACCESS, narrowed.access.reveal())
    assert access is not None
    assert access.is_read_only
    assert (narrowed.scope, renew(narrowed.refresh.reveal()).scope) == (READ, f"{READ} {WRITE}")


def test_revoking_either_token_ends_the_grant() -> None:
    for name in ("access", "refresh"):
        made = allowed()
        issued = redeem(made.address)
        token = getattr(issued, name).reveal()
        assert not revoke(client_id="https://chatgpt.com/oauth/client.json", token=token)
        assert not revoke(client_id=CLAUDE, token=answered(made.address)["code"])
        assert revoke(client_id=CLAUDE, token=token)
        assert not revoke(client_id=CLAUDE, token=token)
        made.grant.refresh_from_db()
        assert made.grant.ended_why == EndReason.ASSISTANT
        assert refused(lambda issued=issued: renew(issued.refresh.reveal())) == "invalid_grant"


def test_all_grants_of_a_token_end_at_once() -> None:
    kept = allowed(prefix="000000000000")
    for _ in range(2):
        allowed()
    ended = {"env": "live", "prefix": "4f8a2c1bdedf", "why": EndReason.TOKEN_REVOKED, "actor": "Ana"}
    assert end_grants_of_token(**ended, org_id="org-globex") == 0  # type: ignore[arg-type]
    assert end_grants_of_token(**ended, org_id=ORG_ID) == 2  # type: ignore[arg-type]
    assert Grant.objects.get(ended_at=None) == kept.grant


def test_a_key_that_was_taken_away_ends_what_it_sealed(settings: Settings) -> None:
    issued = redeem(allowed().address)
    former, settings.OAUTH_SEALING_KEY = settings.OAUTH_SEALING_KEY, "another " * 6
    assert refused(lambda: renew(issued.refresh.reveal())) == "invalid_grant"
    assert not revoke(client_id=CLAUDE, token=issued.refresh.reveal())
    settings.OAUTH_SEALING_KEYS_OLD = [former]
    assert renew(issued.refresh.reveal()).expires_in


def test_used_codes_are_removed_again(at: StopClock) -> None:
    redeem(allowed().address)
    at(NOW + timedelta(minutes=11))
    redeem(allowed().address)
    assert UsedCode.objects.count() == 1


def test_a_clock_that_is_set_back_ends_nothing_and_opens_nothing(at: StopClock) -> None:
    made = allowed()
    first = redeem(made.address).refresh.reveal()
    at(NOW - timedelta(hours=2))
    second = renew(first)
    assert generation(second) == 2
    at(NOW)
    third = renew(second.refresh.reveal())
    assert generation(third) == 3
    # As if the list of used codes had been emptied by a clock that was an hour ahead.
    UsedCode.objects.all().delete()
    assert refused(lambda: redeem(made.address)) == "invalid_grant"
    assert Grant.objects.get().ended_why == EndReason.CODE_REUSED


def test_a_clock_that_runs_ahead_expires_what_is_old(at: StopClock) -> None:
    token = redeem(allowed(lasts=timedelta(days=1)).address).refresh.reveal()
    at(NOW + timedelta(days=2))
    assert refused(lambda: renew(token)) == "invalid_grant"
    at(NOW + timedelta(hours=1))
    # It was not taken for a copy.
    assert renew(token).expires_in
