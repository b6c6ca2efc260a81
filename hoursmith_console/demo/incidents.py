"""What happens in the two weeks besides work: deletions, refusals, a leak, a rotation and a campaign."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.services import start_campaign
from hoursmith_console.demo.assistant import LEGACY, Assistant
from hoursmith_console.demo.stage import ELSEWHERE, HOME, Stage, console
from hoursmith_console.leaked_tokens.services import block_tokens, report_leaked_tokens
from hoursmith_console.restore.plan import plan_restore
from hoursmith_console.restore.services import restore_record
from hoursmith_console.rotations.actions import confirm_all_targets, mint_new_token, revoke_old_token
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_issuer.minting import new_form_id
from mcpbridge.auth.restrictions.pauses import pause_destructive_tools, resume_destructive_tools
from mcpbridge.models import AuditEvent, AuditPhase, ObservedToken, TokenRef

Incident = Callable[[Stage], Awaitable[None]]


async def duplicate_client(stage: Stage) -> None:
    """A client is created twice, and the second one deleted."""
    code = stage.assistants["code"]
    made = await code.call("create_client", name="Vandelay Industries", email="art@vandelay.example", currency="USD")
    stage.pause()
    await code.call("list_clients", limit=50)
    if made:
        stage.pause()
        await code.call("delete_client", id=made["id"])


async def night_clean_up(stage: Stage) -> None:
    """The nightly report cleans up far more than it was asked to."""
    goose = stage.assistants["goose"]
    await goose.call("list_projects", limit=100)
    for project in (await goose.call("list_projects", limit=100, status="ACTIVE") or [])[:2]:
        stage.pause(1, 4)
        await goose.call("archive_project", id=project["id"])
    for expense in (await goose.call("list_expenses", limit=100) or [])[:9]:
        stage.pause(1, 4)
        # Those on an invoice are refused.
        await goose.call("delete_expense", id=expense["id"])


async def morning_after(stage: Stage) -> None:
    """The owner pauses destructive tools, restores a project and an expense, and resumes."""
    ana, org_id = stage.members["Ana"], stage.workspace.org_id
    freeze = await console(
        pause_destructive_tools,
        org_id=org_id,
        actor=ana.display_identity,
        reason="The nightly report archived projects. Paused until we know why.",
    )
    stage.pause()
    for project in (await stage.assistants["code"].call("list_projects", limit=5) or [])[:1]:
        await stage.assistants["code"].call("archive_project", id=project["id"])
    for tool in ("archive_project", "delete_expense"):
        stage.pause(60, 200)
        await console(_restore, stage=stage, tool=tool)
    stage.pause(1200, 2400)
    await console(resume_destructive_tools, freeze=freeze, actor=ana.display_identity)


def _restore(stage: Stage, tool: str) -> None:
    outcomes = AuditEvent.objects.filter(org_id=stage.workspace.org_id, tool=tool, phase=AuditPhase.OUTCOME)
    done = outcomes.filter(result="succeeded").order_by("-sequence").values("call_id")[:1]
    intent = AuditEvent.objects.filter(call_id__in=done, phase=AuditPhase.INTENT).first()
    if intent is not None:
        restore_record(plan_restore(intent, stage.members["Ana"]), member=stage.members["Ana"], token="")


async def not_allowed(stage: Stage) -> None:
    """A member's assistant asks for what members may not see, and a read-only one tries to write."""
    for tool in ("list_clients", "list_expenses", "list_invoices"):
        stage.pause()
        await stage.assistants["gemini"].call(tool, limit=10)
    projects = await stage.assistants["vscode"].call("list_projects", limit=10) or []
    for project in projects[:2]:
        stage.pause()
        await stage.assistants["vscode"].call(
            "create_time_entry", projectId=project["id"], durationSeconds=3600, entryDate=f"{timezone.now():%Y-%m-%d}"
        )


async def conflicts(stage: Stage) -> None:
    """Hoursmith refuses to delete a client with projects; a task and a time entry do go."""
    code = stage.assistants["code"]
    for project in (await code.call("list_projects", limit=5) or [])[:1]:
        stage.pause()
        await code.call("delete_client", id=project["clientId"])
        for task in (await code.call("list_tasks", projectId=project["id"], limit=20) or [])[:1]:
            stage.pause()
            await code.call("archive_task", id=task["id"])
    await _delete_time(stage, code, 1)


async def leak(stage: Stage) -> None:
    """A token is found in a public repository: reported, blocked, and rotated by its owner."""
    ben, dmitri, codex = stage.members["Ben"], stage.members["Dmitri"], stage.assistants["codex"]
    ref, workspace = TokenRef("live", codex.prefix), stage.workspace
    await console(
        report_leaked_tokens,
        workspace=workspace,
        refs=[ref],
        actor=ben.display_identity,
        found_in="github.com, a dotfiles repository",
    )
    stage.pause()
    await console(_block, prefix=codex.prefix, member=ben)
    stage.pause()
    rotation = await console(
        start_rotation,
        env=ref.env,
        prefix=ref.prefix,
        workspace=workspace,
        kind=RotationKind.LEAKED,
        actor=ben.display_identity,
        reason="Found in a public repository",
    )
    # The assistant does not know yet.
    for _ in range(2):
        stage.pause(60, 300)
        await codex.call("get_me")
    stage.pause(600, 1200)
    await console(revoke_old_token, rotation=rotation, member=dmitri)
    await _switch(stage, rotation, "codex", dmitri)


