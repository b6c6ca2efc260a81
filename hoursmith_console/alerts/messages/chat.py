"""The form of a message for chats and other programs: the JSON that each webhook expects.

Names from outside are made harmless for all of them at once: no mention, no link, no markup.
"""

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from hoursmith_console.alerts.messages.content import Message
from hoursmith_console.alerts.models import ChannelKind
from hoursmith_console.workspaces.mail import unlinked_text

_MOST_LINES = 5
# What Discord takes; the others take more.
_LENGTH = 2_000
_SHORT = 200
_HARMLESS = str.maketrans("<>[]*`~|@&#", "‹›()∗’∼¦＠＆＃")
# Facts of an event that programs get; never arguments or contents.
_FACTS = (
    *("tool", "assistant", "env", "prefix", "token_name", "role", "owner", "record"),
    *("network", "fault", "member", "calls", "limit"),
)


def payload(kind: str, message: Message) -> dict[str, Any]:
    """Return the JSON body for a channel of `kind`."""
    match kind:
        case ChannelKind.SLACK:
            return {"text": _text(message, "<{url}|{label}>", bold="*"), "unfurl_links": False, "unfurl_media": False}
        case ChannelKind.DISCORD:
            text = _text(message, "[{label}](<{url}>)", bold="**")
            return {"content": text, "allowed_mentions": {"parse": []}, "username": "Hoursmith console"}
        case ChannelKind.TEAMS:
            return _teams(message)
        case _:
            return _generic(message)


def plain(text: str) -> str:
    """Return `text` from outside without anything that a chat would turn into a link, a mention or markup."""
    found = unlinked_text(text).translate(_HARMLESS)
    return found if len(found) <= _SHORT else f"{found[: _SHORT - 1]}…"


def _title(message: Message) -> str:
    return f"{'Test: ' if message.is_test else ''}{plain(message.workspace)}: {message.headline}"


def _details(message: Message, room: int) -> Iterator[str]:
    """Yield the lines below the title, of at most `room` characters, and how many events have none."""
    if message.note:
        yield message.note
    shown = 0
    for line in message.lines[:_MOST_LINES]:
        who = f" · {plain(line.who)}" if line.who else ""
        text = f"{plain(line.what)} {line.detail}".strip() + f"{who} · {line.when}"
        if (room := room - len(text) - 1) < 0:
            break
        shown += 1
        yield text
    if message.lines and message.count > shown:
        yield f"and {message.count - shown:,} more"


def _text(message: Message, link: str, *, bold: str) -> str:
    title = f"{bold}{_title(message)}{bold}"
    end = f"Rule: {plain(message.rule)}\n" + link.format(url=message.url, label="Open in the console")
    room = _LENGTH - len(title) - len(end) - len(message.note) - 40
    return "\n".join([title, *_details(message, room), end])


def _teams(message: Message) -> dict[str, Any]:
    """Return an Adaptive Card, as workflows of Microsoft Teams expect it."""
    blocks = [{"type": "TextBlock", "text": _title(message), "weight": "Bolder", "wrap": True}]
    blocks += [{"type": "TextBlock", "text": line, "wrap": True} for line in _details(message, _LENGTH)]
    blocks.append({"type": "TextBlock", "text": f"Rule: {plain(message.rule)}", "isSubtle": True, "wrap": True})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "actions": [{"type": "Action.OpenUrl", "title": "Open in the console", "url": message.url}],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}],
    }


def _generic(message: Message) -> dict[str, Any]:
    return {
        "type": "test" if message.is_test else "alert",
        "id": message.id,
        "workspace": message.org_id,
        "rule": message.rule,
        "kind": message.kind,
        "summary": message.headline,
        "count": message.count,
        "url": message.url,
        "events": [
            {
                "at": line.at.astimezone(UTC).isoformat(timespec="milliseconds"),
                "what": f"{line.what} {line.detail}".strip(),
                "url": line.url,
                **{name: line.facts[name] for name in _FACTS if line.facts.get(name)},
            }
            for line in message.lines
        ],
    }
