"""Tells one destructive call in words."""

from dataclasses import dataclass

from mcpbridge.models import Result

MAYBE_DONE = "Hoursmith may still have done it: look there before it is repeated."
UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Story:
    """The words about one call: a heading, and a sentence's verb, end and advice."""

    title: str
    verb: str
    ending: str
    advice: str


def tell(*, tool: str, target_type: str, state: str, answer: str, may_be_done: bool) -> Story:
    """The story of a call; `answer` is the status and code that came back, such as "409 conflict"."""
    verb = tool.partition("_")[0] or "change"
    past = verb + ("d" if verb.endswith("e") else "ed")
    doing = verb.removesuffix("e") + "ing"
    thing = target_type.replace("_", " ")
    if state == Result.SUCCEEDED:
        return Story(f"{past.capitalize()} {thing}".strip(), past, _joined("succeeded", answer), "")
    title = f"{verb.capitalize()} {thing}".strip()
    if state == Result.REFUSED:
        return Story(title, f"tried to {verb}", _joined("refused", answer), UNCHANGED)
    if state == Result.FAILED:
        return Story(title, f"tried to {verb}", _joined("failed", answer), MAYBE_DONE if may_be_done else UNCHANGED)
    if state == Result.UNKNOWN:
        return Story(title, f"set out to {verb}", "the outcome is unknown", MAYBE_DONE)
    return Story(title, f"is {doing}", "under way", "")


def _joined(word: str, answer: str) -> str:
    return f"{word}, {answer}" if answer else word
