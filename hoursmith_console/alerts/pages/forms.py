"""Forms of rules and channels."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from hoursmith_console.accounts.addresses import normalize_email
from hoursmith_console.alerts.kinds import KINDS, AlertKind
from hoursmith_console.alerts.models import NAME_LENGTH, AlertChannel, AlertRule, ChannelKind, Timing
from hoursmith_console.alerts.schedule import hour_text
from hoursmith_console.alerts.services import RuleSettings
from hoursmith_console.core.forms import Form
from hoursmith_console.core.times.zones import current_zone_name, find_zone
from hoursmith_console.tokens.prefixes import lines_of_tokens, prefixes_only, tokens_of_lines
from hoursmith_console.workspaces.models import Role
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.destinations.targets import RefusedTargetError, secret_webhook_target
from mcpbridge.calls.approvals.policy import DESTRUCTIVE_TOOLS
from mcpbridge.models.destinations import ADDRESS_LENGTH
from mcpbridge.tools import TOOLS

MOST_RECIPIENTS = 10
MOST_AN_HOUR = 1_000
ADDRESS_HELP = {
    ChannelKind.SLACK: "The URL of an incoming webhook: https://hooks.slack.com/services/…",
    ChannelKind.TEAMS: "The URL of a workflow that posts to a channel when it receives a webhook request.",
    ChannelKind.DISCORD: "The URL of a channel’s webhook: https://discord.com/api/webhooks/…",
    ChannelKind.WEBHOOK: "Any https:// address that accepts JSON.",
}
_SECRET = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"})


class ChannelForm(Form):
    """Name and receiver of a channel of one kind."""

    name = forms.CharField(label="Name", max_length=NAME_LENGTH)
    recipients = forms.CharField(
        label="Recipients",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        max_length=4_000,
        help_text=f"One email address per line, at most {MOST_RECIPIENTS}. A member who loses access to the console "
        "gets no more alerts.",
    )
    address = forms.CharField(label="Address", max_length=ADDRESS_LENGTH, widget=_SECRET)

    def __init__(self, kind: ChannelKind, data: Any = None, *, channel: AlertChannel | None = None) -> None:
        """Set up the form for a channel of `kind`; without `data` it shows `channel`."""
        initial = {"name": channel.name, "recipients": "\n".join(channel.recipients)} if channel else {}
        super().__init__(data, initial=initial)
        del self.fields["address" if kind == ChannelKind.EMAIL else "recipients"]
        if kind != ChannelKind.EMAIL:
            address = self.fields["address"]
            address.required = channel is None
            kept = " Leave empty to keep the present one." if channel else ""
            address.help_text = f"{ADDRESS_HELP[kind]}{kept} It is stored encrypted and not shown again."

    def clean_recipients(self) -> list[str]:
        """Return the addresses, each once."""
        found = list(dict.fromkeys(normalize_email(each) for each in self.cleaned_data["recipients"].split()))
        if len(found) > MOST_RECIPIENTS:
            raise ValidationError(f"Enter at most {MOST_RECIPIENTS} addresses.")
        for each in found:
            try:
                validate_email(each)
            except ValidationError:
                raise ValidationError("Each line must be an email address.") from None
        return found

    def clean_address(self) -> str:
        """Return the address if it has the form of one that may be called."""
        address = str(self.cleaned_data["address"])
        if address:
            try:
                secret_webhook_target(address)
            except RefusedTargetError as error:
                raise ValidationError(str(error)) from None
        return address


class AlertRuleForm(Form):
    """What a rule of one kind is about, where it sends to and when."""

    # A whole token pasted here means its prefix.
    masked = frozenset({"tokens"})

    name = forms.CharField(label="Name", max_length=NAME_LENGTH)
    limit = forms.IntegerField(
        label="Records within an hour", min_value=1, max_value=MOST_AN_HOUR, help_text="Alert above this number."
    )
    counted = forms.ChoiceField(
        label="Counted", choices=[("workspace", "In the whole workspace"), ("token", "For each token")]
    )
    roles = forms.MultipleChoiceField(
        label="Roles",
        choices=[(role.value, role.label) for role in Role],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Only tokens with these roles; none selected means all.",
    )
    tools = forms.MultipleChoiceField(
        label="Tools",
        choices=[(name, TOOLS[name].title) for name in DESTRUCTIVE_TOOLS],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Only these tools; none selected means all.",
    )
    tokens = forms.CharField(
        label="Tokens",
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "autocomplete": "off"}),
        required=False,
        max_length=20_000,
        help_text="Only these tokens: one prefix per line (hsk_live_ and twelve characters). Empty means all.",
    )
    includes_record = forms.BooleanField(
        label="Include the record’s name",
        required=False,
        help_text="Email and chat providers will see it. Arguments and contents are never included.",
    )
    channels = forms.ModelMultipleChoiceField(
        label="Send to",
        queryset=AlertChannel.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Select at least one channel."},
    )
    timing = forms.ChoiceField(label="When", choices=Timing.choices, widget=forms.RadioSelect, initial=Timing.AT_ONCE)
    digest_hour = forms.TypedChoiceField(
        label="Hour of the daily alert",
        choices=[(hour, hour_text(hour)) for hour in range(24)],
        coerce=int,
        initial=8,
    )
    quiet_from = forms.TimeField(
        label="Quiet hours from", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        label="Quiet hours until",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="Alerts are held back and sent together afterwards. Leave both empty for none.",
    )
    zone = forms.CharField(
        label="Time zone",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Such as Europe/Berlin. Alerts show times in UTC and in this zone.",
    )

    def __init__(
        self, viewer: Viewer, kind: AlertKind, data: Any = None, *, rule: AlertRule | None = None, name: str = ""
    ) -> None:
        """Set up the form for a rule of `kind`; without `data` it shows `rule`, or the beginning of a new one."""
        if data is not None:
            data = data.copy()
            data["tokens"] = prefixes_only(data.get("tokens", ""))
        super().__init__(
            data, initial=_initial(rule) if rule else {"name": name, "limit": 20, "zone": current_zone_name()}
        )
        self._viewer, self._kind = viewer, kind
        info = KINDS[kind]
        optional = {"limit", "counted", "roles", "tools", "tokens"} - set(info.fields)
        for field in optional | (set() if info.names_record else {"includes_record"}):
            del self.fields[field]
        channels = cast(forms.ModelMultipleChoiceField, self.fields["channels"])  # type: ignore[type-arg]
        channels.queryset = AlertChannel.objects.filter(workspace_id=viewer.member.workspace_id)
        if rule is None and len(offered := list(channels.queryset[:2])) == 1:
            channels.initial = offered

    def clean_tokens(self) -> list[str]:
        """Return each token as `env_prefix`; only tokens used in the workspace are valid."""
        return tokens_of_lines(self._viewer, self.cleaned_data["tokens"])

    def clean_zone(self) -> str:
        """Return the name of a zone that this machine knows."""
        name = str(self.cleaned_data["zone"])
        if find_zone(name) is None:
            raise ValidationError("Enter a time zone such as UTC or Europe/Berlin.")
        return name

    def clean(self) -> dict[str, Any]:
        """Refuse quiet hours with one end."""
        data = super().clean() or self.cleaned_data
        if (data.get("quiet_from") is None) != (data.get("quiet_until") is None):
            self.add_error("quiet_until", "Enter both the beginning and the end of the quiet hours, or neither.")
        return data

    def settings(self) -> RuleSettings:
        """Return what was chosen."""
        data = self.cleaned_data
        parameters = {name: data[name] for name in KINDS[self._kind].fields if data.get(name)}
        names = ("name", "timing", "digest_hour", "quiet_from", "quiet_until", "zone")
        return RuleSettings(
            channels=list(data["channels"]),
            parameters=parameters,
            includes_record=data.get("includes_record", False),
            **{name: data[name] for name in names},
        )


def _initial(rule: AlertRule) -> dict[str, Any]:
    names = ("name", "timing", "digest_hour", "quiet_from", "quiet_until", "zone", "includes_record")
    parameters = {**rule.parameters, "tokens": lines_of_tokens(rule.parameters.get("tokens", []))}
    return {**{name: getattr(rule, name) for name in names}, **parameters, "channels": list(rule.channels.all())}
