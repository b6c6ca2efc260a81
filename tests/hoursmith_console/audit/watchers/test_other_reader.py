"""Another implementation, tlog-scales, reads the log as it is served and downloaded: all that proves something."""

import base64
import hashlib
import io
import time
import zipfile
from collections.abc import Callable

from django.test import Client
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tlog import Checkpoint, ConsistencyProof, InclusionProof

from hoursmith_console.audit.watchers.services import create_watch_key
from mcpbridge.audit.signing import configured_key, key_pair
from mcpbridge.audit.tree.merkle import leaf_hash
from mcpbridge.audit.tree.notes import COSIGNATURE, cosignature_line, key_named
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.proven_logs import sealed_calls, store_tree
from tests.security.conftest import content_of
from tests.signed_trees import add_rows, sign_tree


class _Served:
    """The addresses below one log."""

    def __init__(self, origin: str, key: str) -> None:
        self._base = f"/audit/log/{hashlib.sha256(origin.encode()).hexdigest()}"
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, *path: str) -> bytes | None:
        answer = Client().get("/".join((self._base, *path)), headers=self._headers)
        return answer.content if answer.status_code == 200 else None

    def post(self, body: dict[str, str]) -> int:
        address = f"{self._base}/cosignature"
        return Client().post(address, body, content_type="application/json", headers=self._headers).status_code


def _hashes_in(text: str) -> list[bytes]:
    """The hashes of a proof in a file, one a line above the note."""
    return [base64.b64decode(line) for line in text.partition("\n\n")[0].splitlines() if line.endswith("=")]


def test_another_implementation_checks_the_files_of_evidence(cast: Cast, trusted: Callable[[str], Client]) -> None:
    add_rows(cast.org_id, 6)
    older = store_tree(cast.org_id)
    intent, outcome = sealed_calls(cast.tokens["manager"], 1)
    head = store_tree(cast.org_id)
    answer = trusted("owner").post(f"/audit/{intent.call_id}/evidence/")
    with zipfile.ZipFile(io.BytesIO(content_of(answer))) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    log = Vkey.from_string(str(key_named(head.origin, configured_key())))
    read = Checkpoint.from_text(files["checkpoint"].decode())
    read.verify(log)
    assert (read.size, read.root_hash.hex()) == (head.sequence, head.root)
    for row in (intent, outcome):
        proof, leaf = files[f"proofs/{row.sequence}.tlog-proof"].decode(), files[f"proofs/{row.sequence}.leaf"]
        assert f"\nindex {row.sequence - 1}\n" in proof
        assert leaf.hex() == row.hash
        InclusionProof(row.sequence - 1, read.size, _hashes_in(proof)).check(leaf_hash(leaf), read.root_hash)
    consistency = files["consistency.txt"].decode()
    kept = Checkpoint.from_text(consistency.partition("\n\n")[2])
    kept.verify(log)
    assert (kept.size, kept.root_hash.hex()) == (older.sequence, older.root)
    ConsistencyProof(kept.size, read.size, _hashes_in(consistency)).check(kept.root_hash, read.root_hash)


def test_another_implementation_reads_what_is_served(cast: Cast) -> None:
    _, text = create_watch_key(org_id=cast.org_id, name="NAS", actor="Ana")
    add_rows(cast.org_id, 258)
    older = sign_tree(cast.org_id)
    add_rows(cast.org_id, 41)
    head = sign_tree(cast.org_id)
    served, watcher = _Served(head.origin, text), key_pair("a watcher")
    note = head.signed_note.rpartition("\n\n")[0] + "\n"
    line = cosignature_line(note, name="nas/watch_audit", signer=watcher, seconds=int(time.time()))
    keys = [
        str(key_named(head.origin, configured_key())),
        str(key_named("nas/watch_audit", watcher, kind=COSIGNATURE)),
    ]
    assert served.post({"vkey": keys[1], "note": f"{note}\n{line}"}) == 204
    reader = TilesReader(served)
    read = reader.get_checkpoint()
    assert len(VkeySet(*map(Vkey.from_string, keys)).verify(read.signatures, read)) == 2
    assert reader.calculate_root_hash() == read.root_hash == bytes.fromhex(head.root)
    reader.get_consistency_proof(older.sequence, head.sequence).check(bytes.fromhex(older.root), read.root_hash)
    entry = reader.get_entry(256)
    assert entry.hex() == AuditEvent.objects.get(org_id=cast.org_id, sequence=257).hash
    reader.get_inclusion_proof(256, head.sequence).check(leaf_hash(entry), read.root_hash)
