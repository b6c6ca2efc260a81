"""The form that says what a person is asked about."""

import re
from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.calls.approvals.policy import DESTRUCTIVE_TOOLS, MAX_HOLD_S, MAX_LIFETIME_S, MIN_LIFETIME_S
from mcpbridge.models import AnsweredIn, ApprovalRule
from mcpbridge.redaction.masking import redact
from mcpbridge.tools import TOOLS

_PUBLIC = re.compile(r"hsk_(live|test)_([0-9A-Za-z]{12})(?:_\S*)?")
MOST_TOKENS = 200
_MINUTE = 60


def _public(line: str) -> str:
    """The public part of the token that `line` names, whole or not."""
    match = _PUBLIC.fullmatch(line)
    return f"hsk_{match[1]}_{match[2]}" if match else redact(line)


class RuleForm(Form):
    """Which calls wait, where a person answers, and for how long."""

    # Whoever pastes a whole token here means its prefix.
    masked = frozenset({"tokens"})

    tools = forms.MultipleChoiceField(
        label="Tools",
        choices=[(name, TOOLS[name].title) for name in DESTRUCTIVE_TOOLS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Every call of these waits.",
    )
    tokens = forms.CharField(
        label="Tokens",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        required=False,
        max_length=20_000,
        help_text="The public part is enough (hsk_live_ and twelve characters), one a line. "
        "Every call with these that deletes or archives waits.",
    )
    hourly_limit = forms.IntegerField(
        label="Calls in an hour without asking",
        required=False,
        min_value=0,
        max_value=100_000,
        help_text="What one token may delete or archive in an hour before the next such call waits. Empty: no limit.",
    )
    answered_in = forms.ChoiceField(
        label="Who answers, and where",
        choices=[
            (AnsweredIn.CONSOLE, "An Owner or Admin, here in the console"),
            (AnsweredIn.CLIENT, "The assistant’s own person, in the assistant; here where it cannot ask"),
        ],
        help_text="What an assistant answers by itself cannot be told from its person’s answer. "
        "Choose the console where that matters.",
    )
    holds_s = forms.IntegerField(
        label="Hold a call for, in seconds",
        min_value=0,
        max_value=MAX_HOLD_S,
        help_text="So long the assistant waits; then it is told to call again once somebody has approved.",
    )
    lasts_min = forms.IntegerField(
        label="A request stands for, in minutes",
        min_value=MIN_LIFETIME_S // _MINUTE,
        max_value=MAX_LIFETIME_S // _MINUTE,
        help_text="Without an answer by then it is refused. An approval that is not used ends after as long.",
    )

    def __init__(self, viewer: Viewer, data: Any = None, *, rule: ApprovalRule) -> None:
        """For who looks; filled in with `rule` where nothing was sent."""
        if data is not None:
            data = data.copy()
            # Whoever pastes a whole token does not get it back in the page.
            data["tokens"] = "\n".join(_public(line) for line in data.get("tokens", "").split())
        self._viewer = viewer
        super().__init__(
            data,
            initial={
                "tools": rule.tools,
                "tokens": "\n".join(f"hsk_{each}" for each in rule.tokens),
                "hourly_limit": rule.hourly_limit,
                "answered_in": rule.answered_in,
                "holds_s": rule.holds_s,
                "lasts_min": max(1, rule.lasts_s // _MINUTE),
            },
        )
        for field in self.fields.values():
            field.disabled = not viewer.member.administers

    def clean_tokens(self) -> list[str]:
        """Each as `env_prefix`; only tokens that the workspace uses."""
        lines = self.cleaned_data["tokens"].split()
        if len(lines) > MOST_TOKENS:
            raise forms.ValidationError(f"Name at most {MOST_TOKENS} tokens.")
        found = [_PUBLIC.fullmatch(line) for line in lines]
        keys = {(match[1], match[2]) for match in found if match}
        known = set(
            visible_tokens(self._viewer)
            .order_by()
            .filter(prefix__in=[key[1] for key in keys])
            .values_list("env", "prefix")
        )
        if None in found or keys - known:
            raise forms.ValidationError("Each line must name a token of this workspace that was used here before.")
        return sorted("_".join(key) for key in keys)

    def rule(self) -> dict[str, Any]:
        """What the form says, as the rule takes it."""
        said = dict(self.cleaned_data)
        said["lasts_s"] = said.pop("lasts_min") * _MINUTE
        return said
