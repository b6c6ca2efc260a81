"""No piece of a token stays anywhere: not in the databases, the logs, the output, nor on any page (guarantee G1).

What is filled with tokens is found by walking: the addresses of the resolver, the forms of the pages that links lead
to, the fields that forms declare, the schemas of the tools, the options of the commands.
"""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.collector import Collector, collecting
from tests.faults.conftest import prefix_of
from tests.faults.mcp import call_tool
from tests.faults.upstream import COLLECTIONS, Hoursmith, serving
from tests.mail_server import MailServer, mail_server
from tests.page_walk import Reader
from tests.postgres import shared_cluster
from tests.revoking import revoke_at_hoursmith
from tests.secret_markers import (
    Canaries,
    files_of,
    processes_of,
    push_as_credential,
    push_by_commands,
    push_by_other_schemes,
    push_by_stdio,
    push_into_a_record,
    push_into_addresses,
    push_into_bodies,
    push_into_headers,
    tables_of,
)
from tests.secret_markers_in_pages import (
    Walk,
    declared_names,
    look_afterwards,
    push_into_addresses_of_pages,
    push_into_pages,
)
from tests.secret_markers_in_sign_in import push_through_sign_in
from tests.secret_markers_in_tools import push_into_envelopes, push_into_tools, tools_of
from tests.servers import Served, served_console

# The embedded workspace stands for somebody else's service: what it is told to store, it stores.
UPSTREAM = ("console-sandbox.sqlite3", "table sandbox_")
# What went into a tool's arguments is a record there.
RECORDS = ("a token pasted into a record", "tool ", "member ", "header ")
# In the other faulty ones nothing tells which part is secret, so only the Authorization header is asked to keep them.
EVERYWHERE = ("cut short", "a dash for an underscore")
PASSWORD = "correct horse battery staple"
ROLES = ("OWNER", "ADMIN", "MANAGER", "MEMBER", "AUDITOR")
_PEOPLE = """
import json
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import create_account, import_member, import_workspace
made = []
for org_id, name, people in json.loads({wanted!r}):
    workspace = import_workspace(org_id=org_id, name=name, plan="agency")
    for role, email in people:
        member = import_member(workspace=workspace, member_id=email, user_ref=email, name=role.title(), email=email,
                               role="MEMBER" if role == "AUDITOR" else role)
        Member.objects.filter(pk=member.pk).update(is_auditor=role == "AUDITOR")
        create_account(member=member, password={password!r})
print(json.dumps(sorted({{str(org_id) for org_id, _, _ in json.loads({wanted!r})}})))
"""


@dataclass
class Cast:
    """A served console with everybody who may be there."""

    served: Served
    collector: Collector
    mails: MailServer
    hoursmith: Hoursmith | None = None
    canaries: Canaries = field(default_factory=Canaries)

    def mint(self, role: str) -> str:
        return self.hoursmith.mint(role) if self.hoursmith else self.served.mint_for(role)

    def reader(self, role: str, workspace: str = "first") -> Reader:
        seeded = {person["role"].upper(): person for person in self.served.people if workspace == "first"}
        if person := seeded.get(role):
            return Reader(self.served, person["email"], person["password"])
        return Reader(self.served, f"{role.lower()}@{workspace}.example.com", PASSWORD)


