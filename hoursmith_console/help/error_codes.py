"""The page of error codes, made of what the bridge says about each."""

from hoursmith_console.help.markdown import slug_of
from mcpbridge.calls.errors import CODES, MESSAGES, UNANSWERED, tool_error
from mcpbridge.core.credential import EXPLANATIONS
from mcpbridge.models import Result

# Failures before anything was sent.
_NOT_SENT = ("upstream_unreachable", "upstream_redirect")
_MAYBE_DONE = (
    "If the call changes something, check before you repeat it: Hoursmith may have carried it out although no response "
    "arrived."
)
_STATUS = {code: status for status, code in CODES.items()}


def error_codes_page() -> str:
    """Return the page as Markdown: every code with its meaning and what to do."""
    credentials = {code.value: text for code, text in EXPLANATIONS.items()}
    return "\n\n".join(
        [
            "# Error codes",
            "What each code in the activity log and the audit log means, and what to do about it.",
            "## Errors of tool calls",
            "The assistant gets the code, the message and the hint.",
            *(_tool_error(code) for code in MESSAGES),
            "## Rejected requests",
            "The request ended before a tool: its token was missing, unreadable, revoked or blocked.",
            *(f"### `{code}`\n\n{text}" for code, text in credentials.items()),
        ]
    )


def anchor_of(code: str) -> str:
    """Return the anchor of `code` on the page; empty where the page does not have it."""
    return slug_of(code) if code in MESSAGES or code in set(EXPLANATIONS) else ""


def _tool_error(code: str) -> str:
    hint = tool_error(code, 0, Result.FAILED).hint
    if code in UNANSWERED and code not in _NOT_SENT:
        hint = f"{hint} {_MAYBE_DONE}"
    status = f" (HTTP {_STATUS[code]})" if code in _STATUS else ""
    return f"### `{code}`\n\n**{MESSAGES[code]}**{status}\n\n{hint}"
