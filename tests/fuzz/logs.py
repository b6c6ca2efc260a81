"""Fuzz what both verifiers read: exports, and the files of evidence.

They must agree about any bytes, and must never accept a row that the log does not contain.
"""

import json
from functools import cache

from tests.evidence_logs import Log, evidence, fingerprint, with_manifest, zipped
from tests.verifiers import UNUSABLE, verdict_on, verdict_on_evidence


class Disagreement(Exception):
    """The two verifiers do not say the same, or accept what the log does not contain."""


@cache
def a_log() -> Log:
    return Log().grow(3, epoch=0).grow(9)


@cache
def the_evidence() -> dict[str, bytes]:
    return evidence(a_log(), [5, 12], older=4)


@cache
def the_range() -> dict[str, bytes]:
    return evidence(a_log(), [5, 9], is_range=True, reduced=[7])


def check_export(data: bytes) -> None:
    """Ask both verifiers about any bytes as an export."""
    lines = data.splitlines(keepends=True)
    genuine = {row["hash"] for log in (a_log(), a_log().restored(6).grow(2)) for row in log.rows}
    try:
        verdict = verdict_on(lines, "", fingerprint=fingerprint())
    except AssertionError as error:
        raise Disagreement("the verifiers disagree about an export") from error
    if verdict.get("ok") and not _hashes(lines) <= genuine:
        raise Disagreement("a row is accepted that is not in the log")


def check_evidence(data: bytes) -> None:
    """Ask both verifiers about evidence of which one file was changed, and the manifest signed again; or an archive."""
    first, _, content = data.partition(b"\n")
    name = first.decode("latin-1")
    files = the_range() if name.startswith("range ") else the_evidence()
    name = name.removeprefix("range ")
    changed = {**files, name: content}
    if name != "manifest.json":
        changed = with_manifest(changed)
    try:
        verdict = verdict_on_evidence(content if name == "archive" else zipped(changed), fingerprint())
    except AssertionError as error:
        raise Disagreement("the verifiers disagree about evidence") from error
    if UNUSABLE in verdict or not verdict["ok"] or name == "archive":
        return
    if not _hashes(changed["entries.jsonl"].splitlines()) <= {row["hash"] for row in a_log().rows}:
        raise Disagreement("a row is accepted that is not in the log")


def _hashes(lines: list[bytes]) -> set[str]:
    return {line["hash"] for line in map(json.loads, lines) if line["type"] in ("event", "withheld")}
