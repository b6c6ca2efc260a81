"""Start the demo, unless it is refused."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

from django.conf import settings

from hoursmith_console.demo.progress import begin
from hoursmith_console.paths import IMPORT_DIR
from hoursmith_console.sandbox.seed.members import ORG_ID
from mcpbridge.models import ObservedToken

logger = logging.getLogger(__name__)

BRIEF = "--brief"
_COMMAND = (sys.executable, "-m", "hoursmith_console.demo")


class DemoRefusedError(Exception):
    """The demo is not played. The text says why."""


def demo_workspace_id() -> str:
    """Return the id of the workspace that the demo is for."""
    return str(ORG_ID)


def is_offered(org_id: str) -> bool:
    """Return whether the demo can be played in the workspace: the sandbox's, without activity of its own."""
    return settings.SANDBOX_MODE and org_id == demo_workspace_id() and not _has_activity()


def claim_run(*, again: bool = False) -> None:
    """Claim the one run at a time. Raises DemoRefusedError."""
    if not settings.SANDBOX_MODE:
        raise DemoRefusedError("The demo is played in the sandbox only, and HOURSMITH_API_URL is set.")
    if not again and _has_activity():
        raise DemoRefusedError("The workspace has activity already. Use --again to add two weeks to it.")
    if not begin(demo_workspace_id()):
        raise DemoRefusedError("The demo is being played already.")


def play_in_background() -> None:
    """Play in a process of its own, which outlives this one. Raises DemoRefusedError."""
    claim_run()
    with (Path(settings.VAR_DIR) / "demo.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            _COMMAND, cwd=IMPORT_DIR, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    # So that it is not left as a zombie.
    threading.Thread(target=process.wait, name="demo", daemon=True).start()


def play_in_foreground(*, is_brief: bool) -> int:
    """Play in a process of its own and wait for it; return its exit code."""
    command = [*_COMMAND, *([BRIEF] if is_brief else [])]
    return subprocess.call(command, cwd=IMPORT_DIR)  # noqa: S603 - our own module


def _has_activity() -> bool:
    return ObservedToken.objects.filter(org_id=demo_workspace_id()).exists()
