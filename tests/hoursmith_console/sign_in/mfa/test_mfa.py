"""Authenticator apps and recovery codes: set up, asked for, used once, kept secret, recorded."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from hoursmith_console import settings as production
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import code_now, factors, is_in, old, password_given, recent, told

Browse = Callable[[str], Client]
Give = Callable[[str], list[str]]


def _set_up(client: Client) -> tuple[str, Any]:
    """The secret that the page shows, and the answer to the code that fits it."""
    page = client.get("/accounts/2fa/app/add/").content.decode()
    match = re.search(r'<code class="block secret">(\w+)</code>', page)
    assert match is not None
    return match[1], client.post("/accounts/2fa/app/add/", {"code": code_now(match[1])})


def test_an_app_is_set_up_and_recovery_codes_follow(cast: Cast) -> None:
    client = recent(password_given("owner"))
    secret, answer = _set_up(client)
    assert answer["Location"] == "/accounts/2fa/codes/"
    assert len(re.findall(r"<li><code>\d{8}</code></li>", client.get(answer["Location"]).content.decode())) == 10
    assert factors(cast, "owner") == ["recovery_codes", "totp"]
    assert told() == ["sign_in", "factor_add"]
    assert AuditEvent.objects.get(tool="console.factor_add").arguments == {"factor": "authenticator app"}
    assert secret not in str(list(AuditEvent.objects.values()))


@pytest.mark.usefixtures("cast")
def test_no_secret_of_a_factor_is_readable_in_the_database() -> None:
    client = recent(password_given("owner"))
    client.get("/accounts/2fa/app/add/")
    pending = [session.get_decoded() for session in Session.objects.all()]
    page = client.get("/accounts/2fa/app/add/").content.decode()
    secret, _ = _set_up(client)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert re.search(r"'secret': 'gAAAA", stored)
    assert re.search(r"'seed': 'gAAAA", stored)
    shown = re.search(r'<code class="block secret">(\w+)</code>', page)
    assert shown is not None
    assert "mfa.totp.secret" in str(pending)
    assert shown[1] not in str([session.get_decoded() for session in Session.objects.all()])


@pytest.mark.usefixtures("cast")
def test_the_qr_code_is_an_element_of_the_page_without_style_or_data_address() -> None:
    page = recent(password_given("owner")).get("/accounts/2fa/app/add/").content.decode()
    assert '<svg class="qr"' in page
    assert "data:" not in page
    assert "style=" not in page


@pytest.mark.usefixtures("cast")
def test_setting_up_wants_a_recent_password() -> None:
    client = old(password_given("owner"))
    for address in ("app/add/", "passkeys/add/", "codes/new/"):
        answer = client.get(f"/accounts/2fa/{address}", HTTP_HOST="localhost")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.usefixtures("cast", "audit_unavailable")
def test_what_cannot_be_recorded_is_not_set_up(cast: Cast, browse: Browse) -> None:
    client = recent(browse("owner"))
    _, answer = _set_up(client)
    assert answer.status_code == 503
    assert factors(cast, "owner") == []


def test_the_password_alone_no_longer_lets_in(with_app: Give) -> None:
    with_app("owner")
    client = password_given("owner")
    assert not is_in(client)
    assert "sign_in" not in told()
    wrong = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "The code is incorrect" in wrong.content.decode()
    right = client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert (right.status_code, is_in(client)) == (302, True)
    assert told() == ["sign_in_failed", "sign_in"]
    assert AuditEvent.objects.get(tool="console.sign_in").arguments == {"method": "password and totp"}


def test_a_code_is_taken_once(with_app: Give) -> None:
    with_app("owner")
    code = code_now()
    assert password_given("owner").post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    again = password_given("owner")
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_in(again)


@pytest.mark.usefixtures("cast")
def test_the_code_that_activated_an_app_is_not_taken_at_sign_in_or_anywhere_else(settings: Any) -> None:
    # On any worker: the table that they share, and nothing that one of them keeps in memory.
    settings.CACHES = {"default": production.CACHES["default"]}
    client = password_given("owner")
    secret, answer = _set_up(client)
    code = code_now(secret)
    assert answer["Location"] == "/accounts/2fa/codes/"
    elsewhere = password_given("owner")
    for spelled in (code, f" {code[:3]} {code[3:]} "):
        elsewhere.post("/accounts/2fa/authenticate/", {"code": spelled})
        caches["default"].close()
        assert not is_in(elsewhere)
        assert old(client).post("/accounts/2fa/reauthenticate/", {"code": spelled}).status_code == 200
    caches["default"].clear()


def test_codes_cannot_be_guessed(with_app: Give) -> None:
    with_app("owner")
    client = password_given("owner")
    for number in range(6):
        client.post("/accounts/2fa/authenticate/", {"code": f"00000{number}"})
    late = client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert "Too many" in late.content.decode()
    assert not is_in(client)
    assert told().count("sign_in_failed") <= 5


def test_a_recovery_code_lets_in_once_and_is_recorded(with_app: Give) -> None:
    code = with_app("owner")[0]
    client = password_given("owner")
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert told() == ["recovery_code_use", "sign_in"]
    assert AuditEvent.objects.get(tool="console.recovery_code_use").arguments == {"left": 9}
    again = password_given("owner")
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert not is_in(again)


def test_new_recovery_codes_replace_the_old(with_app: Give) -> None:
    old = with_app("owner")
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    recent(client).post("/accounts/2fa/codes/new/")
    page = client.get("/accounts/2fa/codes/").content.decode()
    assert not [code for code in old if code in page]
    assert told()[-1] == "recovery_codes_generate"


def test_a_factor_is_removed_with_a_recent_sign_in_and_its_codes_go(cast: Cast, with_app: Give) -> None:
    with_app("owner")
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert "reauthenticate" in old(client).post("/accounts/2fa/app/remove/")["Location"]
    assert factors(cast, "owner") == ["recovery_codes", "totp"]
    recent(client).post("/accounts/2fa/app/remove/")
    assert factors(cast, "owner") == []
    assert told()[-1] == "factor_remove"


def test_a_recent_sign_in_may_be_shown_with_a_code(with_app: Give) -> None:
    codes = with_app("owner")
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert old(client).get("/audit/export/").status_code == 302
    assert client.post("/accounts/2fa/reauthenticate/?next=/audit/export/", {"code": codes[3]}).status_code == 302
    assert client.get("/audit/export/").status_code == 200
    assert told()[-1] == "recovery_code_use"


def test_factors_under_another_secret_key_let_nobody_in(with_app: Give, caplog: pytest.LogCaptureFixture) -> None:
    codes = with_app("owner")
    client = password_given("owner")
    with override_settings(SECRET_KEY="another key, for no good reason at all", SECRET_KEY_FALLBACKS=[]):
        client = password_given("owner")
        for code in (code_now(), codes[0]):
            client.post("/accounts/2fa/authenticate/", {"code": code})
        assert not is_in(client)
    assert "Was SECRET_KEY changed?" in caplog.text


@override_settings(SECRET_KEY_FALLBACKS=[])
def test_an_older_secret_key_still_reads_what_it_wrote(with_app: Give, settings: Any) -> None:
    with_app("owner")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key, as is good practice now and then"
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_in(client)


@pytest.mark.parametrize(
    ("name", "is_asked"), [("owner", True), ("admin", True), ("manager", False), ("member", False)]
)
def test_a_workspace_asks_those_who_review_it_for_a_second_factor(
    cast: Cast, browse: Browse, name: str, is_asked: bool
) -> None:
    Workspace.objects.filter(pk=cast.workspace.pk).update(requires_two_factor=True)
    for address in ("/", "/tokens/", "/audit/", "/activity/", "/audit/export/"):
        answer = browse(name).get(address)
        assert (answer.get("Location") == "/accounts/2fa/") is is_asked
    page = browse(name).get("/accounts/2fa/").content.decode()
    assert ("requires two-factor authentication" in page) is is_asked


def test_the_rule_of_one_workspace_closes_that_one_alone(cast: Cast, browse: Browse, with_app: Give) -> None:
    Workspace.objects.filter(pk=cast.workspace.pk).update(requires_two_factor=True)
    owner = cast.people["owner"]
    Member.objects.create(
        workspace=cast.other,
        user=owner.user,
        member_id="m",
        user_ref="u",
        name="Owner",
        email=owner.email,
        role="ADMIN",
    )
    client = browse("owner")
    closed = client.get("/", follow=True)
    assert closed.redirect_chain == [("/accounts/2fa/", 302)]
    assert "Globex Ltd" in closed.content.decode()
    assert client.post("/workspace/", {"workspace": cast.other.pk}).status_code == 302
    assert "Globex Ltd" in client.get("/").content.decode()
    assert client.get("/tokens/").status_code == 200
    assert client.post("/workspace/", {"workspace": cast.workspace.pk}).status_code == 302
    for address in ("/", "/tokens/", "/audit/"):
        assert client.get(address)["Location"] == "/accounts/2fa/"
    part = client.get("/audit/verification/", headers={"HX-Request": "true"})
    assert (part.status_code, part["HX-Redirect"]) == (200, "/accounts/2fa/")
    # Nothing but the choice of workspace passes, and the way to meet the rule stays open.
    assert client.post("/members/invite/", {"email": "x@example.com"})["Location"] == "/accounts/2fa/"
    assert recent(client).get("/accounts/2fa/app/add/").status_code == 200
    assert client.get("/accounts/sessions/").status_code == 200


def test_an_account_with_an_unproven_address_may_meet_the_demand(cast: Cast, browse: Browse) -> None:
    Workspace.objects.filter(pk=cast.workspace.pk).update(requires_two_factor=True)
    EmailAddress.objects.filter(user=cast.people["owner"].user).update(verified=False)
    _, answer = _set_up(recent(browse("owner")))
    assert answer["Location"] == "/accounts/2fa/codes/"
    assert factors(cast, "owner") == ["recovery_codes", "totp"]


def test_the_demand_is_met_by_setting_one_up(cast: Cast, with_app: Give) -> None:
    Workspace.objects.filter(pk=cast.workspace.pk).update(requires_two_factor=True)
    with_app("owner")
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_in(client)


@pytest.mark.parametrize(
    "address", ["", "app/add/", "app/remove/", "codes/", "codes/new/", "passkeys/", "passkeys/add/"]
)
def test_a_passer_by_finds_no_factor_page(db: None, address: str) -> None:
    answer = Client().get(f"/accounts/2fa/{address}", HTTP_HOST="localhost")
    assert answer["Location"].startswith("/accounts/login/")


def test_nobody_touches_the_factor_of_another(cast: Cast, browse: Browse) -> None:
    theirs = Authenticator.objects.create(
        user=cast.people["admin"].user, type="webauthn", data={"name": "x", "credential": {}}
    )
    visitor = recent(browse("owner"))
    for address in (f"passkeys/{theirs.pk}/end/", f"passkeys/{theirs.pk}/name/"):
        assert visitor.post(f"/accounts/2fa/{address}", {"name": "mine"}).status_code == 404
    assert factors(cast, "admin") == ["webauthn"]


def test_an_operator_takes_lost_factors_off_an_account(cast: Cast, with_app: Give) -> None:
    with_app("owner")
    call_command("console_factors_reset", "--email", "Owner@example.com")
    assert factors(cast, "owner") == []
    row = AuditEvent.objects.get(tool="console.factors_reset")
    assert (row.target_label, row.actor.endswith("(command line)")) == (cast.people["owner"].display_identity, True)
    assert is_in(password_given("owner"))
    with pytest.raises(CommandError, match="No account"):
        call_command("console_factors_reset", "--email", "nobody@example.com")
