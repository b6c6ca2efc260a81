"""Record what a release leaves behind, for the tests of upgrading from it.

Run it in a checkout of that release with its packages, when it is released; docs and tests of the next one follow:

    git worktree add /tmp/released v0.2.0 && cd /tmp/released
    PYTHONPATH=. .venv/bin/python <this file> <the folder tests/upgrades/0.2.0>

It plays a day of the sandbox, configures what else is stored, leaves a rotation in the middle, rotates the signing key,
and dumps both databases. It uses that release's own code and test helpers, so adapt it where they have changed.
"""

import hashlib
import json
import lzma
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.faults.mcp import call_tool
from tests.postgres import shared_cluster
from tests.servers import Served, served_console

# An authenticator app's.
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
# The sandbox has thousands of time entries; a few are enough.
KEPT_ENTRIES = 60
SLIM = (
    "DELETE FROM sandbox_timeentry WHERE id NOT IN"
    f" (SELECT id FROM sandbox_timeentry ORDER BY id DESC LIMIT {KEPT_ENTRIES})"
)
CONFIGURE = """
import json
from allauth.mfa.totp.internal.auth import TOTP
from hoursmith_console.alerts.models import ChannelKind
from hoursmith_console.alerts.recommended import add_recommended
from hoursmith_console.alerts.services import create_channel
from hoursmith_console.connections.services import connect_with_token
from hoursmith_console.core.saved_views.services import view_save
from hoursmith_console.token_issuer.minting import mint_token, new_form_id
from hoursmith_console.token_policy.services import change_policy
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.destinations.services import create_destination
from mcpbridge.calls.approvals.policy import change_approval_rule

ana, ben = (Member.objects.get(name__startswith=name) for name in ("Ana", "Ben"))
workspace, actor = ana.workspace, ana.display_identity
add_recommended(member=ana)
create_channel(workspace=workspace, name="Team chat", kind=ChannelKind.WEBHOOK, address="https://192.0.2.10/hooks/1",
    actor=actor)
create_destination(org_id=workspace.org_id, name="Archive", kind="file", format="json", address="audit",
    from_first_row=True, actor=actor)
change_policy(workspace=workspace, max_age_days=90, max_idle_days=30, warn_days=14, notices_in_text=True, actor=actor)
change_approval_rule(org_id=workspace.org_id, tools=["delete_task"], tokens=[], hourly_limit=500,
    answered_in="console", holds_s=20, lasts_s=900, actor=actor)
view_save(member=ana, area="audit", name="Deleted expenses", query="tool=delete_expense")
TOTP.activate(ben.user, {totp!r})
made = dict()
for key, label in (("rotating", "Laptop"), ("staying", "Desktop")):
    connection, minted = connect_with_token(owner=ana, client="claude-code", label=label, access="full",
        form=new_form_id())
    made[key] = [minted.plaintext, connection.slug]
blocked = mint_token(member=ben, name="Lost phone", scopes=("read",), form=new_form_id(), actor=ben.display_identity)
made["blocked"] = [blocked.plaintext, ""]
print(json.dumps(made))
"""
BLOCK_AND_ROTATE = """
import json
from hoursmith_console.rotations.actions import mint_new_token
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_issuer.minting import new_form_id
from hoursmith_console.workspaces.models import Member
from mcpbridge.auth.restrictions.blocks import block_token
ana, ben = (Member.objects.get(name__startswith=name) for name in ("Ana", "Ben"))
workspace, actor = ana.workspace, ana.display_identity
block_token(org_id=workspace.org_id, env="live", prefix={blocked!r}, reason="The phone is lost.", actor=actor)
rotation = start_rotation(env="live", prefix={rotating!r}, workspace=workspace, kind=RotationKind.PLANNED, actor=actor,
    reason="Quarterly rotation")
new = mint_new_token(rotation=rotation, member=ana, name="Laptop (new)", form=new_form_id())
print(json.dumps([rotation.pk, new.plaintext]))
"""


