"""Form of the approval rules."""

from typing import Any

from django import forms

from hoursmith_console.core.forms import Form
from hoursmith_console.tokens.prefixes import lines_of_tokens, prefixes_only, tokens_of_lines
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.calls.approvals.policy import DESTRUCTIVE_TOOLS, MAX_HOLD_S, MAX_LIFETIME_S, MIN_LIFETIME_S
from mcpbridge.models import AnsweredIn, ApprovalRule
from mcpbridge.tools import TOOLS

_MINUTE = 60


class RuleForm(Form):
    """Which calls need approval, who decides, and how long requests are valid."""

    # A whole token pasted here means its prefix.
    masked = frozenset({"tokens"})

    tools = forms.MultipleChoiceField(
        label="Tools",
        choices=[(name, TOOLS[name].title) for name in DESTRUCTIVE_TOOLS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Every call of these tools needs approval.",
    )
    tokens = forms.CharField(
        label="Tokens",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        required=False,
        max_length=20_000,
        help_text="One token prefix per line (hsk_live_ and twelve characters). "
        "Every call that deletes or archives with these tokens needs approval.",
    )
    hourly_limit = forms.IntegerField(
        label="Hourly limit before approval is required",
        required=False,
        min_value=0,
        max_value=100_000,
        help_text="Records that one token may delete or archive per hour. Leave empty for no limit.",
    )
    answered_in = forms.ChoiceField(
        label="Approver",
        choices=[
            (AnsweredIn.CONSOLE, "Owners and Admins, in the console"),
            (AnsweredIn.CLIENT, "The user, in the assistant; in the console if the assistant cannot ask"),
        ],
        help_text="Approvals in the assistant can’t be verified as human. Choose the console if that matters.",
    )
    holds_s = forms.IntegerField(
        label="Wait for approval (seconds)",
        min_value=0,
        max_value=MAX_HOLD_S,
        help_text="How long a call waits. After that, the assistant is asked to retry once it is approved.",
    )
    lasts_min = forms.IntegerField(
        label="Request expires after (minutes)",
        min_value=MIN_LIFETIME_S // _MINUTE,
        max_value=MAX_LIFETIME_S // _MINUTE,
        help_text="Requests without a decision are then rejected. Unused approvals expire after the same time.",
    )

    def __init__(self, viewer: Viewer, data: Any = None, *, rule: ApprovalRule) -> None:
        """Set up the form for `viewer`; without `data` it shows `rule`."""
        if data is not None:
            data = data.copy()
            # A whole token pasted here must not be shown again.
            data["tokens"] = prefixes_only(data.get("tokens", ""))
        self._viewer = viewer
        super().__init__(
            data,
            initial={
                "tools": rule.tools,
                "tokens": lines_of_tokens(rule.tokens),
                "hourly_limit": rule.hourly_limit,
                "answered_in": rule.answered_in,
                "holds_s": rule.holds_s,
                "lasts_min": max(1, rule.lasts_s // _MINUTE),
            },
        )
        for field in self.fields.values():
            field.disabled = not viewer.member.administers

    def clean_tokens(self) -> list[str]:
        """Return each token as `env_prefix`; only tokens used in the workspace are valid."""
        return tokens_of_lines(self._viewer, self.cleaned_data["tokens"])

    def rule(self) -> dict[str, Any]:
        """Return the form's values as arguments of `change_approval_rule`."""
        values = dict(self.cleaned_data)
        values["lasts_s"] = values.pop("lasts_min") * _MINUTE
        return values
