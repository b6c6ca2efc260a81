"""Kinds of alert rules: what each is about, and which choices it has."""

from dataclasses import dataclass

from django.db.models import TextChoices


class AlertKind(TextChoices):
    """What a rule is about."""

    DELETION = "deletion", "Deletion succeeded"
    RATE = "rate", "Many deletions"
    FIRST_DELETION = "first_deletion", "First deletion with a token"
    UNKNOWN = "unknown_outcome", "Outcome unknown"
    NEW_ASSISTANT = "new_assistant", "New assistant"
    AUTHORIZATION = "authorization", "Assistant authorized"
    REUSE = "authorization_reuse", "Copied assistant sign-in"
    NEW_NETWORK = "new_network", "New network"
    ATTEMPT = "rejected_attempt", "Attempt with a blocked or revoked token"
    LEAK = "leaked_token", "Leaked token reported"
    INTEGRITY = "integrity", "Integrity check failed"
    DESTINATION = "destination", "Log destination failing"
    PLAN = "plan", "Plan without API access"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What pages say about a kind, and which of the form's fields it has."""

    explanation: str
    noun: str
    nouns: str
    fields: tuple[str, ...] = ()
    names_record: bool = False


_NARROW = ("roles", "tools", "tokens")

KINDS: dict[str, KindInfo] = {
    AlertKind.DELETION: KindInfo(
        "An assistant deleted or archived a record: any, or by role, tool or token.",
        "record was deleted or archived",
        "records were deleted or archived",
        _NARROW,
        names_record=True,
    ),
    AlertKind.RATE: KindInfo(
        "More records were deleted or archived within an hour than you expect.",
        "token deleted many records within an hour",
        "times many records were deleted within an hour",
        ("limit", "counted", *_NARROW),
    ),
    AlertKind.FIRST_DELETION: KindInfo(
        "A token was used to delete or archive a record for the first time.",
        "token deleted a record for the first time",
        "tokens deleted records for the first time",
        ("roles",),
    ),
    AlertKind.UNKNOWN: KindInfo(
        "A record may have been deleted: the outcome of the call is unknown until you resolve it.",
        "destructive call has an unknown outcome",
        "destructive calls have an unknown outcome",
        _NARROW,
        names_record=True,
    ),
    AlertKind.NEW_ASSISTANT: KindInfo(
        "An assistant with a name that was not seen in this workspace before made a call.",
        "new assistant was seen",
        "new assistants were seen",
    ),
    AlertKind.AUTHORIZATION: KindInfo(
        "A token was given to an assistant that signs in: someone allowed it to work with the token.",
        "assistant was authorized",
        "assistants were authorized",
        ("roles",),
    ),
    AlertKind.REUSE: KindInfo(
        "An old code or refresh token of an assistant was used again, so it may be a copy. Its access was ended.",
        "copied sign-in of an assistant was used",
        "copied sign-ins of assistants were used",
        ("roles",),
    ),
    AlertKind.NEW_NETWORK: KindInfo(
        "A token older than a week was used from a network (/24, or /48 for IPv6) for the first time.",
        "token was used from a new network",
        "tokens were used from new networks",
        ("roles",),
    ),
    AlertKind.ATTEMPT: KindInfo(
        "An assistant still sends a token that was blocked here or revoked at Hoursmith. Once a day for each.",
        "attempt with a blocked or revoked token",
        "attempts with blocked or revoked tokens",
    ),
    AlertKind.LEAK: KindInfo(
        "A member reported a token of this workspace as leaked.",
        "token was reported as leaked",
        "tokens were reported as leaked",
    ),
    AlertKind.INTEGRITY: KindInfo(
        "A verification of the audit log found that it was tampered with.",
        "integrity check of the audit log failed",
        "integrity checks of the audit log failed",
    ),
    AlertKind.DESTINATION: KindInfo(
        "A log destination has not accepted audit entries for five minutes.",
        "log destination is failing",
        "log destinations are failing",
    ),
    AlertKind.PLAN: KindInfo(
        "Hoursmith refuses calls because the workspace’s plan does not include API access.",
        "plan without API access",
        "times the plan was without API access",
    ),
}


def headline(kind: str, count: int) -> str:
    """Return what happened, with its number: `3 records were deleted or archived`."""
    info = KINDS[kind]
    return f"{count:,} {info.noun if count == 1 else info.nouns}"
