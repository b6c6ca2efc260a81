"""Projects and tasks of the demo workspace, with every status and billing type."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hoursmith_console.sandbox.models import (
    Client,
    Organization,
    Person,
    Priority,
    Project,
    ProjectStatus,
    RateType,
    Task,
    TaskStatus,
)
from hoursmith_console.sandbox.seed.members import MEMBERS
from hoursmith_console.sandbox.seed.seeded_random import SeededRandom

_PROJECTS = (
    "Website relaunch", "Brand refresh", "Online shop", "Mobile app", "Newsletter", "Annual report",
    "Booking system", "Customer portal", "Photo library", "Campaign site", "Accessibility audit", "Search rework",
    "Intranet", "Packaging", "Event page", "Data dashboard", "Style guide", "Migration to the cloud", "Podcast",
    "Onboarding flow", "Price calculator", "Careers page", "Support retainer", "Press kit", "Trade fair stand",
    "Analytics set-up", "Map of branches", "Translation", "Video series", "Internal tooling",
)  # fmt: skip
_STEPS = (
    ("Kick-off workshop", "planning"), ("Wireframes", "design"), ("Visual design", "design"),
    ("Copywriting", "content"), ("Front end", "build"), ("Back end", "build"), ("Content migration", "content"),
    ("Usability test", "research"), ("Bug fixing", "build"), ("Launch checklist", "planning"),
    ("Client review", "planning"), ("Performance tuning", "build"), ("Documentation", "content"),
)  # fmt: skip
_COLOURS = ("#2563eb", "#0d9488", "#d97706", "#be123c", "#7c3aed", "#4d7c0f")
TASKS_EACH = 5
_CENT = Decimal("0.01")


def create_projects(
    *, org: Organization, clients: Sequence[Client], people: Sequence[Person], now: datetime
) -> list[Project]:
    """Create the projects and assign users to them."""
    rng = SeededRandom("projects")
    made = [
        _project(rng, org, clients[number % len(clients)], name, number, now) for number, name in enumerate(_PROJECTS)
    ]
    Project.objects.bulk_create(made)
    team = [person for person, part in zip(people, MEMBERS, strict=True) if part.role in ("MANAGER", "MEMBER")]
    places = [
        Project.people.through(project_id=project.pk, person_id=person.pk)
        for project in made
        for person in rng.sample(team, k=rng.randrange(2, 4))
    ]
    Project.people.through.objects.bulk_create(places)
    return made


def _project(rng: SeededRandom, org: Organization, client: Client, name: str, number: int, now: datetime) -> Project:
    start = now - timedelta(days=rng.randrange(190, 330))
    created = rng.moment(start - timedelta(days=7))
    project = Project(
        id=rng.uuid(),
        org=org,
        client=client,
        created_at=created,
        updated_at=created + timedelta(days=rng.randrange(20)),
        name=name,
        description=f"{name} for {client.name}." if number % 3 else None,
        color=_COLOURS[number % len(_COLOURS)],
        start_date=start.date(),
        due_date=(now + timedelta(days=rng.randrange(-20, 150))).date() if number % 5 else None,
    )
    _set_status(project, number, now)
    _set_billing(project, client, number, rng)
    return project


def _set_status(project: Project, number: int, now: datetime) -> None:
    if number % 10 == 9:
        project.status = ProjectStatus.ARCHIVED
        project.deleted_at = project.updated_at = (now - timedelta(days=number)).replace(microsecond=0)
    elif number % 6 == 5:
        project.status = ProjectStatus.COMPLETED


def _set_billing(project: Project, client: Client, number: int, rng: SeededRandom) -> None:
    if number % 7 == 3:
        project.rate_type = RateType.FIXED
        project.fixed_fee_amount = Decimal(rng.randrange(20, 200) * 100)
    elif number % 7 == 6:
        project.rate_type = RateType.NON_BILLABLE
    else:
        project.hourly_rate = (client.default_rate or Decimal(90)) + rng.randrange(-2, 3) * 5
    if number % 4 == 0:
        project.budget_hours = Decimal(rng.randrange(40, 400))
    elif number % 4 == 1:
        project.budget_amount = Decimal(rng.randrange(50, 400) * 100).quantize(_CENT)


def create_tasks(*, org: Organization, projects: Sequence[Project], now: datetime) -> list[Task]:
    """Create five tasks for each project, assigned to its users."""
    rng = SeededRandom("tasks")
    people = _users_by_project(projects)
    made, assigned = [], []
    for project in projects:
        for name, tag in rng.sample(_STEPS, k=TASKS_EACH):
            task = _task(rng, org, project, name, tag, now)
            made.append(task)
            on_it = rng.sample(people[project.pk], k=min(rng.randrange(3), len(people[project.pk])))
            assigned += [Task.assignees.through(task_id=task.pk, person_id=person) for person in on_it]
    Task.objects.bulk_create(made)
    Task.assignees.through.objects.bulk_create(assigned)
    return made


def _users_by_project(projects: Sequence[Project]) -> dict[uuid.UUID, list[uuid.UUID]]:
    found: dict[uuid.UUID, list[uuid.UUID]] = {project.pk: [] for project in projects}
    places = Project.people.through.objects.filter(project__in=projects).order_by("person_id")
    for project_id, person_id in places.values_list("project_id", "person_id"):
        found[project_id].append(person_id)
    return found


def _task(rng: SeededRandom, org: Organization, project: Project, name: str, tag: str, now: datetime) -> Task:
    created = rng.moment(now - timedelta(days=rng.randrange(20, 180)))
    status = rng.choice(TaskStatus.values)
    is_archived = rng.random() < 0.05
    touched = created + timedelta(days=rng.randrange(15))
    return Task(
        id=rng.uuid(),
        org=org,
        project=project,
        created_at=created,
        updated_at=touched,
        deleted_at=touched if is_archived else None,
        name=name,
        description=f"{name} of “{project.name}”." if rng.random() < 0.6 else None,
        status=status,
        priority=rng.choice(Priority.values),
        billable=project.rate_type != RateType.NON_BILLABLE,
        estimated_hours=Decimal(rng.randrange(2, 60)) / 2 if rng.random() < 0.8 else None,
        tags=sorted({tag, *(("urgent",) if rng.random() < 0.15 else ())}),
        start_date=created.date() if rng.random() < 0.7 else None,
        due_date=(created + timedelta(days=rng.randrange(7, 60))).date() if rng.random() < 0.7 else None,
        end_date=touched.date() if status == TaskStatus.DONE else None,
    )
