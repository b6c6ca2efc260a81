"""Both verifiers, asked the same: the console's own and the stand-alone file, which must always agree."""

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from mcpbridge.audit.verification import OutsideHead, Record, Unsigned, UnusableInputError, trust_from_text, verify
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.audit.verification.evidence import verify_evidence
from mcpbridge.audit.verification.sources import older_from_text, verify_export
from tests.audit_chains import WORKSPACE, export_of, key_file

STANDALONE = Path(__file__).resolve().parents[1] / "docs" / "verify_audit.py"
UNUSABLE = "unusable"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_audit", STANDALONE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


standalone = _loaded()


def verdict_on(
    lines: Sequence[bytes],
    keys: str | None = None,
    *,
    fingerprint: str | None = None,
    only: str | None = None,
    head: str = "",
    partial: bool = False,
    tail: bool = False,
    vkey: str = "",
    witnesses: Sequence[str] = (),
    checkpoint: str = "",
) -> dict[str, Any]:
    """What both verifiers say of an export, or `UNUSABLE` where it cannot be used; only their reasons may differ.

    The fingerprint is that of the first key of the file unless another is given; `tail` allows an unsigned one.
    """
    keys = key_file() if keys is None else keys
    given = fingerprint_in(keys) if fingerprint is None else fingerprint
    unsigned = Unsigned.TAIL if tail else Unsigned.REFUSED
    own: dict[str, Any] = {UNUSABLE: True}
    other: dict[str, Any] = {UNUSABLE: True}
    with suppress(UnusableInputError):
        kept = OutsideHead.from_text(head) if head else None
        trust, older = trust_from_text(keys, given, vkey=vkey, witnesses=witnesses), older_from_text(checkpoint)
        own = verify_export(
            lines, trust, workspace=only, head=kept, older=older, is_partial=partial, unsigned=unsigned
        ).as_dict()
    with suppress(standalone.UnusableInputError):
        more = {"vkey": vkey, "witnesses": witnesses, "checkpoint": checkpoint}
        other = standalone.verify(
            lines, keys, fingerprint=given, only=only, head=head, partial=partial, tail=tail, **more
        )
    assert _without_reasons(own) == _without_reasons(other)
    return own


def verdict_on_evidence(
    archive: bytes,
    fingerprint: str = "",
    *,
    keys: str = "",
    vkey: str = "",
    witnesses: Sequence[str] = (),
    checkpoint: str = "",
) -> dict[str, Any]:
    """What both verifiers say of evidence, or `UNUSABLE` where it cannot be used; only their reasons may differ."""
    own: dict[str, Any] = {UNUSABLE: True}
    other: dict[str, Any] = {UNUSABLE: True}
    with suppress(UnusableInputError):
        trust, older = trust_from_text(keys, fingerprint, vkey=vkey, witnesses=witnesses), older_from_text(checkpoint)
        own = verify_evidence(io.BytesIO(archive), trust, older=older).as_dict()
    with suppress(standalone.UnusableInputError):
        more = {"vkey": vkey, "witnesses": witnesses, "checkpoint": checkpoint}
        other = standalone.verify_evidence(io.BytesIO(archive), keys, fingerprint=fingerprint, **more)
    assert _without_reasons(own) == _without_reasons(other)
    return own


def fingerprint_in(keys: str) -> str:
    """The fingerprint of the first key of a key file; none for PEM, some other one where the file is broken."""
    if keys.lstrip().startswith("-----BEGIN"):
        return ""
    try:
        return fingerprint_of(json.loads(keys)["keys"][0]["public_key"])
    except (ValueError, LookupError, TypeError):
        return "0" * 64


def finding_in(
    records: Sequence[Record],
    *,
    head: str = "",
    workspaces: Sequence[str] = (WORKSPACE,),
    keys: str | None = None,
    tail: bool = False,
) -> dict[str, Any] | None:
    """What both verifiers find first in an export of `records`, and the console's own in the records as they are."""
    verdict = verdict_on(export_of(records, workspaces), keys, head=head, tail=tail)
    assert UNUSABLE not in verdict
    kept = OutsideHead.from_text(head) if head else None
    keys = keys or key_file()
    unsigned = Unsigned.TAIL if tail else Unsigned.REFUSED
    trust = trust_from_text(keys, fingerprint_in(keys))
    direct = verify(records, trust, workspaces=workspaces, head=kept, unsigned=unsigned).as_dict()
    assert direct == verdict
    assert verdict["ok"] is (verdict["bad"] is None)
    bad: dict[str, Any] | None = verdict["bad"]
    return bad


def run_standalone(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """The stand-alone verifier as an outsider starts it: without the project, its packages and its environment."""
    return subprocess.run(
        [sys.executable, "-I", str(STANDALONE), *arguments],
        input=given,
        capture_output=True,
        check=False,
        cwd="/",
        env={},
        timeout=60,
    )


def given_keys(keys: Path) -> list[str]:
    """The arguments that name the keys: the file from /audit/key, and the fingerprint that came by another way."""
    return [str(keys), "--fingerprint", fingerprint_in(keys.read_text())]


def _without_reasons(verdict: dict[str, Any]) -> dict[str, Any]:
    def stripped(bad: dict[str, Any] | None) -> dict[str, Any] | None:
        return bad and {name: value for name, value in bad.items() if name != "reason"}

    if UNUSABLE in verdict:
        return verdict
    chains = [
        {**chain, "bad": stripped(chain["bad"]), "warnings": [stripped(each) for each in chain["warnings"]]}
        for chain in verdict["workspaces"]
    ]
    return {**verdict, "workspaces": chains, "bad": stripped(verdict["bad"])}
