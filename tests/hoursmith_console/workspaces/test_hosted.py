"""A hosted console, whose Hoursmith is the sandbox of a second console: another process, another database."""

import html
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest

from tests.mcpbridge.grants.claude import CHALLENGE, CLAUDE, CLAUDE_REDIRECT
from tests.prepared import fill_database

MEMBERS = (
    "from hoursmith_console.workspaces.models import Member;import json;"
    "rows = [[m.email, m.role, m.is_active, m.user_id is not None] for m in Member.objects.order_by('email')];"
    "print(json.dumps(rows))"
)


@pytest.fixture
def hosted(hosted_console):
    """A console that does not run yet, in whose database there is nobody."""
    yield hosted_console
    if hosted_console.process is not None:
        hosted_console.stop()
    for left in hosted_console.var.glob("console.sqlite3-*"):
        left.unlink()
    fill_database(hosted_console.environment["DATABASE_URL"], folder=hosted_console.var, seed=False)


def browser():
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    opener.addheaders = [("Accept", "text/html")]
    return opener


def csrf(page):
    return page.split('name="csrfmiddlewaretoken" value="', 1)[1].split('"', 1)[0]


def test_members_come_from_hoursmith_with_an_owners_token_that_is_kept_nowhere(console, hosted, tmp_path):
    token = console.mint_for("owner", scope="read")
    # As a timer gives it: in a file of its own.
    file = tmp_path / "token"
    file.write_text(f"{token}\n", encoding="ascii")
    with pytest.raises(AssertionError, match="HOURSMITH_API_TOKEN_FILE cannot be read"):
        hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN_FILE": str(tmp_path / "none")})
    printed = hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN_FILE": str(file)})
    assert f"{len(console.people)} members" in printed
    found = hosted.shell(MEMBERS)
    assert {(email, role) for email, role, _, _ in found} == {
        (person["email"], person["role"].upper()) for person in console.people
    }
    assert not any(has_account for *_, has_account in found)
    secret = token.rsplit("_", 1)[1].encode()
    assert not [path for path in hosted.var.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.parametrize("role", ["manager", "member"])
def test_a_token_that_does_not_see_everybody_is_refused(console, hosted, role):
    with pytest.raises(AssertionError, match=f"has the role {role.upper()}"):
        hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for(role)})


def test_a_faulty_token_is_named_and_not_repeated(hosted):
    with pytest.raises(AssertionError) as caught:
        hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": "${TOKEN_OF_MINE}"})
    assert "name of a variable" in str(caught.value)
    assert "TOKEN_OF_MINE" not in str(caught.value)


def test_an_invitation_lets_one_person_in_once(console, hosted):
    hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    email = console.person("admin")["email"]
    link = hosted.manage("console_invite", "--email", email, "--role", "admin").strip()
    hosted.start()
    ana = browser()
    with ana.open(link) as page:
        form, address = page.read().decode(), page.url
    assert link.rsplit("/", 2)[1] not in address
    assert [email, "ADMIN", True, False] in hosted.shell(MEMBERS)
    password = "a long and plain sentence"
    data = {"csrfmiddlewaretoken": csrf(form), "new_password1": password, "new_password2": password}
    request = urllib.request.Request(address, urlencode(data).encode(), {"Referer": address})
    with ana.open(request) as page:
        assert page.url == f"{hosted.url}/"
        assert "Overview" in page.read().decode()
    with pytest.raises(urllib.error.HTTPError) as ended:
        browser().open(link)
    assert "no longer valid" in ended.value.read().decode()
    assert [email, "ADMIN", True, True] in hosted.shell(MEMBERS)


def test_an_invitation_does_not_change_a_role(console, hosted):
    hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    with pytest.raises(AssertionError, match="is MANAGER at Hoursmith"):
        hosted.manage("console_invite", "--email", console.person("manager")["email"], "--role", "owner")


def test_somebody_invited_whom_the_list_does_not_name_is_no_member(console, hosted):
    with pytest.raises(AssertionError, match="Run members_sync first"):
        hosted.manage("console_invite", "--email", "new@northwind.example", "--role", "member")
    hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    with pytest.raises(AssertionError, match="add --force"):
        hosted.manage("console_invite", "--email", "new@northwind.example", "--role", "owner")
    assert not [row for row in hosted.shell(MEMBERS) if row[0] == "new@northwind.example"]
    hosted.manage("console_invite", "--email", "new@northwind.example", "--role", "member", "--force")
    assert ["new@northwind.example", "MEMBER", True, False] in hosted.shell(MEMBERS)
    printed = hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    assert f"{len(console.people)} members synced, 1 removed" in printed
    assert ["new@northwind.example", "MEMBER", False, False] in hosted.shell(MEMBERS)