async def planned_rotation(stage: Stage) -> None:
    """The owner rotates the token of her desktop, to the end; another machine still tries the old one."""
    ana, desktop = stage.members["Ana"], stage.assistants["desktop"]
    old = desktop.token
    rotation = await console(
        start_rotation,
        env="live",
        prefix=desktop.prefix,
        workspace=stage.workspace,
        kind=RotationKind.PLANNED,
        actor=ana.display_identity,
        reason="Quarterly rotation",
    )
    await _switch(stage, rotation, "desktop", ana)
    stage.pause(300, 900)
    await console(revoke_old_token, rotation=rotation, member=ana)
    stage.pause(3600, 7200)
    await Assistant(stage.bridge.http, desktop.name, "0.13.0", HOME, old, protocol=LEGACY).call("get_me")
    await stage.settle()


async def campaign(stage: Stage) -> None:
    """An admin asks for the rotation of old and unattended tokens; one owner follows at once."""
    ben = stage.members["Ben"]
    prefixes = [stage.assistants[key].prefix for key in ("windsurf", "goose", "vscode")]
    tokens = await console(_tokens, stage=stage, prefixes=prefixes)
    await console(
        start_campaign,
        workspace=stage.workspace,
        title="Tokens before the audit",
        criteria=Criteria(selected=len(tokens)),
        due_on=(stage.end + timedelta(days=6)).date(),
        tokens=tokens,
        actor=ben.display_identity,
        reason="Our auditors ask for it.",
    )
    stage.pause(3600, 7200)
    finn = stage.members["Finn"]
    rotation = await console(_rotation, stage=stage, prefix=stage.assistants["vscode"].prefix)
    await _switch(stage, rotation, "vscode", finn)
    stage.pause(600, 900)
    await console(revoke_old_token, rotation=rotation, member=finn)


async def new_assistant(stage: Stage) -> None:
    """A token is used by an assistant and from a network that it was never used with, and something is deleted."""
    code = stage.assistants["code"]
    cline = Assistant(stage.bridge.http, "Cline", "3.38.1", ELSEWHERE, code.token)
    stage.assistants["cline"] = cline
    await cline.call("list_projects", limit=50)
    await _delete_time(stage, cline, 2)


async def last_night(stage: Stage) -> None:
    """What there is to find in the morning."""
    await _delete_time(stage, stage.assistants["cursor"], 3)
    for expense in (await stage.assistants["cursor"].call("list_expenses", limit=50, sort="-createdAt") or [])[:2]:
        stage.pause(1, 5)
        await stage.assistants["cursor"].call("delete_expense", id=expense["id"])


async def midnight(stage: Stage) -> None:
    """Advance rotations by what was observed, as the server does all the time."""
    if await console(Rotation.objects.filter(workspace=stage.workspace, ended_at=None).exists):
        await stage.settle()
        await console(_sync, stage=stage)


def _sync(stage: Stage) -> None:
    for rotation in Rotation.objects.filter(workspace=stage.workspace, ended_at=None):
        sync_rotation(rotation=rotation, now=timezone.now())


async def _switch(stage: Stage, rotation: Rotation, key: str, member: Any) -> None:
    """Create the new token of a rotation, and let the assistant use it."""
    assistant = stage.assistants[key]
    minted = await console(
        mint_new_token, rotation=rotation, member=member, name=f"{assistant.label} (new)", form=new_form_id()
    )
    stage.pause(300, 900)
    assistant.token, assistant.session = minted.plaintext, ""
    await console(confirm_all_targets, rotation=rotation, member=member)
    stage.pause()
    await assistant.call("get_me")
    await assistant.call("list_projects", limit=10)
    await stage.settle()
    await console(rotation.refresh_from_db)
    await console(sync_rotation, rotation=rotation, now=timezone.now())


async def _delete_time(stage: Stage, assistant: Assistant, count: int) -> None:
    """Delete time entries that are on no invoice."""
    entries = await assistant.call("list_time_entries", limit=100, sort="-entryDate") or []
    for entry in [each for each in entries if not each.get("invoiceId")][:count]:
        stage.pause(1, 5)
        await assistant.call("delete_time_entry", id=entry["id"])


def _tokens(stage: Stage, prefixes: list[str]) -> list[ObservedToken]:
    return list(ObservedToken.objects.filter(org_id=stage.workspace.org_id, prefix__in=prefixes))


def _block(prefix: str, member: Any) -> None:
    block_tokens(tokens=ObservedToken.objects.filter(org_id=member.workspace.org_id, prefix=prefix), member=member)


def _rotation(stage: Stage, prefix: str) -> Rotation:
    return Rotation.objects.get(workspace=stage.workspace, prefix=prefix, ended_at=None)