def secret(name: str) -> str:
    """Return a secret of the recorded console; the tests make the same."""
    return hashlib.sha256(f"upgrade tests: {name}".encode()).hexdigest()


def prefix(token: str) -> str:
    return token.split("_")[2]


def deletion(served: Served, connection: list[str], name: str) -> None:
    """Create a client and delete it, with the token and the address of a connection."""
    token, slug = connection
    path = f"/mcp/c/{slug}"
    made = call_tool(served, token, "create_client", {"name": name, "currency": "EUR"}, path=path, client="claude-code")
    key = made.result["structuredContent"]["data"]["id"]
    gone = call_tool(served, token, "delete_client", {"id": key}, path=path, client="claude-code").result
    assert not gone.get("isError"), gone


def record(folder: Path, url: str | None) -> dict[str, Any]:
    """Play, configure and stop a console in `folder`; return what the tests have to know about it."""
    env = {
        "SECRET_KEY": secret("SECRET_KEY"),
        "AUDIT_SIGNING_KEY": secret("first signing key"),
        "SANDBOX_RATE_LIMITS": "off",
        "LOG_DESTINATION_PRIVATE_NETWORKS": "192.0.2.0/24",
    }
    with served_console(folder, env=env, database_url=url, start=False) as served:
        command = [sys.executable, "manage.py", "play_demo", "--brief"]
        subprocess.run(command, env=served.environment, check=True, stdout=subprocess.DEVNULL)
        made = served.shell(CONFIGURE.format(totp=TOTP_SECRET))
        served.start()
        for token, slug in made.values():
            call_tool(served, token, "get_me", path=f"/mcp/c/{slug}" if slug else "/mcp", client="claude-code")
        deletion(served, made["rotating"], "Initech")
        served.stop()
        prefixes = {key: prefix(token) for key, (token, _) in made.items()}
        rotation, new = served.shell(BLOCK_AND_ROTATE.format(**prefixes))
        served.manage("audit_keygen", "--rotate", environment={"AUDIT_SIGNING_KEY_NEW": secret("second signing key")})
        served.environment["AUDIT_SIGNING_KEY"] = secret("second signing key")
        served.start()
        deletion(served, made["staying"], "Globex")
        served.stop()
        export = served.manage("audit_export", "--format", "jsonl")
        keys = served.shell(
            "import json; from mcpbridge.audit.keyring import published_keys; print(json.dumps(published_keys()))"
        )
        return {
            # In parts, so that no scanner takes them for tokens that are in use.
            "tokens": {key: token.split("_") for key, (token, _) in {**made, "new": (new, "")}.items()},
            "connections": {key: slug for key, (_, slug) in made.items()},
            "rotation": rotation,
            "passwords": {person["email"]: person["password"] for person in served.people},
            "export": export,
            "keys": keys,
        }


def write(path: Path, text: str) -> None:
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{path} {path.stat().st_size}\n")


def record_sqlite(out: Path, work: Path) -> None:
    known = record(work / "sqlite", None)
    write(out / "sqlite.json.xz", json.dumps(known))
    for name in ("console", "console-sandbox"):
        with closing(sqlite3.connect(work / "sqlite" / f"{name}.sqlite3")) as connection:
            if name == "console-sandbox":
                connection.execute(SLIM)
                connection.commit()
            write(out / f"{name}.sqlite.sql.xz", "\n".join(connection.iterdump()))


def record_postgres(out: Path, work: Path) -> None:
    cluster = shared_cluster(lambda is_there, reason: None)
    known = record(work / "postgres", cluster.create_database("console"))
    write(out / "postgres.json.xz", json.dumps(known))
    cluster.execute(SLIM, "console")
    dump = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", cluster.url("console")]
    done = subprocess.run(dump, check=True, capture_output=True, text=True)
    # Commands of psql, which a driver does not know.
    lines = (line for line in done.stdout.splitlines() if not line.startswith("\\"))
    write(out / "postgres.sql.xz", "\n".join(lines))


if __name__ == "__main__":
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        record_sqlite(folder, Path(temporary))
        record_postgres(folder, Path(temporary))
