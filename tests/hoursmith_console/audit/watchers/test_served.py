"""What a watch key opens: the signed tree of its own workspace, and nothing else."""

import base64
import hashlib
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import Client

from hoursmith_console.audit.models import WatchKey
from hoursmith_console.audit.watchers.access import FAILURES, READS, RequestLimit
from hoursmith_console.audit.watchers.services import create_watch_key, revoke_watch_key, rotate_watch_key
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.audit.tree.checkpoints import open_checkpoint
from mcpbridge.audit.tree.merkle import leaf_hash, root_of
from mcpbridge.audit.tree.notes import VerifierKey, cosignature_line, key_named
from mcpbridge.models import AuditEvent, AuditTile, Cosignature, SigningHead
from tests.hoursmith_console.conftest import Cast
from tests.paths import ROOT
from tests.signed_trees import add_rows, sign_tree

Browse = Callable[[str], Client]


@pytest.fixture
def head(cast: Cast) -> SigningHead:
    """A signed tree of three entries."""
    add_rows(cast.org_id, 3)
    return sign_tree(cast.org_id)


@pytest.fixture
def watch_key(cast: Cast) -> tuple[WatchKey, str]:
    return create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")


def path_of(origin: str, path: str) -> str:
    return f"/audit/log/{hashlib.sha256(origin.encode()).hexdigest()}/{path}"


def read(origin: str, path: str, text: str, client: Client | None = None) -> Any:
    return (client or Client()).get(path_of(origin, path), headers={"Authorization": f"Bearer {text}"})


def test_the_checkpoint_is_the_signed_note(head: SigningHead, watch_key: tuple[WatchKey, str]) -> None:
    answer = read(head.origin, "checkpoint", watch_key[1])
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store, private"
    found = open_checkpoint(answer.content, key_named(head.origin, configured_key()))
    assert (found.head.size, found.head.root.hex()) == (3, head.root)
    said = read(head.origin, "checkpoint.json", watch_key[1]).json()
    assert (said["origin"], said["sequence"], said["signature"]) == (head.origin, 3, head.signature)


def test_tiles_and_entries_lead_to_the_root(cast: Cast, watch_key: tuple[WatchKey, str]) -> None:
    add_rows(cast.org_id, 300)
    head = sign_tree(cast.org_id)
    size = head.sequence
    full, rest = (read(head.origin, path, watch_key[1]) for path in ("tile/0/000", f"tile/0/001.p/{size - 256}"))
    assert "immutable" in full["Cache-Control"]
    leaves = full.content + rest.content
    assert root_of(leaves[at : at + 32] for at in range(0, len(leaves), 32)).hex() == head.root
    above = read(head.origin, "tile/1/000.p/1", watch_key[1])
    assert above.content == root_of(full.content[at : at + 32] for at in range(0, 8192, 32))
    bundle = read(head.origin, "tile/entries/000", watch_key[1]).content
    assert len(bundle) == 256 * 34 == 8704
    entries = [bundle[at + 2 : at + 34] for at in range(0, len(bundle), 34)]
    assert b"".join(map(leaf_hash, entries)) == full.content
    row = AuditEvent.objects.get(org_id=cast.org_id, sequence=256)
    assert entries[255].hex() == row.hash
    assert read(head.origin, "tile/0/000.p/17", watch_key[1]).content == full.content[: 17 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000", "tile/0/000.p/4", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000.p/4", "tile/8/000",
        "tile/0/000.p/0", "tile/0/000.p/03", "tile/0/x000/000.p/1", "tile/0/0.p/1", "tile/entries/001", "nothing",
        "checkpoint/", "cosignature", "tile/0/000.p/3/more", "tile/0/x999/x999/x999/x999/x999/999",
    ],
)  # fmt: skip
def test_what_the_checkpoint_does_not_cover_is_not_there(
    head: SigningHead, watch_key: tuple[WatchKey, str], path: str
) -> None:
    answer = read(head.origin, path, watch_key[1])
    assert (answer.status_code, answer.content) == (404, b"404\n")


