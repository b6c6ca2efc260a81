"""The ordinary work of assistants: what they look up, log and change on a working day."""

from hoursmith_console.demo.assistant import Assistant
from hoursmith_console.demo.stage import Stage

NOTES = (
    "Wireframes for the landing page",
    "Call with the client about the milestones",
    "Review of the pull request",
    "Fixing the contact form",
    "Copy for the newsletter",
    "Weekly report",
    "Testing on older phones",
    "Hand-over to support",
)
EXPENSES = ("Train to the workshop", "Stock photos", "Hosting", "Lunch with the client")
TASKS = ("Check the contrast", "Write the release notes", "Prepare the demo", "Move the images", "Update the sitemap")


async def log_time(stage: Stage, assistant: Assistant) -> None:
    """Log an hour or two, as members ask their assistants to in the evening."""
    await assistant.call("get_me")
    projects = await assistant.call("list_projects", limit=20) or []
    if not projects:
        return
    project = stage.chance.choice(projects)
    stage.pause()
    await assistant.call("list_tasks", projectId=project["id"], limit=20)
    stage.pause()
    made = await assistant.call(
        "create_time_entry",
        projectId=project["id"],
        durationSeconds=900 * stage.chance.randint(2, 12),
        note=stage.chance.choice(NOTES),
        entryDate=f"{stage.clock.now():%Y-%m-%d}",
    )
    if made and stage.chance.random() < 0.3:
        stage.pause()
        await assistant.call("update_time_entry", id=made["id"], note=stage.chance.choice(NOTES))
    if stage.chance.random() < 0.4:
        stage.pause()
        await assistant.call("get_running_timer")


async def plan_work(stage: Stage, assistant: Assistant) -> None:
    """Look through a project, move tasks on and add one."""
    await assistant.call("get_me")
    projects = await assistant.call("list_projects", limit=50, status="ACTIVE") or []
    if not projects:
        return
    project = stage.chance.choice(projects)
    stage.pause()
    await assistant.call("get_project", id=project["id"])
    tasks = await assistant.call("list_tasks", projectId=project["id"], limit=50) or []
    for task in stage.chance.sample(tasks, min(2, len(tasks))):
        stage.pause()
        await assistant.call("update_task", id=task["id"], status=stage.chance.choice(("IN_PROGRESS", "DONE")))
    if stage.chance.random() < 0.5:
        stage.pause()
        await assistant.call("create_task", projectId=project["id"], name=stage.chance.choice(TASKS))
    stage.pause()
    await assistant.call("list_time_entries", projectId=project["id"], limit=50)


async def keep_books(stage: Stage, assistant: Assistant) -> None:
    """Look at invoices and clients, and record an expense."""
    await assistant.call("list_invoices", limit=20, sort="-issueDate")
    stage.pause()
    clients = await assistant.call("list_clients", limit=20) or []
    if not clients:
        return
    client = stage.chance.choice(clients)
    await assistant.call("get_client", id=client["id"])
    stage.pause()
    if stage.chance.random() < 0.6:
        await assistant.call(
            "create_expense",
            clientId=client["id"],
            description=stage.chance.choice(EXPENSES),
            amount=f"{stage.chance.uniform(8, 240):.2f}",
            category=stage.chance.choice(("TRAVEL", "MEALS", "SOFTWARE")),
            expenseDate=f"{stage.clock.now():%Y-%m-%d}",
        )
    else:
        await assistant.call("update_client", id=client["id"], notes="Prefers invoices at the end of the month.")


async def report(stage: Stage, assistant: Assistant) -> None:
    """Read what the nightly report needs."""
    for tool in ("list_time_entries", "list_expenses", "list_projects"):
        await assistant.call(tool, limit=100)
        stage.pause(1, 6)
