"""Set and clear the notices that assistants get while their token must be rotated.

Notice texts are fixed: no user input (a reason, a token's name) reaches an assistant this way.
"""

from datetime import datetime

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.token_policy.evaluation import PolicyStatus, in_status, without_open_rotation
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.auth.restrictions.notices import clear_notice, set_notice
from mcpbridge.models import ObservedToken, TokenNotice, TokenRef

_TELL = "Tell the user to open Rotations in the Hoursmith console."


def rotation_notice_text(rotation: Rotation) -> str:
    """Return the notice for assistants that use the old token; empty if none is due.

    It ends when every assistant has used the new token, or the old one is revoked.
    """
    if rotation.ended_at or rotation.revoked_at or rotation.verified_at:
        return ""
    token = rotation.masked_token
    by = f" by {rotation.due_on:%-d %B %Y}" if rotation.due_on else ""
    if rotation.new_prefix:
        new = f"hsk_{rotation.new_env}_{rotation.new_prefix}_••••"
        return f"This assistant still uses the Hoursmith token {token}. Switch to {new}{by}. {_TELL}"
    if rotation.kind == RotationKind.LEAKED:
        return f"The Hoursmith token {token} of this assistant may have leaked and is being rotated. {_TELL}"
    if rotation.ends_without_new_token:
        return f"The Hoursmith token {token} of this assistant will be revoked{by}. {_TELL}"
    return f"The Hoursmith token {token} of this assistant must be rotated{by}. {_TELL}"


def policy_notice_text(token: ObservedToken, policy: TokenPolicy) -> str:
    """Return the notice for assistants whose token exceeds the policy's maximum age."""
    return (
        f"The Hoursmith token {token.masked_token} of this assistant is older than the "
        f"{policy.max_age_days} days allowed in its workspace and must be rotated. {_TELL}"
    )


def refresh_rotation_notice(rotation: Rotation, policy: TokenPolicy) -> None:
    """Set, change or clear the notice on the old token."""
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
    """Set the workspace's notices to those that are due, and return how many changed."""
    policy = get_policy(workspace)
    wanted = _wanted(workspace, policy, now)
    current = {
        (env, prefix): (text, is_in_text)
        for env, prefix, text, is_in_text in TokenNotice.objects.filter(org_id=workspace.org_id, ended_at=None)
        .order_by()
        .values_list("env", "prefix", "text", "is_in_text")
    }
    changed = 0
    for env, prefix in current.keys() - wanted.keys():
        changed += clear_notice(env=env, prefix=prefix, org_id=workspace.org_id)
    for (env, prefix), text in sorted(wanted.items()):
        if current.get((env, prefix)) != (text, policy.notices_in_text):
            set_notice(env=env, prefix=prefix, org_id=workspace.org_id, text=text, is_in_text=policy.notices_in_text)
            changed += 1
    return changed


def _wanted(workspace: Workspace, policy: TokenPolicy, now: datetime) -> dict[TokenRef, str]:
    tokens = ObservedToken.objects.filter(org_id=workspace.org_id).order_by()
    due = without_open_rotation(in_status(tokens, PolicyStatus.DUE, policy, now=now))
    texts = {TokenRef(token.env, token.prefix): policy_notice_text(token, policy) for token in due}
    for rotation in Rotation.objects.filter(workspace=workspace, ended_at=None).select_related("workspace"):
        texts[rotation.old_ref] = rotation_notice_text(rotation)
    return {ref: text for ref, text in texts.items() if text}
