"""What a token's assistants are told while it is to be replaced, and the one target that begins and ends it.

The words are ours alone: nothing that anybody typed (a reason, a token's name) reaches an assistant this way.
"""

from datetime import datetime

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.token_policy.evaluation import PolicyStatus, in_status, without_open_rotation
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.auth.restrictions.notices import clear_notice, set_notice
from mcpbridge.models import ObservedToken, TokenNotice

_TELL = "Please tell your person; the Hoursmith console says how, under Rotations."
Key = tuple[str, str]


def rotation_notice_text(rotation: Rotation) -> str:
    """What the old token's assistants tell their person; empty where they need say nothing, or nothing any more.

    It ends when the new token was seen wherever it should be, and when the old one is revoked.
    """
    if rotation.ended_at or rotation.revoked_at or rotation.verified_at:
        return ""
    token = rotation.masked_token
    by = f" by {rotation.due_on:%-d %B %Y}" if rotation.due_on else ""
    if rotation.new_prefix:
        new = f"hsk_{rotation.new_env}_{rotation.new_prefix}_••••"
        return f"This assistant still uses the Hoursmith token {token}; {new} is to be used instead{by}. {_TELL}"
    if rotation.kind == RotationKind.LEAKED:
        return f"The Hoursmith token {token} of this assistant may have leaked and is being replaced. {_TELL}"
    if rotation.kind == RotationKind.OFFBOARDING:
        return f"The Hoursmith token {token} of this assistant is about to be revoked{by}. {_TELL}"
    return f"The Hoursmith token {token} of this assistant is to be replaced{by}. {_TELL}"


def policy_notice_text(token: ObservedToken, policy: TokenPolicy) -> str:
    """What the assistants of a token tell that is older than the policy allows."""
    return (
        f"The Hoursmith token {token.masked_token} of this assistant is older than the "
        f"{policy.max_age_days} days that its workspace allows, and is to be replaced. {_TELL}"
    )


def refresh_rotation_notice(rotation: Rotation, policy: TokenPolicy) -> None:
    """Begin, change or end what the old token's assistants tell, as the rotation now stands."""
    if text := rotation_notice_text(rotation):
        set_notice(
            env=rotation.env,
            prefix=rotation.prefix,
            org_id=rotation.org_id,
            text=text,
            is_in_text=policy.notices_in_text,
        )
    else:
        clear_notice(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)


def refresh_notices(*, workspace: Workspace, now: datetime) -> int:
    """Let exactly those assistants of the workspace be told something that have a reason; how many notices changed."""
    policy = get_policy(workspace)
    wanted = _wanted(workspace, policy, now)
    standing = {
        (env, prefix): (text, is_in_text)
        for env, prefix, text, is_in_text in TokenNotice.objects.filter(org_id=workspace.org_id, ended_at=None)
        .order_by()
        .values_list("env", "prefix", "text", "is_in_text")
    }
    changed = 0
    for env, prefix in standing.keys() - wanted.keys():
        changed += clear_notice(env=env, prefix=prefix, org_id=workspace.org_id)
    for (env, prefix), text in sorted(wanted.items()):
        if standing.get((env, prefix)) != (text, policy.notices_in_text):
            set_notice(env=env, prefix=prefix, org_id=workspace.org_id, text=text, is_in_text=policy.notices_in_text)
            changed += 1
    return changed


def _wanted(workspace: Workspace, policy: TokenPolicy, now: datetime) -> dict[Key, str]:
    tokens = ObservedToken.objects.filter(org_id=workspace.org_id).order_by()
    due = without_open_rotation(in_status(tokens, PolicyStatus.DUE, policy, now=now))
    texts = {(token.env, token.prefix): policy_notice_text(token, policy) for token in due}
    for rotation in Rotation.objects.filter(workspace=workspace, ended_at=None).select_related("workspace"):
        texts[rotation.env, rotation.prefix] = rotation_notice_text(rotation)
    return {key: text for key, text in texts.items() if text}