RENAME = (
    "from hoursmith_console.sandbox.models import Person;import json;"
    "[Person.objects.filter(email=old).update(email=new) for old, new in {pairs!r}];print(json.dumps(True))"
)
FOUND = (
    "from hoursmith_console.accounts.addresses import find_account;"
    "from hoursmith_console.workspaces.models import Member;import json;"
    "rows = {{m.email: m.name for m in Member.objects.filter(user=find_account({email!r}))}};print(json.dumps(rows))"
)


def test_addresses_that_change_hands_at_hoursmith_change_no_account(console, hosted):
    token = console.mint_for("owner")
    hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": token})
    admin, manager = console.person("admin"), console.person("manager")
    link = hosted.manage("console_invite", "--email", admin["email"], "--role", "admin").strip()
    hosted.start()
    client = browser()
    with client.open(link) as page:
        form, address = page.read().decode(), page.url
    data = {"csrfmiddlewaretoken": csrf(form), "new_password1": "a plain sentence", "new_password2": "a plain sentence"}
    client.open(urllib.request.Request(address, urlencode(data).encode(), {"Referer": address})).close()
    swap = [(admin["email"], "x@x.example"), (manager["email"], admin["email"]), ("x@x.example", manager["email"])]
    console.shell(RENAME.format(pairs=swap))
    try:
        printed = hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": token})
    finally:
        console.shell(RENAME.format(pairs=[(new, old) for old, new in reversed(swap)]))
    assert f"{admin['email']} is now {manager['email']}." in printed
    assert hosted.shell(FOUND.format(email=manager["email"])) == {manager["email"]: admin["name"]}
    assert hosted.shell(FOUND.format(email=admin["email"])) != {admin["email"]: admin["name"]}
    with client.open(f"{hosted.url}/") as page:
        assert admin["name"] in page.read().decode()


def test_the_sandbox_commands_refuse_in_hosted_mode(hosted):
    for command in (
        ["sandbox_seed"],
        ["sandbox_mint", "--email", "a@b.example", "--name", "x"],
        ["sandbox_plan", "free"],
    ):
        with pytest.raises(AssertionError, match=r"HOURSMITH_API_URL|hosted"):
            hosted.manage(*command)


ACCOUNTS = """
import json
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
other = import_workspace(org_id="org-of-others", name="Other Studio", plan="agency")
stranger = import_member(
    workspace=other, member_id="m", user_ref="u", name="Ola", email="ola@other.example", role="OWNER"
)
for member in (stranger, Member.objects.get(email={email!r})):
    create_account(member=member, password={password!r})
print(json.dumps(other.name))
"""
GRANTS = (
    "from mcpbridge.models import Grant;import json;"
    "print(json.dumps([list(row) for row in Grant.objects.values_list('org_id', 'authorized_by')]))"
)


def sent(opener, url, **fields):
    """The status and the text of the answer to a form of the page at `url`."""
    request = urllib.request.Request(url, urlencode(fields).encode(), {"Referer": url})
    try:
        with opener.open(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def hidden_fields(page):
    return {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    }


def test_whoever_is_signed_in_gives_no_assistant_a_token_of_another_workspace(console, hosted):
    owner = console.person("owner")
    hosted.manage("members_sync", environment={"HOURSMITH_API_TOKEN": console.mint_for("owner")})
    assert hosted.shell(ACCOUNTS.format(email=owner["email"], password="a plain sentence")) == "Other Studio"
    hosted.start()
    token = console.mint_for("owner", "For an assistant")
    asked = urlencode(
        {
            "response_type": "code",
            "client_id": CLAUDE,
            "redirect_uri": CLAUDE_REDIRECT,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "scope": "hoursmith:read hoursmith:write",
        }
    )
    for email, status in (("ola@other.example", 409), (owner["email"], 200)):
        client, signing_in = browser(), f"{hosted.url}/accounts/login/"
        with client.open(signing_in) as page:
            form = hidden_fields(page.read().decode())
        assert sent(client, signing_in, **form, login=email, password="a plain sentence")[0] == 200
        with client.open(f"{hosted.url}/authorize?{asked}") as page:
            form = hidden_fields(page.read().decode())
        answered, page = sent(client, f"{hosted.url}/authorize", **form, token=token, days="30", access="full")
        assert answered == status, page
        assert token.rsplit("_", 1)[1] not in page
        assert ("belongs to a workspace in which your console account is not a member" in page) == (status == 409)
        assert ("Northwind" in page) == (status == 200)
        decided, _ = sent(
            client, f"{hosted.url}/authorize/decision", **{**form, **hidden_fields(page)}, decision="allow"
        )
        assert (decided == 200) == (status == 200)
    [(org_id, actor)] = hosted.shell(GRANTS)
    assert (org_id != "org-of-others", owner["email"] in actor) == (True, True)
