"""Play the two weeks from their first day to the present."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TextIO

from hoursmith_console.demo import incidents, routine
from hoursmith_console.demo.assistant import Assistant
from hoursmith_console.demo.cast import hand_out_old_token, hand_out_tokens
from hoursmith_console.demo.clock import DemoClock
from hoursmith_console.demo.progress import DemoState, demo_state, publish
from hoursmith_console.demo.services import demo_workspace_id
from hoursmith_console.demo.stage import DAYS, Stage, console, gateway
from hoursmith_console.workspaces.models import Member, Workspace

Step = tuple[datetime, Callable[[], Awaitable[None]]]
_OLD = timedelta(days=120)
# Assistant, its work, and the hours at which it does it on a working day.
_WEEKDAYS = (
    ("code", routine.plan_work, (9, 11, 14, 16)),
    ("cursor", routine.plan_work, (10, 15)),
    ("cursor", routine.keep_books, (17,)),
    ("desktop", routine.keep_books, (8, 13)),
    ("codex", routine.log_time, (12, 18)),
    ("gemini", routine.log_time, (13, 17)),
    ("vscode", routine.report, (10,)),
)
_INCIDENTS = (
    (1, 10, 12, incidents.duplicate_client),
    (3, 3, 12, incidents.night_clean_up),
    (3, 8, 40, incidents.morning_after),
    (5, 14, 5, incidents.not_allowed),
    (6, 9, 20, incidents.leak),
    (8, 10, 30, incidents.planned_rotation),
    (9, 9, 0, incidents.campaign),
    (10, 11, 45, incidents.conflicts),
    (12, 22, 30, incidents.new_assistant),
)


async def play(
    workspace: Workspace, clock: DemoClock, state: DemoState, report: Callable[[DemoState], None], *, is_brief: bool
) -> None:
    """Play the two weeks that end now; `report` receives the state after each step. `is_brief`: one working day."""
    end = clock.now()
    members = await console(_members, workspace=workspace)
    async with gateway() as bridge:
        stage = Stage(bridge, clock, workspace, members, end, state)
        clock.begin(end - _OLD)
        await hand_out_old_token(stage)
        await stage.settle()
        clock.move_to(stage.at(0, 0, 5))
        await hand_out_tokens(stage)
        steps = sorted(_steps(stage, is_brief=is_brief), key=lambda step: step[0])
        state.total = len(steps)
        for at, work in steps:
            clock.move_to(at)
            await work()
            state.done, state.calls = state.done + 1, stage.calls
            await console(report, state=state)
        await stage.settle()


def _members(workspace: Workspace) -> dict[str, Member]:
    members = Member.objects.filter(workspace=workspace).select_related("workspace")
    return {member.name.split()[0]: member for member in members}


def _steps(stage: Stage, *, is_brief: bool) -> Iterator[Step]:
    """Return what happens until now; what would be later than now is left out."""
    latest = stage.end - timedelta(minutes=5)
    for at, work in _every_step(stage, range(1) if is_brief else range(DAYS + 1)):
        if at < latest:
            yield at, work


def _every_step(stage: Stage, working_days: range) -> Iterator[Step]:
    for day in working_days:
        is_weekend = stage.at(day, 12).weekday() >= 5 and len(working_days) > 1
        yield stage.at(day, 2, 15), partial(_work, stage, "goose", routine.report)
        for key, work, hours in _WEEKDAYS:
            for hour in hours[:1] if is_weekend and key == "code" else () if is_weekend else hours:
                at = stage.at(day, hour, stage.chance.randint(0, 50))
                yield at, partial(_work, stage, key, work)
    for day in range(DAYS):
        yield stage.at(day, 23, 55), partial(incidents.midnight, stage)
    for day, hour, minute, incident in _INCIDENTS:
        yield stage.at(day, hour, minute), partial(incident, stage)
    night = stage.at(DAYS, 3, 12)
    late = night if night < stage.end - timedelta(minutes=10) else night - timedelta(days=1)
    yield late, partial(incidents.last_night, stage)


async def _work(stage: Stage, key: str, work: Callable[[Stage, Assistant], Awaitable[None]]) -> None:
    """Let an assistant work, with the token that it has by then."""
    await work(stage, stage.assistants[key])


async def play_here(clock: DemoClock, out: TextIO, *, is_brief: bool) -> None:
    """Play in this process, whose clock is `clock`, and publish the progress."""
    org_id, last = demo_workspace_id(), DemoState()

    def report(state: DemoState) -> None:
        nonlocal last
        last = state
        publish(org_id, state)
        out.write(f"\r{state.done} of {state.total} steps, {state.calls} calls")
        out.flush()

    workspace = await console(_workspace)
    begun = await console(demo_state, org_id=org_id)
    last.started_at = begun.started_at if begun else 0.0
    try:
        await play(workspace, clock, last, report, is_brief=is_brief)
        last.ending = "complete"
    except BaseException:
        last.ending = "failed"
        raise
    finally:
        await console(publish, org_id=org_id, state=last)
    out.write("\n")


def _workspace() -> Workspace:
    return Workspace.objects.get(org_id=demo_workspace_id())
