"""Verify the audit log in the database, or an export or evidence."""

import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.audit.verification import (
    ChainReport,
    OlderCheckpoint,
    OutsideHead,
    Trust,
    Unsigned,
    UnusableInputError,
    VerificationReport,
    trust_from_text,
)
from mcpbridge.audit.verification.evidence import verify_evidence
from mcpbridge.audit.verification.sources import older_from_text, stored_rows, verify_export, verify_stored
from mcpbridge.management.progress import progress_line

BAD, UNUSABLE = 1, 2


class Command(BaseCommand):
    help = (
        "Verify the audit chains and their signatures. Exit codes: 0 verified; 1 not verified, the first bad row is "
        "named; 2 the input cannot be used. docs/audit-format.md explains the findings."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", help="Verify the chain of this workspace only.")
        parser.add_argument(
            "--export",
            help="Verify this JSON Lines export (- for standard input) or evidence (ZIP) instead of the database.",
        )
        parser.add_argument("--key", help="A key file from /audit/key, or a public key as PEM.")
        parser.add_argument(
            "--fingerprint",
            default="",
            help="Trust the key with this SHA-256 (64 hexadecimal digits) and its line, not the configured key.",
        )
        parser.add_argument("--vkey", default="", help="Trust this verifier key of the log instead of a fingerprint.")
        parser.add_argument("--checkpoint", help="A file with an older checkpoint, which the log must extend.")
        parser.add_argument(
            "--witness", action="append", default=[], help="The verifier key of a witness that must have cosigned."
        )
        parser.add_argument("--head", default="", help="A head that you kept elsewhere: HASH or SEQUENCE:HASH.")
        parser.add_argument(
            "--partial", action="store_true", help="Verify a filtered export, in which rows are missing."
        )
        parser.add_argument(
            "--allow-unsigned-tail", action="store_true", help="Accept rows of an export after its last checkpoint."
        )
        parser.add_argument("--json", action="store_true", help="Print the verdict as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verdict = self._verdict(options)
        except (UnusableInputError, OSError, UnicodeDecodeError) as error:
            raise CommandError(_printable(str(error)), returncode=UNUSABLE) from None
        if options["json"]:
            self.stdout.write(json.dumps(verdict.as_dict()))
        else:
            self.stdout.write("\n".join(map(_printable, _summary(verdict))))
        if not verdict.is_ok:
            sys.exit(BAD)

    def _verdict(self, options: dict[str, Any]) -> VerificationReport:
        head = OutsideHead.from_text(options["head"]) if options["head"] else None
        trust = _trust(options)
        if options["export"] is None:
            if options["partial"] or options["checkpoint"] or options["witness"]:
                raise UnusableInputError("--partial, --checkpoint and --witness are for exports and evidence.")
            progress = progress_line(self.stderr, total=stored_rows(options["workspace"]))
            return verify_stored(workspace=options["workspace"], head=head, trust=trust, progress=progress)
        if trust is None:
            raise UnusableInputError("--export needs --fingerprint, --vkey, or --key with a public key as PEM.")
        older = older_from_text(_text_of(options["checkpoint"]))
        is_piped = options["export"] == "-"
        with nullcontext(sys.stdin.buffer) if is_piped else Path(options["export"]).open("rb") as file:
            if is_piped or file.read(2) != b"PK":
                if not is_piped:
                    file.seek(0)
                return self._verdict_on_export(file, options, trust, head, older)
            if options["workspace"] or head or options["partial"] or options["allow_unsigned_tail"]:
                raise UnusableInputError("--workspace, --head, --partial and --allow-unsigned-tail are for exports.")
            return verify_evidence(file, trust, older=older)

    def _verdict_on_export(
        self,
        lines: Iterable[bytes],
        options: dict[str, Any],
        trust: Trust,
        head: OutsideHead | None,
        older: OlderCheckpoint | None,
    ) -> VerificationReport:
        return verify_export(
            lines,
            trust,
            workspace=options["workspace"],
            head=head,
            older=older,
            is_partial=options["partial"],
            unsigned=Unsigned.TAIL if options["allow_unsigned_tail"] else Unsigned.REFUSED,
            progress=progress_line(self.stderr),
        )


def _trust(options: dict[str, Any]) -> Trust | None:
    """Return the keys that were given, or None."""
    if not options["key"] and not options["fingerprint"] and not options["vkey"]:
        return None
    text = _text_of(options["key"])
    return trust_from_text(text, options["fingerprint"], vkey=options["vkey"], witnesses=options["witness"])


def _text_of(path: str | None) -> str:
    # Line breaks are part of a note.
    return Path(path).read_bytes().decode() if path else ""


def _printable(line: str) -> str:
    """Return a line that cannot move the cursor or begin another one, whatever the verified file contains."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in line)


def _summary(verdict: VerificationReport) -> list[str]:
    if verdict.nothing:
        return [f"  BAD: {verdict.nothing.kind}, there is no log in the export."]
    if not verdict.chains:
        return ["There are no audit rows yet."]
    lines = [line for chain in verdict.chains for line in _chain_summary(chain)]
    if verdict.evidence and verdict.is_ok:
        return [*lines, *_evidence_summary(verdict)]
    if verdict.is_partial:
        lines.append("The export is filtered: omitted rows were not verified.")
    return lines


def _chain_summary(chain: ChainReport) -> list[str]:
    start = f"after the cut at row {chain.behind}" if chain.behind else "from the beginning"
    lines = [f"{chain.workspace}: {chain.rows:,} rows {start}, {chain.checkpoints:,} checkpoints"]
    if bad := chain.finding:
        until = f" to {bad.until}" if bad.until and bad.until != bad.sequence else ""
        row = f" ({bad.id})" if bad.id else ""
        return [*lines, f"  BAD: {bad.kind}, {bad.record} at row {bad.sequence}{until}{row}: {bad.reason}."]
    lines.append(f"  valid through row {chain.sequence}, {chain.hash}")
    if chain.vouched < chain.sequence:
        lines.append(f"  rows after row {chain.vouched} are not yet signed")
    if chain.left_out:
        lines.append(f"  {chain.left_out:,} rows were omitted and not verified")
    for each in chain.restores:
        what = "the signing key was lost" if each["is_key_lost"] else "the log was restored"
        given_up = f"rows {each['kept'] + 1:,} to {each['given_up_to']:,} were given up"
        lines.append(f"  {what} at {each['at']}, epoch {each['epoch']}: {given_up}. Reason: {each['reason']}")
    lines += [f"  warning, {each['record']} {each['sequence']}: {each['reason']}" for each in chain.warnings]
    return lines


def _evidence_summary(verdict: VerificationReport) -> list[str]:
    (chain,), about = verdict.chains, verdict.evidence or {}
    lines = [f"  made by {about['made_by']} at {about['at']}, of the log {about['origin']}"]
    if about["filters"]:
        filters = ", ".join(f"{name} = {text}" for name, text in sorted(about["filters"].items()))
        lines.append(f"  {about['matching']:,} of the rows shown match the filter {filters}")
    if chain.withheld:
        lines.append(f"  {chain.withheld:,} rows withheld; nothing is known of them")
    return lines + [f"  cosigned by {each['name']} at {each['at']}" for each in chain.cosigned]
