"""What the activity recorder does now and then: count what killed processes lost, and delete what is old."""

import logging
from pathlib import Path

from django.db import Error
from django.utils import timezone

from mcpbridge.activity.batch import Loss, insert_losses
from mcpbridge.activity.loss_counter import orphaned_counts
from mcpbridge.activity.rejections import delete_old_rejections
from mcpbridge.activity.usage import delete_old_hours
from mcpbridge.db.reasons import plain_reason
from mcpbridge.db.timeouts import bounded_transaction, drop_connection
from mcpbridge.observability import metrics

logger = logging.getLogger(__name__)


def record_orphaned_counts(alias: str, folder: Path, *, limit_s: float) -> None:
    """Record as lost the calls that killed processes had in memory; counts that cannot be recorded are kept."""
    try:
        with orphaned_counts(folder) as counts:
            if counts:
                with bounded_transaction(alias, limit_s=limit_s):
                    insert_losses(alias, [(each.org_id, Loss(each.at, each.at, each.calls)) for each in counts])
    except (Error, OSError) as error:
        logger.warning(
            "The calls that a killed process lost are not counted yet; trying again: %s", plain_reason(error)
        )
        drop_connection(alias)
        return
    for each in counts:
        logger.error("%d calls had no row yet when their process was killed.", each.calls)
        metrics.activity_lost.inc(each.calls)


def clean_up(alias: str, *, limit_s: float) -> None:
    """Delete old rejected credentials and counters."""
    try:
        with bounded_transaction(alias, limit_s=limit_s):
            delete_old_rejections(alias, now=timezone.now())
            delete_old_hours(alias, now=timezone.now())
    except Error as error:
        logger.warning(
            "Old rejected credentials and counters could not be deleted; trying again in an hour: %s",
            plain_reason(error),
        )
        drop_connection(alias)