@pytest.fixture(scope="module", params=["sandbox, SQLite, DEBUG off", "hosted, PostgreSQL, DEBUG on"])
def cast(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[Cast]:
    mode, database, debug = request.param.split(", ")
    url = shared_cluster(needs).create_database("canary") if database == "PostgreSQL" else None
    with ExitStack() as stack:
        collector, mails = stack.enter_context(collecting()), stack.enter_context(mail_server())
        env = {"LOG_LEVEL": "DEBUG", "SANDBOX_RATE_LIMITS": "off", "DEBUG": debug.removeprefix("DEBUG ")}
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "EMAIL_URL": mails.url}
        hoursmith = stack.enter_context(serving()) if mode == "hosted" else None
        if hoursmith:
            env["HOURSMITH_API_URL"] = hoursmith.url
        folder = tmp_path_factory.mktemp("canary")
        served = stack.enter_context(served_console(folder, env=env, database_url=url, workers=1, may_fork=False))
        org_id = "org-1"
        if not hoursmith:
            code = "import json; from hoursmith_console.workspaces.models import Workspace;"
            org_id = served.shell(f"{code} print(json.dumps(Workspace.objects.get().org_id))")
        people = [(org_id, "Acme Studio", "first"), ("org-2", "Globex Ltd", "second")]
        wanted = [
            [key, name, [[role, f"{role.lower()}@{at}.example.com"] for role in ROLES]] for key, name, at in people
        ]
        served.shell(_PEOPLE.format(wanted=json.dumps(wanted), password=PASSWORD))
        yield Cast(served, collector, mails, hoursmith)


def revoke(cast: Cast, token: str) -> None:
    if cast.hoursmith:
        del cast.hoursmith.tokens[token]
    else:
        revoke_at_hoursmith(cast.served, token)


def push_through_the_bridge(cast: Cast, good: str) -> list[tuple[str, bytes]]:
    """What the command over stdio wrote meanwhile."""
    served, canaries = cast.served, cast.canaries
    revoked = canaries.token("a revoked token", cast.mint("ADMIN"))
    unknown = canaries.token("an unknown token")
    malformed = canaries.malformed()
    push_as_credential(served, good)
    push_as_credential(served, revoked)
    revoke(cast, revoked)
    push_as_credential(served, revoked)
    push_as_credential(served, unknown)
    for credential in malformed.values():
        push_as_credential(served, credential, doors=["/mcp"])
    # Where no credential is looked for, an unknown one is like a good one.
    for token in (good, *(malformed[label] for label in EVERYWHERE)):
        push_by_other_schemes(served, token)
        push_into_headers(served, good, token)
        push_into_addresses(served, good, token)
        push_into_bodies(served, good, token)
    if cast.hoursmith is None:
        push_into_a_record(served, good, canaries.token("a token pasted into a record"))
    else:
        for tool in COLLECTIONS:
            name = f"Globex {canaries.wrapped('a token in a record of Hoursmith')}"
            call_tool(served, good, tool, {"id": cast.hoursmith.record_for(tool, name)})
    return [
        (f"stdio with a {label} token", push_by_stdio(served, token, unknown))
        for label, token in (("good", good), ("revoked", revoked), ("short", malformed["cut short"]))
    ]


def push_through_the_pages(cast: Cast, good: str) -> Walk:
    walk = Walk(cast.canaries)
    claimed = cast.canaries.token("a token that was claimed", cast.mint("OWNER"))
    meant = {
        "claim token": claimed,
        "successor token": cast.canaries.token("a token that was shown as the new one", cast.mint("OWNER")),
        "prefix": f"hsk_live_{prefix_of(good)}",
        "tokens": f"hsk_live_{prefix_of(good)}",
        "public": f"hsk_live_{prefix_of(claimed)}",
        "way": "file:json",
        "address": "audit.jsonl",
    }
    # The others find no other forms than these; what they do find is filled in afterwards.
    for role, workspace in (("OWNER", "first"), ("ADMIN", "first"), ("OWNER", "second")):
        with cast.reader(role, workspace) as reader:
            push_into_pages(reader, walk, meant, rounds=3 if (role, workspace) == ("OWNER", "first") else 1)
    names = declared_names() | {name for form in walk.forms.values() for name in form.controls}
    keys = {"int": "1", "prefix": f"live_{prefix_of(good)}"}
    with cast.reader("OWNER") as reader:
        wanted = sorted(names - {"csrfmiddlewaretoken"})
        # What is in an address meets the same middleware in both modes.
        push_into_addresses_of_pages(reader, walk, wanted, keys, in_addresses=cast.hoursmith is None)
    # What everybody sees afterwards; last those who see most, and lists filtered in every way.
    for role in reversed(ROLES):
        with cast.reader(role) as reader:
            look_afterwards(reader, walk, filters=role == "OWNER")
    return walk


