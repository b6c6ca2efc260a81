"""How far a bulk job is, and what became of each token."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from hoursmith_console.token_inventory.models import BulkItem, BulkJob, BulkOutcome
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One token of a job, with its label."""

    item: BulkItem
    card: TokenLabel


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """Tokens of a job by outcome, and the first of those done and not done."""

    total: int
    done: int
    waiting: int
    done_items: Sequence[BulkRow]
    other_items: Sequence[BulkRow]

    @property
    def others(self) -> int:
        """Number of tokens to which the action was not done."""
        return self.total - self.done - self.waiting

    @property
    def worked_off(self) -> int:
        """Number of tokens that have an outcome."""
        return self.total - self.waiting

    @property
    def percent(self) -> float:
        """Share of tokens that have an outcome, in per cent."""
        return round(100 * self.worked_off / self.total, 1) if self.total else 100.0

    @property
    def more_done(self) -> int:
        """Number of done tokens that are not listed."""
        return self.done - len(self.done_items)

    @property
    def more_others(self) -> int:
        """Number of tokens not done that are not listed."""
        return self.others - len(self.other_items)


def progress_of(viewer: Viewer, job: BulkJob) -> BulkProgress:
    """Return the progress of `job`, in a constant number of queries."""
    counted = job.items.order_by().values_list("outcome").annotate(count=Count("pk"))
    counts = dict(counted.values_list("outcome", "count"))
    others = job.items.exclude(outcome__in=(BulkOutcome.WAITING, BulkOutcome.DONE))
    found = [*job.items.filter(outcome=BulkOutcome.DONE)[:MOST_SHOWN], *others[:MOST_SHOWN]]
    labels = token_labels(viewer, found)
    rows = [BulkRow(item, labels[ref_of(item)]) for item in found]
    return BulkProgress(
        total=sum(counts.values()),
        done=counts.get(BulkOutcome.DONE, 0),
        waiting=counts.get(BulkOutcome.WAITING, 0),
        done_items=[row for row in rows if row.item.outcome == BulkOutcome.DONE],
        other_items=[row for row in rows if row.item.outcome != BulkOutcome.DONE],
    )
