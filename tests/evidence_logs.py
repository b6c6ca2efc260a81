"""Logs of format 2, their exports and evidence, made from the bytes that `docs/audit-format.md` specifies.

Nothing of the console is used but the key pairs: both verifiers are tested against what this builds.
"""

import base64
import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import rfc8785

from mcpbridge.audit.signing import SigningKeyPair
from tests.audit_chains import KEY

Line = dict[str, Any]

WORKSPACE, NAME = "org-1", "audit.example.com"
SEALED = ("actor", "address", "arguments", "note", "snapshot", "target_label", "token_name")
FIRST_DAY = "2026-11-23T"


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw_of(key: SigningKeyPair) -> bytes:
    return base64.b64decode(key.public_key)


def fingerprint(key: SigningKeyPair = KEY) -> str:
    return sha256(raw_of(key)).hex()


# Trees, by the definitions of RFC 9162 and without any shortcut.


def leaf(row: Line) -> bytes:
    return sha256(b"\0", bytes.fromhex(row["hash"]))


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    half = split(len(leaves))
    return sha256(b"\1", root(leaves[:half]), root(leaves[half:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return [*inclusion(index, leaves[:half]), root(leaves[half:])]
    return [*inclusion(index - half, leaves[half:]), root(leaves[:half])]


def consistency(older: int, leaves: Sequence[bytes], is_whole: bool = True) -> list[bytes]:
    if older == len(leaves):
        return [] if is_whole else [root(leaves)]
    half = split(len(leaves))
    if older <= half:
        return [*consistency(older, leaves[:half], is_whole), root(leaves[half:])]
    return [*consistency(older - half, leaves[half:], False), root(leaves[:half])]


def beside(leaves: Sequence[bytes], begin: int, end: int) -> list[str]:
    """The roots of the largest aligned subtrees that fill [begin, end)."""
    found = []
    while begin < end:
        size = max(n for n in (1 << k for k in range(40)) if begin % n == 0 and begin + n <= end)
        found.append(root(leaves[begin : begin + size]).hex())
        begin += size
    return found


# Rows.


def commitment(member: str, salt: bytes, value: Any) -> str:
    return sha256(f"hoursmith-sealed-2\n{member}\n".encode(), salt, rfc8785.dumps(value)).hex()


def salt(seal: bytes, member: str) -> bytes:
    return hmac.new(seal, f"hoursmith-salt-2\n{member}".encode(), "sha256").digest()


def genesis(workspace: str = WORKSPACE) -> str:
    return sha256(f"hoursmith-audit-1\n{workspace}".encode()).hex()


def hashed(row: Line) -> Line:
    """The row with the hash that its facts have now."""
    left_out = {"type", "previous_hash", "hash"} | ({"seal", "salts", *SEALED} if "sealed" in row else set())
    facts = {name: value for name, value in row.items() if name not in left_out}
    return {**row, "hash": sha256(rfc8785.dumps(facts), bytes.fromhex(row["previous_hash"])).hex()}


def a_row(sequence: int, previous_hash: str, *, epoch: int = 1, workspace: str = WORKSPACE, **more: Any) -> Line:
    """The line of a row; of format 1 where the epoch is 0."""
    at = f"{FIRST_DAY}10:{sequence // 60 % 60:02d}:{sequence % 60:02d}.000000Z"
    facts: Line = {
        **{"id": f"row-{workspace}-{epoch}-{sequence}", "sequence": sequence, "phase": "event", "recorded_at": at},
        **{"call_id": f"call-{sequence}", "at": at, "tool": "delete_client" if sequence % 3 else "console.login"},
        **{"kind": "destructive", "target_type": "client", "target_id": f"c-{sequence}", "snapshot_fault": ""},
        **{"result": "succeeded", "status": 204, "code": "", "duration_ms": 12.5, "env": "live"},
        **{"prefix": "4f8a2c1bdedf", "role": "OWNER", "org_name": "Studio Nord", "client_name": "Claude Desktop"},
        **{"client_version": "1.2", "connection": "", "protocol": "2026-07-28", "transport": "http"},
        **{"request_id": f"r-{sequence}", "workspace": workspace},
    }
    values: Line = {
        **{"actor": "Ana", "address": "127.0.0.1", "arguments": {"id": f"c-{sequence}", "n": 0.5}, "note": ""},
        **{"snapshot": {"rate": "85.00"}, "target_label": "Glöbex 🧾", "token_name": "Ana's laptop"},
    }
    values |= {name: more.pop(name) for name in SEALED if name in more}
    if not epoch:
        return hashed(
            {"type": "event", **facts, **values, "format": "hoursmith-audit-1", **more, "previous_hash": previous_hash}
        )
    seal = sha256(f"{workspace} {epoch} {sequence}".encode())
    facts |= {"format": "hoursmith-audit-2", "epoch": epoch}
    facts["sealed"] = {name: commitment(name, salt(seal, name), values[name]) for name in SEALED}
    return hashed(
        {"type": "event", **facts, **more, **values, "seal": seal.hex(), "previous_hash": previous_hash, "hash": ""}
    )


def shown(row: Line, members: Iterable[str]) -> Line:
    """The row with only some of its sealed members."""
    seal, members = bytes.fromhex(row["seal"]), set(members)
    salts = {name: salt(seal, name).hex() for name in SEALED if name in members}
    made = {name: value for name, value in row.items() if name != "seal" and (name not in SEALED or name in members)}
    return {**made, "salts": salts} if salts else made


def withheld(row: Line) -> Line:
    return {"type": "withheld", "sequence": row["sequence"], "hash": row["hash"]}


@dataclass
class Log:
    """A log from its first row on; `old` of the rows are of format 1."""

    rows: list[Line] = field(default_factory=list)
    workspace: str = WORKSPACE
    name: str = NAME
    epoch: int = 1
    first: int = 1
    restores: list[Line] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return self.origin_of(self.epoch)

    def origin_of(self, epoch: int) -> str:
        begin = f"-from-{self.first}" if self.first > 1 else ""
        return f"{self.name}/{quote(self.workspace, safe='')}/{epoch}{begin}"

    def grow(self, count: int, *, epoch: int | None = None, **more: Any) -> "Log":
        for _ in range(count):
            previous = self.rows[-1]["hash"] if self.rows else genesis(self.workspace)
            at = self.epoch if epoch is None else epoch
            self.rows.append(a_row(len(self.rows) + 1, previous, epoch=at, workspace=self.workspace, **more))
        return self

    def leaves(self, sequence: int | None = None) -> list[bytes]:
        return [leaf(row) for row in self.rows[self.first - 1 : sequence]]

    def hash_at(self, sequence: int) -> str:
        return self.rows[sequence - 1]["hash"] if sequence else genesis(self.workspace)

    def head(self, sequence: int) -> Line:
        return {"sequence": sequence, "hash": self.hash_at(sequence), "root": root(self.leaves(sequence)).hex()}

    def restored(self, kept: int, *, key: SigningKeyPair = KEY, lost: SigningKeyPair | None = None) -> "Log":
        """The log after a restore that kept `kept` rows; with `lost`, `key` is the one after that."""
        said: Line = {
            **{"workspace": self.workspace, "at": f"{FIRST_DAY}12:00:00.000000Z", "reason": "disk failure"},
            **{"from": {"origin": self.origin, **self.head(len(self.rows))}, "kept": self.head(kept)},
            **{"to": self.origin_of(self.epoch + 1), "format": "hoursmith-restore-1"},
        }
        if lost:
            said |= {"format": "hoursmith-break-1", "lost": lost.public_key, "public_key": key.public_key}
        line = {"type": "restore", **said, "key_id": key.key_id, "signature": key.sign(rfc8785.dumps(said))}
        made = Log(self.rows[:kept], self.workspace, self.name, self.epoch + 1, self.first, [*self.restores, line])
        return made.grow(1, tool="console.audit_restore")


# Signatures.


def signature_line(text: str, name: str, key: SigningKeyPair) -> str:
    key_id = sha256(name.encode(), b"\n\1", raw_of(key))[:4]
    return f"— {name} {b64(key_id + base64.b64decode(key.sign(text.encode())))}\n"


def cosignature_line(text: str, name: str, key: SigningKeyPair, seconds: int = 1_795_432_500) -> str:
    key_id = sha256(name.encode(), b"\n\4", raw_of(key))[:4]
    signed = base64.b64decode(key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode()))
    return f"— {name} {b64(key_id + seconds.to_bytes(8, 'big') + signed)}\n"


def vkey(name: str, key: SigningKeyPair, kind: int = 1) -> str:
    data = bytes([kind]) + raw_of(key)
    key_id = sha256(name.encode(), b"\n", data)[:4]
    return f"{name}+{key_id.hex()}+{b64(data)}"


def note_text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{b64(root)}\n"


def note_of(log: Log, sequence: int, *, key: SigningKeyPair = KEY, epoch: int | None = None, more: str = "") -> str:
    origin = log.origin if epoch is None else log.origin_of(epoch)
    text = note_text(origin, sequence - log.first + 1, root(log.leaves(sequence)))
    return f"{text}\n{signature_line(text, origin, key)}{more}"


def a_checkpoint(
    log: Log,
    sequence: int,
    *,
    key: SigningKeyPair = KEY,
    epoch: int | None = None,
    witnesses: Mapping[str, SigningKeyPair] | None = None,
    **changes: Any,
) -> Line:
    """The line of a checkpoint; the statement is signed with the `changes`, the note without them."""
    number = log.epoch if epoch is None else epoch
    said: Line = {
        **{"format": "hoursmith-checkpoint-2", "workspace": log.workspace, "origin": log.origin_of(number)},
        **{"epoch": number, "first": log.first, **log.head(sequence)},
        **{"at": f"{FIRST_DAY}11:{sequence // 60 % 60:02d}:{sequence % 60:02d}.000000Z", **changes},
    }
    text = note_text(log.origin_of(number), sequence - log.first + 1, root(log.leaves(sequence)))
    cosigned = "".join(cosignature_line(text, name, pair) for name, pair in (witnesses or {}).items())
    note = note_of(log, sequence, key=key, epoch=number, more=cosigned)
    signed = {"key_id": key.key_id, "signature": key.sign(rfc8785.dumps(said)), "reason": "rows"}
    return {"type": "checkpoint", **said, **signed, "note": note}


def an_old_checkpoint(log: Log, sequence: int, key: SigningKeyPair = KEY) -> Line:
    """The line of a checkpoint of format 1."""
    said: Line = {"workspace": log.workspace, "sequence": sequence, "hash": log.hash_at(sequence)}
    said["at"] = f"{FIRST_DAY}10:59:00.000000Z"
    signature = key.sign(rfc8785.dumps({"format": "hoursmith-checkpoint-1", **said}))
    return {"type": "checkpoint", **said, "key_id": key.key_id, "signature": signature, "reason": "time"}


def a_cut(log: Log, sequence: int, key: SigningKeyPair = KEY) -> Line:
    said: Line = {"workspace": log.workspace, "sequence": sequence, "hash": log.hash_at(sequence), "rows": sequence}
    said["at"] = f"{FIRST_DAY}10:58:00.000000Z"
    signature = key.sign(rfc8785.dumps({"format": "hoursmith-cut-1", **said}))
    return {"type": "cut", **said, "key_id": key.key_id, "signature": signature}


def key_line(
    key: SigningKeyPair = KEY, before: SigningKeyPair | None = None, use: str = "signing", signer: Any = None
) -> Line:
    """The announcement of a key in format 2; the first one where there is none before it."""
    said = {"format": "hoursmith-key-2", "public_key": key.public_key, "since": f"{FIRST_DAY}09:00:00.000000Z"}
    said |= {"predecessor": before.public_key if before else "", "use": use}
    message = rfc8785.dumps(said)
    signature = (signer or before or key).sign(message)
    return {"type": "key", **said, "signature": signature, "countersignature": key.sign(message)}


def range_line(log: Log, first: int, last: int, size: int | None = None) -> Line:
    leaves = log.leaves()[:size]
    begin, end = first - log.first, last - log.first + 1
    return {
        **{"type": "range", "workspace": log.workspace, "origin": log.origin, "first": first, "last": last},
        **{"size": len(leaves), "left": beside(leaves, 0, begin), "right": beside(leaves, end, len(leaves))},
    }


# Files.


def jsonl(lines: Sequence[Line], workspaces: Sequence[str] = (WORKSPACE,), **header: Any) -> list[bytes]:
    """The lines of an export."""
    first = {"type": "export", "format": "hoursmith-audit-2", "workspaces": list(workspaces), "filters": {}}
    every = [{**first, "complete": True, **header}, *lines, {"type": "end", "lines": len(lines)}]
    return [json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in every]


def an_export(log: Log, signed: Sequence[int], *, keys: Sequence[Line] | None = None, cut: int = 0) -> list[Line]:
    """The lines of a complete export with checkpoints at some rows; rows up to `cut` were removed."""
    made: list[Line] = [*(keys if keys is not None else [key_line()])]
    if cut:
        made.append(a_cut(log, cut))
    made += log.restores
    if cut:
        made.append({**range_line(log, cut + 1, len(log.rows)), "right": []})
    for row in log.rows[cut:]:
        made.append(row)
        if row["sequence"] in signed:
            kept = [line["kept"]["sequence"] for line in log.restores]
            epoch = max((n for n, place in enumerate(kept, start=2) if place < row["sequence"]), default=1)
            made.append(a_checkpoint(log, row["sequence"], epoch=epoch))
    return made


def key_file(lines: Sequence[Line]) -> str:
    return json.dumps({"keys": [{k: v for k, v in line.items() if k != "type"} for line in lines], "current": ""})


def proof_of(log: Log, sequence: int, note: str, size: int | None = None) -> str:
    index = sequence - log.first
    proof = [b64(each) for each in inclusion(index, log.leaves()[:size])]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *proof, "", note])


