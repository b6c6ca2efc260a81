"""Walk one workspace's chain row by row, up to the first mismatch."""

from mcpbridge.audit.verification.claims import ClaimedChain
from mcpbridge.audit.verification.diagnosis import AcceptedRow, UnexpectedRow
from mcpbridge.audit.verification.findings import ChainReport, FindingKind, FoundError
from mcpbridge.audit.verification.records import Checkpoint, Event, Range, Restore, has_valid_hash
from mcpbridge.audit.verification.signed_notes import origin_of


class Chain(ClaimedChain):
    """Verifies one chain. Feed its cuts, restores and range first, then rows and checkpoints by sequence number."""

    def event(self, event: Event) -> None:
        """Process the next row."""
        self._report.rows += 1
        if not self._is_begun and self._diagnosis is None:
            self._begin(event)
        if self._is_watching(event):
            return
        is_valid = has_valid_hash(event)
        if self._is_partial and event.sequence > self._at + 1:
            self._skip_omitted(event)
        if not is_valid or event.sequence != self._at + 1 or event.previous_hash != self._hash:
            self._diagnosis = UnexpectedRow(self._position(), event, origins=self._origins)
        elif self._ahead is not None:
            reason = f"this checkpoint comes before row {event.sequence}, out of order"
            self._conclude(FindingKind.REORDERED, self._ahead.sequence, reason, record="checkpoint")
        else:
            self._accept(event)

    def _is_watching(self, event: Event) -> bool:
        """Return whether something was found before; then the row is only looked at."""
        if self._diagnosis is None:
            return False
        self._diagnosis.watch(event)
        return True

    def restore(self, restore: Restore) -> None:
        """Process the statement of a restore or of a lost key."""
        if self._diagnosis is None:
            self._try(lambda: self._walk.epochs.learn(self._trust, restore), restore.kept["sequence"] + 1, "restore")

    def range(self, given: Range) -> None:
        """Process the left part of the tree. Raises UnusableInputError if it comes too late."""
        self._walk.take_range(given)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Process the next checkpoint or cut."""
        fault = self._fault(checkpoint)
        if self._diagnosis is not None:
            if not fault:
                self._diagnosis.watch_checkpoint(checkpoint)
            return
        self._report.checkpoints += not checkpoint.is_cut
        fault = fault or self._retired(checkpoint)
        if fault:
            self._conclude(fault[0], checkpoint.sequence, fault[1], record=checkpoint.record)
            return
        if not checkpoint.is_cut:
            self._walk.clock.checkpoint(checkpoint)
            self._last = checkpoint
        if checkpoint.origin and self._is_given_up(checkpoint):
            return
        if checkpoint.is_cut and not self._is_begun:
            self._cuts[checkpoint.sequence] = checkpoint.hash
        elif self._is_begun or checkpoint.sequence == 0:
            self._compare(checkpoint)
        elif checkpoint.sequence in self._cuts:
            if self._cuts[checkpoint.sequence] != checkpoint.hash:
                reason = "a checkpoint and a cut at the same row have different hashes"
                self._conclude(FindingKind.REPLACED, checkpoint.sequence, reason, record="cut")
        elif checkpoint.sequence > max(self._cuts, default=0):
            self._ahead = checkpoint

    def _fault(self, checkpoint: Checkpoint) -> tuple[FindingKind, str] | None:
        """Return what is wrong with the signatures of a checkpoint or cut; else keep its cosignatures."""
        try:
            self._walk.take_cosignatures(checkpoint, self._trust.verify_head(checkpoint))
        except FoundError as error:
            return error.kind, error.reason
        return None

    def _is_given_up(self, checkpoint: Checkpoint) -> bool:
        """Return whether a restore gave up the rows under a checkpoint, or its origin has no place in this log."""
        found = self._try(
            lambda: self._walk.epochs.is_given_up(origin_of(checkpoint), checkpoint.sequence),
            checkpoint.sequence,
            "checkpoint",
        )
        return found is not False

    def _retired(self, checkpoint: Checkpoint) -> tuple[FindingKind, str] | None:
        """Return what is wrong if the key was retired before this row; else retire the keys before it."""
        last = self._retired_at.get(checkpoint.key_id)
        if last is not None and checkpoint.sequence > last:
            reason = f"it is signed with the key {checkpoint.key_id}, but the next key had signed row {last}"
            return FindingKind.RETIRED_KEY, reason
        # A cut is made long after its row, so it says nothing about when a key was in use.
        if not checkpoint.is_cut:
            for earlier in self._trust.predecessors(checkpoint.key_id):
                self._retired_at.setdefault(earlier, checkpoint.sequence)
        return None

    def finish(self) -> ChainReport:
        """Return the report after the last record. Raises UnusableInputError for a head below the cut."""
        report = self._report
        if not self._is_begun and self._diagnosis is None:
            self._begin(None)
        if self._diagnosis is None and self._ahead is not None and not self._is_partial:
            reason = f"a checkpoint proves that there were rows up to {self._ahead.sequence}"
            self._conclude(FindingKind.CUT, self._at + 1, reason, until=self._ahead.sequence)
        kept = max(self._walk.epochs.heads(), default=0)
        if self._diagnosis is None and kept > self._at and not self._is_partial:
            self._conclude(FindingKind.CUT, self._at + 1, f"a restore kept rows up to {kept}", until=kept)
        if self._diagnosis is None and self._older is not None:
            self._conclude_older(self._older)
        if self._diagnosis is None and self._head is not None and not self._is_head_found:
            self._conclude_missing_head(self._head)
        if self._diagnosis is None:
            self._conclude_unsigned()
        report.sequence, report.hash = self._at, self._hash
        report.finding = self._diagnosis.finding() if self._diagnosis else None
        walk = self._walk
        if self._last is not None and self._trust.is_earlier(self._last.key_id):
            walk.clock.earlier_key(self._last.sequence)
        report.epoch, report.restores, report.warnings = walk.epoch, walk.epochs.as_list(), walk.clock.warnings
        report.cosigned = [walk.cosigned[name] for name in sorted(walk.cosigned)]
        return report

    def _begin(self, first: Event | None) -> None:
        """Begin at the cut or genesis that the first row names, otherwise at the nearest cut below it."""
        self._is_begun = True
        named = [place for place, hash in self._cuts.items() if first is not None and hash == first.previous_hash]
        if named:
            self._begin_after(max(named))
        elif self._cuts and (first is None or first.previous_hash != self._hash):
            below = [place for place in self._cuts if first is None or place < first.sequence]
            self._begin_after(max(below, default=min(self._cuts)))
        self._try(lambda: self._walk.begin(self._at), self._at + 1, "range")
        if self._diagnosis is None:
            self._check_claims()

    def _begin_after(self, cut: int) -> None:
        self._at, self._hash = cut, self._cuts[cut]
        self._report.behind = cut

    def _skip_omitted(self, event: Event) -> None:
        self._report.left_out += event.sequence - self._at - 1
        if self._never_signed_from is None:
            self._never_signed_from = self._unsigned_from
        self._unsigned_from = None
        self._at, self._hash = event.sequence - 1, event.previous_hash
        self._recent.clear()
        self._ahead = None
        self._walk.omit()

    def _accept(self, event: Event) -> None:
        self._at, self._hash = event.sequence, event.hash
        self._recent.append(AcceptedRow(event.sequence, event.id, event.previous_hash, event.hash))
        if self._first_unvouched is None:
            self._first_unvouched = event.id
        if self._unsigned_from is None:
            self._unsigned_from = event.sequence
        self._try(lambda: self._walk.row(event), event.sequence, "event", event.id)
        if self._diagnosis is None:
            self._check_claims()

    def _compare(self, checkpoint: Checkpoint) -> None:
        source = "a cut" if checkpoint.is_cut else "a checkpoint"
        if checkpoint.sequence == self._at:
            self._compare_hash(checkpoint.hash, source=source)
            if checkpoint.origin:
                self._compare_root(checkpoint.first, checkpoint.root)
        elif checkpoint.sequence > self._at:
            self._ahead = checkpoint
        elif checkpoint.sequence > self._report.behind and not self._is_partial:
            reason = f"this checkpoint comes after row {self._at}, out of order"
            self._conclude(FindingKind.REORDERED, checkpoint.sequence, reason, record="checkpoint")
