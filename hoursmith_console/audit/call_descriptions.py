"""Describe one destructive call in words."""

from dataclasses import dataclass

from mcpbridge.models import Result

MAYBE_DONE = "It may have succeeded. Check in Hoursmith before retrying."
UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class CallDescription:
    """The words about one call: a title, and a sentence's verb, ending and advice."""

    title: str
    verb: str
    ending: str
    advice: str


def describe_call(*, tool: str, target_type: str, state: str, response: str, may_be_done: bool) -> CallDescription:
    """Describe a call; `response` is Hoursmith's status and code, such as "409 conflict"."""
    verb = tool.partition("_")[0] or "change"
    past = verb + ("d" if verb.endswith("e") else "ed")
    present = verb.removesuffix("e") + "ing"
    target = target_type.replace("_", " ")
    if state == Result.SUCCEEDED:
        return CallDescription(f"{past.capitalize()} {target}".strip(), past, _joined("succeeded", response), "")
    title = f"{verb.capitalize()} {target}".strip()
    if state == Result.REFUSED:
        return CallDescription(title, f"tried to {verb}", _joined("refused", response), UNCHANGED)
    if state == Result.FAILED:
        advice = MAYBE_DONE if may_be_done else UNCHANGED
        return CallDescription(title, f"tried to {verb}", _joined("failed", response), advice)
    if state == Result.UNKNOWN:
        return CallDescription(title, f"tried to {verb}", "outcome unknown", MAYBE_DONE)
    return CallDescription(title, f"is {present}", "in progress", "")


def _joined(word: str, response: str) -> str:
    return f"{word}, {response}" if response else word
