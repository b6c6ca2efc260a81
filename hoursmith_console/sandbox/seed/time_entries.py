"""Time entries of the demo workspace: half a year of working days, and one running timer."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from hoursmith_console.sandbox.models import Organization, Person, Project, ProjectStatus, RateType, Task, TimeEntry
from hoursmith_console.sandbox.seed.seeded_random import SeededRandom

DAYS = 183
_QUARTER_S = 15 * 60
_NOTES = (
    "Prepared the meeting", "Worked in the feedback", "Sketches", "Pair session", "Fixed what the tests found",
    "Call with the client", "Research", "First draft", "Reviewed the copy", "Set up the environment",
    "Cleaned up the tickets", "Second round of changes", "Prototype", "Hand-over",
)  # fmt: skip


def draft_time_entries(
    *,
    org: Organization,
    people: Sequence[Person],
    projects: Sequence[Project],
    tasks: Sequence[Task],
    now: datetime,
) -> list[TimeEntry]:
    """Return unsaved time entries of the last six months, since invoices may lock some of them first."""
    rng = SeededRandom("time")
    by_project: dict[uuid.UUID, list[Task]] = {}
    for task in tasks:
        by_project.setdefault(task.project_id, []).append(task)
    entries = []
    workdays = [day for ago in range(DAYS, 0, -1) if (day := now - timedelta(days=ago)).weekday() < 5]
    own = _own_projects(people, projects)
    for day in workdays:
        for person in people:
            start = day.replace(hour=8, minute=0, second=0, microsecond=0)
            for _ in range(rng.choice((2, 3, 4, 4, 5, 5))):
                project = rng.choice(own[person.pk])
                entry = _entry(rng, org, person, project, by_project[project.pk], start)
                start += timedelta(seconds=entry.duration_seconds + _QUARTER_S)
                entries.append(entry)
    return [*entries, _running(rng, org, people[-2], own[people[-2].pk][0], now)]


def _own_projects(people: Sequence[Person], projects: Sequence[Project]) -> dict[uuid.UUID, list[Project]]:
    open_ones = {project.pk: project for project in projects if project.status != ProjectStatus.ARCHIVED}
    found: dict[uuid.UUID, list[Project]] = {person.pk: [] for person in people}
    places = Project.people.through.objects.filter(project__in=open_ones).order_by("project_id", "person_id")
    for project_id, person_id in places.values_list("project_id", "person_id"):
        found[person_id].append(open_ones[project_id])
    # Owner and Admin work on all projects.
    return {person: own or list(open_ones.values()) for person, own in found.items()}


def _entry(
    rng: SeededRandom, org: Organization, person: Person, project: Project, tasks: Sequence[Task], start: datetime
) -> TimeEntry:
    seconds = rng.randrange(2, 10) * _QUARTER_S
    stopped = start + timedelta(seconds=seconds)
    was_timed = rng.random() < 0.4
    return TimeEntry(
        id=rng.uuid(),
        org=org,
        user=person,
        project=project,
        task=rng.choice(tasks) if rng.random() < 0.75 else None,
        duration_seconds=seconds,
        billable=project.rate_type != RateType.NON_BILLABLE and rng.random() < 0.9,
        note=rng.choice(_NOTES) if rng.random() < 0.85 else None,
        entry_date=start.date(),
        started_at=start if was_timed else None,
        stopped_at=stopped if was_timed else None,
        created_at=stopped,
        updated_at=stopped,
    )


def _running(rng: SeededRandom, org: Organization, person: Person, project: Project, now: datetime) -> TimeEntry:
    started = (now - timedelta(minutes=47)).replace(microsecond=0)
    return TimeEntry(
        id=rng.uuid(),
        org=org,
        user=person,
        project=project,
        note="Call with the client",
        entry_date=started.date(),
        started_at=started,
        created_at=started,
        updated_at=started,
    )
