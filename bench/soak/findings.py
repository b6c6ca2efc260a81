"""What is left when it is over: is the record whole, is every call accounted for, has any token stayed anywhere?"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.callers import Caller
from bench.paths import ROOT
from bench.soak.alarms import Alarms
from bench.soak.assistants import Assistants
from bench.soak.callers import Told
from bench.soak.fixtures import World

_CHUNK_BYTES = 64 * 1024 * 1024
_PIECE = 11
_COMMAND_S = 1800
# What a caller may be told; everything else is a fault of ours.
ALLOWED = {
    "done",
    "dropped",
    "audit_unavailable",
    "internal",
    "upstream_timeout",
    "upstream_dropped",
    "upstream_unreachable",
    "upstream_malformed",
}


@dataclass
class Findings:
    """Figures by name, and what is wrong."""

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.wrong.append(otherwise)


def look_at_answers(findings: Findings, told: Told) -> None:
    """Nobody was told nonsense, nobody was left hanging, and no line broke but by a kill."""
    for each in told.wrong[:5]:
        findings.wrong.append(each)
    odd = {ending for _, _, ending in told.endings} - ALLOWED
    findings.expect(not odd, f"Callers were told {sorted(odd)}.")
    undisturbed = {key: count for key, count in told.endings.items() if key[0] in ("", "rolling restart")}
    failed = {f"{fault or 'nothing'}: {ending}": n for (fault, _, ending), n in undisturbed.items() if ending != "done"}
    findings.figures["failed in no fault and in rolling restarts"] = failed
    dropped = {fault for fault, _, ending in told.endings if ending == "dropped"}
    findings.expect(dropped <= {"worker killed"}, f"Lines broke in {sorted(dropped)}.")


def look_at_the_record(findings: Findings, world: World, told: Told, destroyed: list[str]) -> None:
    """Each deletion that Hoursmith carried out has its intent, and each that a caller was told of its outcome."""
    rows = world.database.rows("SELECT target_id, phase, result FROM mcpbridge_auditevent WHERE tool <> ''")
    intents = Counter(target for target, phase, _ in rows if phase == "intent")
    outcomes = {target: result for target, phase, result in rows if phase == "outcome"}
    unknown = set(intents) - set(outcomes)
    findings.figures |= {
        "deletions carried out": len(destroyed),
        "audit rows": len(rows),
        "outcomes unknown": len(unknown),
    }
    findings.expect(len(set(destroyed)) == len(destroyed), "Hoursmith carried a deletion out twice.")
    findings.expect(
        set(destroyed) <= set(intents), f"{len(set(destroyed) - set(intents))} deletions without an intent."
    )
    findings.expect(max(intents.values(), default=1) == 1, "A call has two intents.")
    done = {record_id for record_id, ending in told.deletions.items() if ending == "done"}
    findings.expect(done <= set(destroyed), "A caller was told of a deletion that never was.")
    findings.expect(all(outcomes.get(each) == "succeeded" for each in done), "A success has no outcome that says so.")
    undropped = {each for each in unknown if told.deletions.get(each) != "dropped"}
    findings.expect(not undropped, f"{len(undropped)} outcomes are unknown although their process lived.")


def look_at_the_chain(findings: Findings, world: World) -> None:
    """The product's own verifier finds nothing."""
    done = _manage(world, "audit_verify", "--json")
    verdict = json.loads(done.stdout) if done.stdout.startswith("{") else {"ok": False, "bad": done.stderr[-500:]}
    findings.figures["chain verified, rows"] = sum(chain["rows"] for chain in verdict.get("workspaces", []))
    findings.expect(done.returncode == 0 and verdict["ok"], f"The chain does not verify: {verdict.get('bad')}")
    for chain in verdict.get("workspaces", []):
        findings.expect(chain["epoch"] > 0, "A log has no tree.")
        findings.expect(chain["vouched"] == chain["sequence"], f"Signed up to {chain['vouched']}: {chain}")