def test_no_piece_of_a_token_stays_anywhere(cast: Cast) -> None:
    served, canaries = cast.served, cast.canaries
    good = canaries.token("a good token", cast.mint("OWNER"))
    printed = push_through_the_bridge(cast, good)
    push_through_sign_in(served, canaries, good, cast.mint("ADMIN"))
    tools = tools_of(served, good)
    arguments = push_into_tools(served, good, canaries)
    members = push_into_envelopes(served, good, canaries)
    options = push_by_commands(served, canaries)
    walk = push_through_the_pages(cast, good)
    with urllib.request.urlopen(f"{served.url}/metrics") as answer:
        metrics = answer.read()
    processes = list(processes_of(served))
    served.stop()

    mails = [("mail", message) for message in cast.mails.messages]
    found: dict[str, set[str]] = {}
    for place, content in (
        *files_of(served), *tables_of(served), *processes, *printed, *mails,
        ("metrics", metrics), *cast.collector.bodies,
    ):  # fmt: skip
        labels = canaries.traces(content)
        if place.startswith(UPSTREAM):
            labels = {label for label in labels if not label.startswith(RECORDS)}
        if labels:
            found[place] = labels
    assert found == {}, found
    assert walk.repeated == {}, walk.repeated
    assert walk.faults == []
    assert_all_was_walked(cast, walk, tools, arguments, members=members, options=options)
    assert_there_was_something_to_find(cast, printed)


def assert_all_was_walked(
    cast: Cast, walk: Walk, tools: list[dict[str, Any]], arguments: dict[str, int], *, members: int, options: int
) -> None:
    """The walk did not shrink: it went through all that there is."""
    assert len(arguments) == len(tools) == 31
    assert all(arguments[tool["name"]] >= len(tool["inputSchema"].get("properties", {})) for tool in tools)
    assert (members > 30, options > 15) == (True, True)
    actions = {kind for kind, method, _ in walk.forms if method == "post"}
    assert len(actions) >= (40 if cast.hoursmith is None else 35), sorted(actions)
    # Nobody was signed out on the way, and nothing else kept the walk from what it was to try.
    assert walk.refused >= 60
    assert walk.sent["form"] > 300
    assert walk.sent["address"] > (800 if cast.hoursmith is None else 500)
    assert walk.sent["afterwards"] > 100


def assert_there_was_something_to_find(cast: Cast, printed: list[tuple[str, bytes]]) -> None:
    """The search looked at the right places: what may be seen of the tokens is there."""
    log = cast.served.output()
    assert " DEBUG " in log
    assert "••••" in log
    assert all(b"jsonrpc" in output or b"HOURSMITH_API_TOKEN" in output for _, output in printed)
    assert {"tools/call delete_client", "POST /mcp", "record intent"} <= {span.name for span in cast.collector.spans()}


def test_the_search_finds_what_it_looks_for() -> None:
    canaries = Canaries()
    token = canaries.token("a token")
    secret = token.rsplit("_", 1)[1]
    assert canaries.traces(f"GET /mcp?token={token}".encode()) == {"a token"}
    assert canaries.traces(b"\x00\x17" + secret[11:19].lower().encode() + b"\xff") == {"a token"}
    assert canaries.traces(f"{token[:-32]} {secret[:7]}".encode()) == set()


def test_the_search_finds_it_in_every_wrapping() -> None:
    canaries = Canaries()
    for number in range(60):
        text = canaries.wrapped(f"token {number}")
        assert any(label.startswith(f"token {number}") for label in canaries.traces(f"before {text} after".encode()))
