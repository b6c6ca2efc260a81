"""Banner about a plan without API access."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.html import format_html

from hoursmith_console.core.banners import Banner
from hoursmith_console.core.times.rendering import ago
from hoursmith_console.tokens.activity_rows import is_refused_for_plan
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ToolCall


def lapsed_plan(viewer: Viewer) -> Iterator[Banner]:
    """The workspace's plan does not include API access: its last call, of whichever token, got 402."""
    calls = ToolCall.objects.filter(org_id=viewer.org_id).order_by("-at", "-pk")
    last = calls.values_list("status", "at").first()
    if last and is_refused_for_plan(last[0]):
        yield Banner(
            what=format_html(
                "<strong>The plan of {} doesn’t include API access</strong>, so every call is refused{}. "
                "Ask the account owner to upgrade to Studio or Agency.",
                viewer.member.workspace.name,
                # The call may be another member's.
                format_html(" (402, {})", ago(last[1])) if viewer.member.sees_workspace else "",
            ),
            address=f"{reverse('console:activity:list')}?result=refused",
            link="View refused calls",
        )