def test_an_entry_that_is_not_signed_yet_is_not_served(
    cast: Cast, head: SigningHead, watch_key: tuple[WatchKey, str]
) -> None:
    add_rows(cast.org_id, 5)
    assert read(head.origin, "tile/entries/000.p/3", watch_key[1]).status_code == 200
    assert read(head.origin, "tile/entries/000.p/4", watch_key[1]).status_code == 404


def test_a_wrong_key_learns_nothing(cast: Cast, browse: Browse, head: SigningHead) -> None:
    key, text = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    revoked, gone = create_watch_key(org_id=cast.org_id, name="Old", actor="Ana")
    revoke_watch_key(key=revoked, actor="Ana")
    old = text
    text = rotate_watch_key(key=key, actor="Ana")
    wrong = [
        None, "", "Bearer", f"Basic {text}", f"Bearer {old}", f"Bearer {gone}", f"Bearer {text}x", f"Bearer  {text}",
        f"bearer {text}", f"Bearer {text[:-1]}", f"Bearer hwk_{'0' * 12}_{'A' * 43}", f"Bearer hwk_{key.slug}_",
        f"Bearer {text[:17]}{'A' * 43}", f"Bearer {key.digest}", f"Bearer {text}, Bearer {text}",
    ]  # fmt: skip
    answers = set()
    for header in wrong:
        for origin in (head.origin, "audit.example.com/nothing/1"):
            for path in ("checkpoint", "nothing"):
                FAILURES.forget()
                headers = {} if header is None else {"Authorization": header}
                # A member who is signed in is nobody here.
                for client in (Client(), browse("owner")):
                    answer = client.get(path_of(origin, path), headers=headers)
                    answers.add((answer.status_code, answer.content, answer["WWW-Authenticate"]))
    assert answers == {(401, b"401\n", "Bearer")}
    assert Client().post(path_of(head.origin, "cosignature")).status_code == 401
    assert read(head.origin, "checkpoint", text).status_code == 200


def test_a_key_opens_its_own_workspace_only(cast: Cast, head: SigningHead) -> None:
    add_rows(cast.other.org_id, 2)
    theirs = sign_tree(cast.other.org_id)
    _, text = create_watch_key(org_id=cast.other.org_id, name="Theirs", actor="Ana")
    answers = [read(origin, "checkpoint", text) for origin in (head.origin, "audit.example.com/nothing/1")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(404, b"404\n")] * 2
    assert answers[0].headers.keys() == answers[1].headers.keys()
    assert read(theirs.origin, "checkpoint", text).status_code == 200


def test_a_log_of_format_1_is_not_served(cast: Cast, watch_key: tuple[WatchKey, str]) -> None:
    add_rows(cast.org_id, 2)
    assert read(f"audit.example.com/{cast.org_id}/1", "checkpoint", watch_key[1]).status_code == 404