def consistency_of(log: Log, older: int, note: str | None = None) -> str:
    proof = [b64(each) for each in consistency(older - log.first + 1, log.leaves())]
    kept = [line["kept"]["sequence"] for line in log.restores]
    epoch = max((number for number, place in enumerate(kept, start=2) if place < older), default=1)
    return "\n".join(["hoursmith-consistency-1", *proof, "", note or note_of(log, older, epoch=epoch)])


def evidence(
    log: Log,
    wanted: Sequence[int],
    *,
    is_range: bool = False,
    reduced: Sequence[int] = (),
    older: int | None = None,
    filters: Mapping[str, str] | None = None,
    key: SigningKeyPair = KEY,
    keys: Sequence[Line] | None = None,
    checkpoint: Line | None = None,
) -> dict[str, bytes]:
    """The files of evidence for the rows `wanted`; those of `reduced` are shown without their sealed members."""
    said = checkpoint or a_checkpoint(log, len(log.rows), key=key)
    note, filters = said["note"], dict(filters or {})
    lines: list[Line] = [*log.restores]
    if is_range:
        first, last = min(wanted), max(wanted)
        lines.append(range_line(log, first, last))
        for row in log.rows[first - 1 : last]:
            place = row["sequence"]
            lines.append(row if place in wanted else shown(row, ()) if place in reduced else withheld(row))
    else:
        lines += [log.rows[place - 1] for place in wanted]
    files = {
        "README.txt": b"How to verify this\n",
        "report.html": b"<!doctype html><title>Report</title>",
        "entries.jsonl": b"".join(jsonl(lines, [log.workspace], filters=filters, complete=False)),
        "checkpoint": note.encode(),
        "checkpoint.json": json.dumps({name: value for name, value in said.items() if name != "note"}).encode(),
    }
    if older is not None:
        files["consistency.txt"] = consistency_of(log, older).encode()
    for place in () if is_range else wanted:
        files[f"proofs/{place}.tlog-proof"] = proof_of(log, place, note).encode()
        files[f"proofs/{place}.leaf"] = bytes.fromhex(log.rows[place - 1]["hash"])
    files["keys.json"] = key_file(keys if keys is not None else [key_line()]).encode()
    files["verify_audit.py"] = b"print('VERIFIED')\n"
    return with_manifest(files, workspace=log.workspace, filters=filters, key=key)


def with_manifest(
    files: dict[str, bytes],
    *,
    workspace: str = WORKSPACE,
    filters: Mapping[str, str] | None = None,
    key: SigningKeyPair = KEY,
) -> dict[str, bytes]:
    """The files with a manifest that fits them."""
    others = {name: content for name, content in files.items() if name != "manifest.json"}
    said: Line = {
        **{"format": "hoursmith-evidence-1", "at": f"{FIRST_DAY}13:00:00.000000Z", "made_by": "ana@example.com"},
        **{"workspace": workspace, "filters": dict(filters or {})},
        "files": {name: sha256(content).hex() for name, content in others.items()},
    }
    signed = {**said, "key_id": key.key_id, "signature": key.sign(rfc8785.dumps(said))}
    return {**others, "manifest.json": json.dumps(signed).encode()}


def zipped(files: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> bytes:
    """The archive of some files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, content)
    return made.getvalue()
