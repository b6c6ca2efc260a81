"""Watch keys: Owners and Admins create, rotate and revoke them; each is shown once and kept as a hash."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from hoursmith_console.audit.models import WatchKey
from hoursmith_console.audit.watchers.services import MOST_WATCH_KEYS, create_watch_key, digest_of
from hoursmith_console.workspaces.access import add_auditor
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast

Browse = Callable[[str], Client]


def key_in(answer: Any) -> str:
    """The one key that a page shows."""
    (text,) = set(re.findall(r"hwk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", answer.content.decode()))
    return str(text)


def recorded(action: str) -> AuditEvent:
    return AuditEvent.objects.get(tool=f"console.watch_key_{action}")


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_a_key_is_shown_once_and_kept_as_a_hash(cast: Cast, trusted: Browse, person: str) -> None:
    visitor = trusted(person)
    answer = visitor.post("/audit/watchers/new/", {"name": "Backup server"})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    text = key_in(answer)
    key = WatchKey.objects.get()
    assert (key.org_id, key.name, key.digest) == (cast.org_id, "Backup server", digest_of(text))
    told = recorded("create")
    assert (told.actor, told.target_label) == (cast.people[person].display_identity, "Backup server")
    secret = text.removeprefix(f"hwk_{key.slug}_")
    assert not any(secret in str(row) for model in (WatchKey, AuditEvent) for row in model.objects.values())
    for address in ("/audit/watchers/", f"/audit/{told.call_id}/"):
        page = visitor.get(address)
        assert page.status_code == 200
        assert secret not in page.content.decode()
    assert secret not in str(dict(visitor.session))


def test_a_rotated_key_replaces_the_old_one(cast: Cast, trusted: Browse) -> None:
    key, old = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    answer = trusted("owner").post(f"/audit/watchers/{key.pk}/rotate/")
    new = key_in(answer)
    key.refresh_from_db()
    assert new != old
    assert key.digest == digest_of(new)
    assert key.rotated_at is not None
    assert recorded("rotate").target_label == "NAS"


def test_a_revoked_key_leaves_the_list_and_its_name(cast: Cast, trusted: Browse) -> None:
    key, _ = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    visitor = trusted("admin")
    answer = visitor.post(f"/audit/watchers/{key.pk}/revoke/", follow=True)
    assert "Watch key NAS revoked." in answer.content.decode()
    assert f"hwk_{key.slug}" not in answer.content.decode()
    assert recorded("revoke").target_id == key.slug
    assert visitor.post(f"/audit/watchers/{key.pk}/rotate/").status_code == 404
    assert visitor.post("/audit/watchers/new/", {"name": "NAS"}).status_code == 200


def test_a_name_is_used_once_and_keys_are_few(cast: Cast, trusted: Browse) -> None:
    visitor = trusted("owner")
    for number in range(MOST_WATCH_KEYS):
        create_watch_key(org_id=cast.org_id, name=f"Watcher {number}", actor="Ana")
    answer = visitor.post("/audit/watchers/new/", {"name": "One more"})
    assert answer.status_code == 400
    assert f"at most {MOST_WATCH_KEYS} watch keys" in answer.content.decode()
    assert "Create watch key" not in visitor.get("/audit/watchers/").content.decode()
    WatchKey.objects.filter(name="Watcher 9").delete()
    answer = visitor.post("/audit/watchers/new/", {"name": "Watcher 0"})
    assert "Another watch key has this name." in answer.content.decode()


def test_auditors_look_and_members_do_not(cast: Cast, trusted: Browse) -> None:
    key, _ = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    add_auditor(member=cast.people["manager"], actor="Ana")
    auditor, member = trusted("manager"), trusted("member")
    page = auditor.get("/audit/watchers/")
    assert page.status_code == 200
    assert "NAS" in page.content.decode()
    assert "Revoke key" not in page.content.decode()
    assert member.get("/audit/watchers/").status_code == 403
    for visitor in (auditor, member):
        assert visitor.post("/audit/watchers/new/", {"name": "Mine"}).status_code == 403
        assert visitor.post(f"/audit/watchers/{key.pk}/revoke/").status_code == 403
    assert WatchKey.objects.live().count() == 1


def test_a_change_asks_for_the_password_first(cast: Cast, browse: Browse) -> None:
    key, _ = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    visitor = browse("owner")
    for answer in (visitor.get("/audit/watchers/new/"), visitor.post(f"/audit/watchers/{key.pk}/rotate/")):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/reauthenticate/")


def test_keys_of_another_workspace_are_not_found(cast: Cast, trusted: Browse) -> None:
    key, _ = create_watch_key(org_id=cast.other.org_id, name="Theirs", actor="Ana")
    visitor = trusted("owner")
    assert "Theirs" not in visitor.get("/audit/watchers/").content.decode()
    assert visitor.post(f"/audit/watchers/{key.pk}/revoke/").status_code == 404


def test_an_empty_list_says_what_a_watcher_is(cast: Cast, trusted: Browse) -> None:
    page = trusted("owner").get("/audit/watchers/").content.decode()
    assert "Let another machine watch the audit log." in page
    assert "No witnesses." in page
