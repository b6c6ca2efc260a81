"""Minting, claiming and calling against served consoles: the sandbox's own, and one whose Hoursmith is elsewhere."""

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.interop.clients import python_over_stdio
from tests.interop.test_stdio import NEEDED
from tests.paths import ROOT
from tests.secret_markers import Canaries, files_of
from tests.servers import Served, served_console

PASSWORD = "a long and plain sentence"
LET_IN = (
    "from hoursmith_console.workspaces.models import Member;"
    "from hoursmith_console.workspaces.services import create_account;import json;"
    "member = Member.objects.filter(role='MEMBER').first();"
    f"create_account(member=member, password={PASSWORD!r});print(json.dumps(member.email))"
)
CLAIMS = (
    "from hoursmith_console.tokens.models import ClaimAttempt, TokenClaim;import json;"
    "print(json.dumps([list(TokenClaim.objects.order_by('pk').values_list('prefix', 'member__email', 'source')),"
    "ClaimAttempt.objects.count()]))"
)
SEEN = (
    "from mcpbridge.models import ObservedConnection;import json;"
    "print(json.dumps(list(ObservedConnection.objects.values_list("
    "'slug', 'last_method', 'transport', 'client_name', 'fault').order_by('pk'))))"
)


def field(page: str, name: str) -> str:
    found = re.findall(rf'name="{name}" value="([^"]+)"', page)
    assert found, f"There is no {name} on this page."
    return str(found[-1])


@contextmanager
def signed_in(served: Served, email: str, password: str) -> Iterator[httpx.Client]:
    """A browser without script in which somebody has just signed in, and then said once more who they are."""
    with httpx.Client(
        base_url=served.url, follow_redirects=True, timeout=30, headers={"Referer": served.url}
    ) as browser:
        sign_in(browser, email, password)
        yield browser


def sign_in(browser: httpx.Client, email: str, password: str) -> None:
    page = browser.get("/accounts/login/").text
    form = {"login": email, "password": password, "csrfmiddlewaretoken": field(page, "csrfmiddlewaretoken")}
    assert browser.post("/accounts/login/", data=form).url.path == "/"
    page = browser.get("/accounts/reauthenticate/?next=/connections/").text
    form = {"password": password, "next": "/connections/", "csrfmiddlewaretoken": field(page, "csrfmiddlewaretoken")}
    assert browser.post("/accounts/reauthenticate/", data=form).url.path == "/connections/"


def claim(browser: httpx.Client, token: str) -> httpx.Response:
    page = browser.get("/tokens/claim/").text
    form = {"token": token, "csrfmiddlewaretoken": field(page, "csrfmiddlewaretoken")}
    return browser.post("/tokens/claim/", data=form)


def connect(browser: httpx.Client, client: str) -> str:
    """The id of a new connection."""
    address = f"/connections/new/details/?client={client}"
    form = {"label": f"A {client}", "access": "full"}
    form["csrfmiddlewaretoken"] = field(browser.get(address).text, "csrfmiddlewaretoken")
    return browser.post(address, data=form).url.path.split("/")[2]


def test_in_the_sandbox_one_mints_once_and_claims_and_calls(tmp_path: Path) -> None:
    canaries = Canaries()
    with served_console(tmp_path / "console", env={"SANDBOX_RATE_LIMITS": "off"}, workers=2) as served:
        person = served.person("MANAGER")
        with signed_in(served, person["email"], person["password"]) as browser:
            slug = connect(browser, "mcp-stdio")
            token = canaries.token("the minted token", double_click(browser, slug))
            show_tokens(served, browser, canaries, token)
        claims, attempts = served.shell(CLAIMS)
        assert [token.split("_")[2], person["email"], "minted"] in claims
        assert attempts == 1

        call_over_stdio(served, token, slug)
        assert served.shell(SEEN) == [[slug, "get_me", "stdio", "Train", ""]]
        served.stop()
        found = {name: canaries.traces(content) for name, content in files_of(served)}
        assert not {name: traces for name, traces in found.items() if traces}


def show_tokens(served: Served, browser: httpx.Client, canaries: Canaries, mine: str) -> None:
    """Show the claim page somebody else's token, an unknown one, and one's own."""
    refusal = claim(browser, canaries.token("somebody else's", served.mint_for("OWNER", "not theirs")))
    assert refusal.status_code == 409
    assert "has the role OWNER, but yours is MANAGER" in refusal.text
    assert "does not accept this token" in claim(browser, canaries.token("an unknown one")).text
    answer = claim(browser, mine)
    assert "was already yours" in answer.text
    assert mine.rsplit("_", 1)[1] not in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


def double_click(browser: httpx.Client, slug: str) -> str:
    """The one token that four posts of one form mint, on two workers."""
    address = f"/connections/{slug}/token/"
    page = browser.get(address).text
    form = {name: field(page, name) for name in ("csrfmiddlewaretoken", "mark")}
    with ThreadPoolExecutor(4) as clicks:
        answers = list(clicks.map(lambda _: browser.post(address, data=form), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    shown = next(answer for answer in answers if answer.status_code == 200)
    assert "no-store" in shown.headers["Cache-Control"]
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    # Without a referrer a browser sends forms without an origin, and those would be refused.
    assert 'method="post"' not in shown.text.lower()
    found = re.findall(r'id="minted-token">([^<]+)<', shown.text)
    assert not [answer for answer in answers if answer is not shown and found[0] in answer.text]
    return str(found[0])


def call_over_stdio(served: Served, token: str, slug: str) -> None:
    """One `get_me` by the official client, which starts the command as the connection's snippet says."""
    command = [sys.executable, str(ROOT / "manage.py"), "mcp_stdio", "--connection", slug]
    environment = {name: served.environment[name] for name in NEEDED} | {"HOURSMITH_API_TOKEN": token}
    seen = python_over_stdio(command, environment, mode="legacy", name="Train", steps=(("get_me", {}),))
    assert seen.results[0]["structuredContent"]["data"]["role"] == "MANAGER"


def test_in_hosted_mode_one_proves_a_token_and_nothing_pretends_to_mint(
    console: Served, hosted_console: Served
) -> None:
    hosted_console.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("OWNER")})
    email = hosted_console.shell(LET_IN)
    token = console.mint(email, "On the train")
    hosted_console.start()
    tokens_page = hosted_console.environment["HOURSMITH_TOKENS_URL"]
    with signed_in(hosted_console, email, PASSWORD) as browser:
        address = f"/connections/{connect(browser, 'claude-code')}/token/"
        page = browser.get(address).text
        assert tokens_page in page
        assert 'name="mark"' not in page
        form = {"mark": "a" * 22, "csrfmiddlewaretoken": browser.cookies["csrf"]}
        assert tokens_page in browser.post(address, data=form).text
        assert "is now yours" in claim(browser, token).text
    assert hosted_console.shell(CLAIMS) == [[[token.split("_")[2], email, "verified"]], 0]
    secret = token.rsplit("_", 1)[1].encode()
    assert not [path for path in hosted_console.var.rglob("*") if path.is_file() and secret in path.read_bytes()]
