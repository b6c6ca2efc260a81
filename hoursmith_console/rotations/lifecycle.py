"""What other apps are told when rotations change, and what rotations do when other apps change."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.notices.assistants import refresh_notices
from hoursmith_console.workspaces.models import Workspace


def retired() -> Exists:
    """Return the condition that a token was revoked in a rotation of its workspace, and not accepted since."""
    return Exists(Rotation.objects.retiring().filter(**_same_token()))


def rotating() -> Exists:
    """Return the condition that a rotation of the token is under way."""
    return Exists(Rotation.objects.filter(**_same_token(), ended_at=None))


def policy_changed(sender: Any, workspace: Workspace, **more: Any) -> None:
    """Tell the workspace's assistants what the new policy has to say. A receiver of `token_policy`'s signal."""
    refresh_notices(workspace=workspace, now=timezone.now())


def _same_token() -> dict[str, OuterRef]:
    return {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "workspace__org_id": OuterRef("org_id")}
