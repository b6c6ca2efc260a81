"""The stand-alone watcher beside a log that grows, is rewritten, cut, signed by another key, restored or frozen."""

import base64
import importlib.util
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcpbridge.audit.signing import key_pair
from tests.paths import ROOT
from tests.tile_log import WATCH_KEY, TileLog, leaf, note_of, root_of, served, vkey_of

SCRIPT = ROOT / "docs/watch_audit.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


watcher = _loaded()


@pytest.fixture
def log() -> Iterator[TileLog]:
    log = TileLog()
    log.grow(300)
    with served(log):
        yield log


@pytest.fixture(autouse=True)
def _at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATCH_KEY", WATCH_KEY)


def look(log: TileLog, *more: str, vkey: str = "") -> int:
    """Run the watcher once; return its exit code."""
    return int(watcher.main(["--log", log.url, "--vkey", vkey or log.vkey, *more]))


def test_a_log_that_only_grows_is_fine(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    for size in (300, 300, 301, 511, 512, 513, 1000):
        log.grow(size)
        assert look(log) == 0
        assert f"ok: {size} entries" in capsys.readouterr().out
    (folder,) = Path("watch-audit").iterdir()
    assert len(list((folder / "notes").iterdir())) == 6


def test_an_empty_log_is_fine_and_may_begin(log: TileLog) -> None:
    log.leaves = []
    assert look(log) == 0
    log.grow(1)
    assert look(log) == 0


def test_any_two_sizes_are_connected_by_few_tiles(log: TileLog) -> None:
    chosen = random.Random(5)
    log.leaves = []
    log.grow(70_000)
    leaves = list(log.leaves)
    for number in range(2):
        smaller, larger = sorted(chosen.sample(range(1, 70_001), 2))
        for size in (smaller, larger):
            log.leaves = leaves[:size]
            log.asked.clear()
            assert look(log, "--keep", str(number)) == 0, (smaller, larger)
            assert len(log.asked) <= 2 + 2 * 3 + 2


def test_the_nodes_of_small_logs_lead_to_their_roots() -> None:
    for size in range(40):
        leaves = [leaf(number) for number in range(size)]
        for start in range(size + 1):
            parts = [
                [(level, root_of(leaves[index << level : (index + 1) << level])) for level, index in found]
                for found in (watcher.subtrees(0, start), watcher.subtrees(start, size))
            ]
            nodes = watcher.extended(parts[0], parts[1])
            assert watcher.root_of(nodes) == root_of(leaves)
            assert nodes == watcher.extended([], [(0, each) for each in leaves])


@pytest.mark.parametrize("size", [300, 301, 600])
def test_a_rewritten_history_is_changed(log: TileLog, capsys: pytest.CaptureFixture[str], size: int) -> None:
    assert look(log) == 0
    log.leaves[150] = leaf(150, "forged")
    log.grow(size)
    for _ in range(2):
        assert look(log) == 1
        assert "changed: the first 300 entries are not those" in capsys.readouterr().out
    assert len(list(Path("watch-audit").glob("*/notes/*"))) == 2


def test_tiles_that_do_not_lead_to_the_signed_root_are_changed(
    log: TileLog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert look(log) == 0
    log.grow(301)
    log.answers["tile/0/001.p/45"] = 200, b"\0" * 32 * 45
    assert look(log) == 1
    assert "changed: the tiles do not lead" in capsys.readouterr().out


def test_a_cut_log_is_behind(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(log) == 0
    del log.leaves[299:]
    assert look(log) == 1
    assert "behind: the log ends at 299, but it had 300" in capsys.readouterr().out


def test_another_key_is_named_until_it_is_given_after_the_old_one(
    log: TileLog, capsys: pytest.CaptureFixture[str]
) -> None:
    old = log.vkey
    assert look(log) == 0
    first, log.key = log.key, key_pair("the next key")
    assert look(log, vkey=old) == 1
    assert "other key" in capsys.readouterr().out
    assert look(log, "--vkey", log.vkey, vkey=old) == 0
    log.key = first
    assert look(log, "--vkey", vkey_of(log.origin, key_pair("the next key")), vkey=old) == 1
    assert "other key: a key signed that a later one had replaced" in capsys.readouterr().out


def test_a_wrong_line_of_a_known_key_rejects_the_note(log: TileLog) -> None:
    note = note_of(log.origin, log.leaves, log.key)
    wrong = note_of(log.origin, log.leaves[:9], log.key).splitlines()[-1]
    log.frozen["checkpoint"] = f"{note}{wrong}\n".encode()
    assert look(log) == 1


def test_two_roots_of_one_size_are_changed(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    forged = [*log.leaves[:299], leaf(299, "forged")]
    log.frozen["checkpoint"] = note_of(log.origin, forged, log.key).encode()
    assert look(log) == 1
    assert "changed: two roots of size 300" in capsys.readouterr().out


def test_a_restored_log_waits_until_its_epoch_is_accepted(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    first = log.vkey
    for size in (300, 320, 400):
        log.grow(size)
        assert look(log) == 0
    del log.leaves[330:]
    log.epoch = 2
    log.grow(350, "after the restore")
    for more in ((), ("--accept-epoch", "3")):
        assert look(log, *more, vkey=first) == 1
        assert "new epoch: the log was restored and is at epoch 2" in capsys.readouterr().out
    assert look(log, "--accept-epoch", "2", vkey=first) == 0
    assert "epoch 2 continues from entry 320 of epoch 1" in capsys.readouterr().out
    assert look(log, vkey=first) == 0
    log.epoch = 1
    assert look(log, vkey=first) == 1
    assert "behind: " in capsys.readouterr().out


def test_an_epoch_that_goes_on_from_nothing_seen_is_changed(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(log) == 0
    log.epoch, log.leaves = 2, []
    log.grow(350, "forged")
    assert look(log) == 1
    assert "changed: epoch 2 continues no checkpoint" in capsys.readouterr().out


def test_a_log_that_stands_still_is_stale(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(log) == 0
    log.age(minutes=44)
    assert look(log) == 0
    log.age(minutes=46)
    assert look(log) == 3
    assert "stale: the newest checkpoint is of" in capsys.readouterr().out
    log.age(minutes=-10)
    assert look(log) == 3


def test_an_old_note_beside_new_dates_is_stale(log: TileLog) -> None:
    log.frozen["checkpoint"] = note_of(log.origin, log.leaves, log.key).encode()
    assert look(log) == 0
    log.grow(301)
    assert look(log) == 3


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("checkpoint", (500, b"")),
        ("checkpoint.json", (401, b"")),
        ("checkpoint.json", (200, b"[" * 60_000)),
        ("checkpoint", (200, b"\xff not a note")),
        ("checkpoint", (200, b"x" * 70_000)),
        ("checkpoint", (302, b"https://example.invalid/")),
        ("tile/0/001.p/44", (404, b"")),
    ],
)
def test_no_usable_answer_is_stale(log: TileLog, path: str, answer: tuple[int, bytes]) -> None:
    log.answers[path] = answer
    assert look(log) == 3


def test_a_note_with_extension_lines_or_other_line_ends_is_no_note(log: TileLog) -> None:
    note = note_of(log.origin, log.leaves, log.key)
    for text in (note.replace("\n", "\r\n"), note.replace("\n\n", "\nmore\n\n"), note.replace("\n300\n", "\n0300\n")):
        log.frozen["checkpoint"] = text.encode()
        assert look(log) == 3


def test_with_every_it_looks_again_until_something_is_found(log: TileLog, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        log.answers = {"checkpoint": (500, b"")} if len(looks) == 1 else {}
        if len(looks) == 3:
            log.leaves[7] = leaf(7, "forged")

    monkeypatch.setattr(watcher.time, "sleep", sleep)
    assert look(log, "--every", "5") == 1
    assert looks == [5, 5, 5]


def test_what_was_verified_is_cosigned_once(log: TileLog, capsys: pytest.CaptureFixture[str]) -> None:
    for size in (300, 300, 301):
        log.grow(size)
        assert look(log, "--cosign", "cosigner.key") == 0
    vkey = capsys.readouterr().out.split("cosigning as ")[1].splitlines()[0]
    assert Path("cosigner.key").stat().st_mode & 0o777 == 0o600
    assert [each["vkey"] for each in log.posted] == [vkey, vkey]
    name, number, encoded = vkey.split("+", 2)
    raw = base64.b64decode(encoded)
    text, _, line = log.posted[-1]["note"].rpartition("\n\n")
    dash, by, payload = line.removesuffix("\n").split(" ")
    signed = base64.b64decode(payload)
    assert (dash, by, signed[:4].hex(), raw[:1]) == ("—", name, number, b"\x04")
    at = int.from_bytes(signed[4:12], "big")
    message = f"cosignature/v1\ntime {at}\n{text}\n".encode()
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signed[12:], message)
    log.leaves[1] = leaf(1, "forged")
    assert look(log, "--cosign", "cosigner.key") == 1
    assert len(log.posted) == 2


def test_a_cosignature_that_is_not_taken_is_sent_again(log: TileLog) -> None:
    log.answers["cosignature"] = 503, b""
    for _ in range(2):
        assert look(log, "--cosign", "cosigner.key") == 0
    assert len(log.posted) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--log", "http://console.example.com/audit/log", "--vkey", TileLog().vkey],
        ["--log", "https://console.example.com/audit/log", "--vkey", "nonsense"],
        ["--log", "https://console.example.com/audit/log", "--vkey", TileLog().vkey[:-4] + "AAA="],
        ["--log", "https://console.example.com/audit/log", "--vkey", TileLog().vkey, "--key-file", "missing"],
    ],
)
def test_arguments_that_cannot_be_used(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert watcher.main(arguments) == 2
    assert capsys.readouterr().err.strip()


def test_it_runs_alone(log: TileLog) -> None:
    command = [sys.executable, "-I", str(SCRIPT), "--log", log.url, "--vkey", log.vkey]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: 300 entries")