def test_keys_are_tried_and_used_so_many_times_a_minute(
    head: SigningHead, watch_key: tuple[WatchKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {read(head.origin, "checkpoint", "wrong").status_code for _ in range(30)}
    assert seen == {401}
    answer = read(head.origin, "checkpoint", "wrong")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    # Who guesses keeps nobody with a right key out.
    assert read(head.origin, "checkpoint", watch_key[1]).status_code == 200
    for _ in range(600):
        READS.count(watch_key[0].slug)
    assert read(head.origin, "checkpoint", watch_key[1]).status_code == 429


def test_a_window_ends() -> None:
    now = [0.0]
    limit = RequestLimit(2, clock=lambda: now[0])
    for _ in range(2):
        limit.count("one")
    assert limit.is_reached("one")
    assert not limit.is_reached("other")
    now[0] = 60.0
    assert not limit.is_reached("one")


def test_the_page_shows_when_a_watcher_was_seen(
    cast: Cast, trusted: Browse, head: SigningHead, watch_key: tuple[WatchKey, str]
) -> None:
    assert "never" in trusted("owner").get("/audit/watchers/").content.decode()
    read(head.origin, "tile/0/000.p/3", watch_key[1])
    key = watch_key[0]
    key.refresh_from_db()
    assert key.seen_at is None
    read(head.origin, "checkpoint", watch_key[1])
    key.refresh_from_db()
    assert key.seen_size == 3
    page = trusted("owner").get("/audit/watchers/").content.decode()
    assert "3 entries" in page
    assert str(key_named(head.origin, configured_key())) in page


def test_a_tile_costs_few_queries(
    head: SigningHead, watch_key: tuple[WatchKey, str], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(5):
        read(head.origin, "tile/0/000.p/3", watch_key[1])


# The stand-alone watcher over what is served.


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_audit_served", ROOT / "docs/watch_audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watcher = _loaded()


@pytest.fixture
def watch(
    cast: Cast, watch_key: tuple[WatchKey, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run the stand-alone watcher with the key, its requests answered by the console's views."""

    def ask(self: Any, origin: str, path: str, limit: int, body: bytes | None = None) -> bytes:
        address, headers = path_of(origin, path), {"Authorization": f"Bearer {watch_key[1]}"}
        if body is None:
            answer = Client().get(address, headers=headers)
        else:
            answer = Client().post(address, body, content_type="application/json", headers=headers)
        if answer.status_code not in (200, 204):
            raise watcher.NoAnswerError(f"{path}: {answer.status_code} {answer.content.decode()}")
        assert len(answer.content) <= limit
        return bytes(answer.content)

    monkeypatch.setattr(watcher.Log, "ask", ask)
    monkeypatch.setenv("WATCH_KEY", watch_key[1])
    monkeypatch.chdir(tmp_path)

    def run(*more: str, vkey: str = "") -> int:
        known = vkey or str(key_named(f"audit.example.com/{cast.org_id}/1", configured_key()))
        return int(watcher.main(["--log", "https://console.example.com/audit/log", "--vkey", known, *more]))

    return run


def test_the_watcher_follows_the_log_and_finds_a_rewrite(
    cast: Cast, head: SigningHead, watch: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert watch() == 0
    add_rows(cast.org_id, 300)
    sign_tree(cast.org_id)
    assert watch() == 0
    _forge(cast.org_id, 2)
    add_rows(cast.org_id, 1)
    # Signed with the real key, as by somebody who has database and key.
    sign_tree(cast.org_id)
    assert watch() == 1
    assert "changed: the first" in capsys.readouterr().out


def test_the_watcher_finds_a_database_that_was_put_back(
    cast: Cast, head: SigningHead, watch: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    backup = transaction.savepoint()
    add_rows(cast.org_id, 4)
    sign_tree(cast.org_id)
    assert watch() == 0
    transaction.savepoint_rollback(backup)
    add_rows(cast.org_id, 1)
    sign_tree(cast.org_id)
    assert watch() == 1
    assert "behind: the log ends at" in capsys.readouterr().out


def test_damaged_tiles_are_found(cast: Cast, head: SigningHead, watch: Callable[..., int]) -> None:
    tile = AuditTile.objects.get(org_id=cast.org_id, level=0)
    tile.hashes = bytes(32) + bytes(tile.hashes)[32:]
    tile.save()
    assert watch() == 1
    tile.delete()
    assert watch() == 3


def _forge(org_id: str, sequence: int) -> None:
    """Change a row's hash as somebody does who may drop triggers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'mcpbridge_auditevent'"
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute(
            "UPDATE mcpbridge_auditevent SET hash = %s WHERE org_id = %s AND sequence = %s",
            [hashlib.sha256(b"forged").hexdigest(), org_id, sequence],
        )
        for _, sql in triggers:
            cursor.execute(sql)


# Cosignatures of watchers.


def test_a_watcher_cosigns_and_the_note_carries_it(
    cast: Cast, trusted: Browse, head: SigningHead, watch_key: tuple[WatchKey, str], watch: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for _ in range(2):
        assert watch("--cosign", "cosigner.key") == 0
    said = capsys.readouterr().out
    assert "not taken" not in said
    vkey = VerifierKey.parse(said.split("cosigning as ")[1].splitlines()[0])
    key = watch_key[0]
    key.refresh_from_db()
    assert key.cosigner == str(vkey)
    assert Cosignature.objects.get().head == head
    assert AuditEvent.objects.get(tool="console.watch_key_cosigner").arguments == {"cosigner": str(vkey)}
    note = read(head.origin, "checkpoint", watch_key[1]).content
    ours = key_named(head.origin, configured_key())
    assert list(open_checkpoint(note, ours, cosigners=[vkey]).cosigned) == [vkey]
    assert "cosigns" in trusted("owner").get("/audit/watchers/").content.decode()
    # It is verified whenever it is used.
    Cosignature.objects.update(line="— host/watch_audit AAAAAAAAAAAA\n")
    note = read(head.origin, "checkpoint", watch_key[1]).content
    assert open_checkpoint(note, ours, cosigners=[vkey]).cosigned == {}


def test_another_cosigning_key_is_refused(
    head: SigningHead, watch: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert watch("--cosign", "one.key") == 0
    assert watch("--cosign", "other.key", "--keep", "other") == 0
    assert "This watch key cosigns with another key." in capsys.readouterr().out
    assert Cosignature.objects.count() == 1


def test_the_name_of_another_cosigner_is_refused(
    cast: Cast, head: SigningHead, watch: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert watch("--cosign", "one.key") == 0
    vkey = WatchKey.objects.get(name="NAS").cosigner
    WatchKey.objects.filter(name="NAS").update(cosigner="")
    create_watch_key(org_id=cast.org_id, name="Other", actor="Ana")
    WatchKey.objects.filter(name="Other").update(cosigner=vkey)
    Cosignature.objects.all().delete()
    assert watch("--cosign", "two.key", "--keep", "two") == 0
    assert "Another cosigner has the name" in capsys.readouterr().out
    assert not Cosignature.objects.exists()


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_cosignature_of_another_time_is_refused(
    head: SigningHead, watch: Callable[..., int], capsys: pytest.CaptureFixture[str], hours: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    real = watcher.Cosigner.line
    monkeypatch.setattr(watcher.Cosigner, "line", lambda self, text, at: real(self, text, at + 3600 * hours))
    assert watch("--cosign", "one.key") == 0
    assert "not now" in capsys.readouterr().out
    assert not Cosignature.objects.exists()


def test_only_a_checkpoint_of_the_log_is_cosigned(head: SigningHead, watch_key: tuple[WatchKey, str]) -> None:
    key = key_pair("a watcher")
    raw = b"\x04" + base64.b64decode(key.public_key)
    number = hashlib.sha256(b"w\n" + raw).digest()[:4]
    vkey = f"w+{number.hex()}+{base64.b64encode(raw).decode()}"

    def post(text: str, body: Any = None) -> int:
        line = cosignature_line(text, name="w", signer=key, seconds=int(time.time()))
        value = json.dumps({"vkey": vkey, "note": f"{text}\n{line}"}) if body is None else body
        answer = Client().post(
            path_of(head.origin, "cosignature"), value, content_type="application/json",
            headers={"Authorization": f"Bearer {watch_key[1]}"},
        )  # fmt: skip
        return answer.status_code

    text = head.signed_note.rpartition("\n\n")[0] + "\n"
    for other in (text.replace("\n3\n", "\n4\n"), text.replace(head.origin, "audit.example.com/other/1")):
        assert post(other) == 409
    for body in ("", "[]", "{}", '{"vkey": 1, "note": 2}', "[" * 9000, '{"vkey": "x", "note": "y"}', "x" * 20_000):
        assert post(text, body) == 400
    assert not Cosignature.objects.exists()
    assert WatchKey.objects.get().cosigner == ""
    assert post(text) == 204
    assert django_settings.AUDIT_WITNESSES == ""