def look_at_the_anchors(findings: Findings, world: World, alarms: Alarms) -> None:
    """What is kept outside the database agrees with it, and was never said not to."""
    done = _manage(world, "audit_anchor")
    findings.expect(done.returncode == 0, f"audit_anchor: {done.stdout[-500:]} {done.stderr[-500:]}")
    findings.figures |= {
        "logs anchored": done.stdout.count("anchored at row"),
        "scrapes of /metrics; without an answer; with a finding": [
            alarms.scrapes,
            dict(alarms.failed),
            alarms.findings,
        ],
    }
    findings.expect("anchored at row" in done.stdout, "Nothing is anchored.")
    findings.expect(alarms.findings == 0, f"{alarms.findings} scrapes told of a log that disagrees with its anchor.")


def look_at_the_grants(findings: Findings, world: World, assistants: Assistants) -> None:
    """Exactly the assistants whose access was ended have lost it, although answers to renewals were lost."""
    ((over,),) = world.database.rows("SELECT COUNT(*) FROM mcpbridge_grant WHERE ended_at IS NOT NULL")
    renewals = {f"{fault or 'nothing'}: {ending}": n for (fault, ending), n in sorted(assistants.renewals.items())}
    findings.figures |= {"grants; ended": [len(assistants.everybody), over], "renewals": renewals}
    findings.wrong += assistants.wrong[:5]
    findings.expect(over == assistants.ended, f"{over} grants ended, but {assistants.ended} should have.")
    generations = [at for (at,) in world.database.rows("SELECT generation FROM mcpbridge_grant WHERE ended_at IS NULL")]
    findings.figures["generations of grants, least and most"] = [min(generations), max(generations)]


def look_at_the_activity(findings: Findings, world: World, told: Told) -> None:
    """Each call that was answered has its row, or is counted among the lost ones."""
    ((rows,),) = world.database.rows("SELECT COUNT(*) FROM mcpbridge_toolcall")
    ((counted,),) = world.database.rows("SELECT COALESCE(SUM(calls), 0) FROM mcpbridge_activityloss")
    answered = told.calls - told.ended("dropped", "hung", "no connection")
    missing = max(0, answered - rows - int(counted))
    findings.figures |= {
        "calls answered": answered,
        "activity rows": rows,
        "activity lost and counted": int(counted),
        "activity lost and not counted": missing,
    }
    findings.expect(missing == 0, f"{missing} calls have no row and are counted nowhere.")


def look_for_tokens(findings: Findings, world: World, callers: Iterable[Caller], envelopes: Iterable[str]) -> None:
    """No third of any secret is in any file or dump, in upper or lower case, and the product's own search agrees.

    Nor is the middle of any envelope.
    """
    world.database.dump(world.served.var)
    secrets = [caller.token.rsplit("_", 1)[1].lower().encode() for caller in callers]
    pieces = [secret[start : start + _PIECE] for secret in secrets for start in (0, _PIECE, len(secret) - _PIECE)]
    pieces += {text.lower().encode()[len(text) // 2 :][: 2 * _PIECE] for text in envelopes}
    searched = 0
    for path in sorted(world.served.var.rglob("*")):
        if path.is_file():
            searched += path.stat().st_size
            findings.expect(not any(_has_any(chunk, pieces) for chunk in _chunks(path)), f"A token is in {path.name}.")
    findings.figures["searched for tokens, MB"] = round(searched / 1e6)
    done = _manage(world, "scan_secrets")
    findings.expect(done.returncode == 0, f"scan_secrets: {done.stdout[-500:]} {done.stderr[-500:]}")


def _has_any(chunk: bytes, pieces: list[bytes]) -> bool:
    return any(piece in chunk for piece in pieces)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(_CHUNK_BYTES):
            yield tail + chunk.lower()
            tail = chunk[-64:].lower()


def _manage(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**os.environ, **world.served.environment},
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        cwd=ROOT,
    )
