"""Query conditions about rotations for other apps, and receivers of their signals."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.notices.assistants import refresh_notices
from hoursmith_console.workspaces.models import Workspace


def revoked() -> Exists:
    """Return the condition that a rotation revoked the token and Hoursmith has not accepted it since."""
    return Exists(Rotation.objects.revoked().filter(**_same_token()))


def rotating() -> Exists:
    """Return the condition that a rotation of the token is in progress."""
    return Exists(Rotation.objects.filter(**_same_token(), ended_at=None))


def policy_changed(sender: Any, workspace: Workspace, **more: Any) -> None:
    """Refresh the workspace's notices when its token policy changed."""
    refresh_notices(workspace=workspace, now=timezone.now())


def _same_token() -> dict[str, OuterRef]:
    return {"env": OuterRef("env"), "prefix": OuterRef("prefix"), "workspace__org_id": OuterRef("org_id")}
