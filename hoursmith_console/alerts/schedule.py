"""When an alert is due: at once or in a digest, and not in quiet hours. Pure functions of instants."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from hoursmith_console.alerts.models import AlertRule, Timing
from hoursmith_console.core.times.zones import find_zone

# Between two alerts of one rule, so that a flood becomes few messages.
LEAST_PAUSE = timedelta(minutes=1)


def zone_of(name: str) -> tzinfo:
    """Return the time zone, or UTC if this machine does not know it."""
    return find_zone(name) or UTC


def is_quiet(rule: AlertRule, at: datetime) -> bool:
    """Return whether `at` is in the rule's quiet hours, which may span midnight."""
    begin, end = rule.quiet_from, rule.quiet_until
    if begin is None or end is None or begin == end:
        return False
    local = at.astimezone(zone_of(rule.zone)).time()
    return begin <= local < end if begin < end else local >= begin or local < end


def is_due(rule: AlertRule, opened_at: datetime, now: datetime) -> bool:
    """Return whether the rule's alert that was opened at `opened_at` is sent now."""
    return now >= due_at(rule, opened_at) and not is_quiet(rule, now)


def due_at(rule: AlertRule, opened_at: datetime) -> datetime:
    """Return when the alert is sent, apart from quiet hours."""
    if rule.timing == Timing.HOURLY:
        return opened_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if rule.timing == Timing.DAILY:
        return _next_local_hour(opened_at, rule.digest_hour, zone_of(rule.zone))
    return max(opened_at, rule.last_alert_at + LEAST_PAUSE) if rule.last_alert_at else opened_at


def _next_local_hour(after: datetime, hour: int, zone: tzinfo) -> datetime:
    """Return the next instant after `after` at which clocks in `zone` show `hour`; an hour that is skipped is next."""
    day = after.astimezone(zone).date()
    while True:
        found = datetime.combine(day, time(hour), zone).astimezone(UTC)
        if found > after:
            return found
        day += timedelta(days=1)


def local_text(at: datetime, zone_name: str) -> str:
    """Return `at` in UTC, and in the zone if that differs: `Mon 30 Nov 2026, 03:12 UTC (04:12 Europe/Berlin)`."""
    utc, local = at.astimezone(UTC), at.astimezone(zone_of(zone_name))
    text = f"{utc:%a %-d %b %Y, %H:%M} UTC"
    if local.utcoffset() == timedelta(0):
        return text
    day = "" if local.date() == utc.date() else f"{local:%a %-d %b} "
    return f"{text} ({day}{local:%H:%M} {zone_name})"


def hour_text(hour: int) -> str:
    """Return an hour of the day: `8 am`, `noon`."""
    names = {0: "midnight", 12: "noon"}
    return names.get(hour) or f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"
