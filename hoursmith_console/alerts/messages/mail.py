"""The form of a message for email."""

from collections.abc import Iterator

from hoursmith_console.alerts.messages.content import Message
from hoursmith_console.workspaces.mail import unlinked_text


def mail_subject(message: Message) -> str:
    """Return the subject."""
    test = "Test: " if message.is_test else ""
    return f"{test}{unlinked_text(message.workspace)}: {message.headline}"


def mail_text(message: Message) -> str:
    """Return the body. Names from outside become no link; all links lead to this console."""
    return "\n".join(_lines(message)) + "\n"


def _lines(message: Message) -> Iterator[str]:
    if message.is_test:
        yield f"{message.headline} Alerts of the rule {unlinked_text(message.rule)} will arrive here."
    else:
        yield f"{message.headline} in {unlinked_text(message.workspace)}."
    if message.note:
        yield message.note
    for line in message.lines:
        yield ""
        yield f"{unlinked_text(line.what)} {line.detail}".strip()
        if line.who:
            yield f"  {unlinked_text(line.who)}"
        yield f"  {line.when}"
        yield f"  {line.url}"
    if message.more > 0 and message.lines:
        yield ""
        yield f"and {message.more:,} more"
    yield ""
    if message.count != 1:
        yield f"See all: {message.url}"
    yield f"Rule: {unlinked_text(message.rule)} ({message.rule_url})"
