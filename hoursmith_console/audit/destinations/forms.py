"""Forms of log destinations."""

from django import forms

from hoursmith_console.core.forms import Form
from mcpbridge.models.destinations import ADDRESS_LENGTH, FORMATS, NAME_LENGTH, DestinationFormat, DestinationKind

# Kind and format in one choice: not every kind supports every format.
_TYPES = {
    (DestinationKind.WEBHOOK, DestinationFormat.JSON): "Webhook: JSON Lines, signed requests",
    (DestinationKind.SYSLOG, DestinationFormat.JSON): "Syslog: RFC 5424 over TLS or TCP, JSON",
    (DestinationKind.SYSLOG, DestinationFormat.CEF): "Syslog: RFC 5424 over TLS or TCP, CEF",
    (DestinationKind.FILE, DestinationFormat.JSON): "File on the console’s machine: JSON Lines",
}
ADDRESS_HELP = {
    DestinationKind.WEBHOOK: "Such as https://siem.example.com/hoursmith, without a user, password or secret.",
    DestinationKind.SYSLOG: "Such as tls://siem.example.com:6514, or tcp://… on a trusted network.",
    DestinationKind.FILE: "A file name, such as audit.jsonl. The operator of the console sets the folder.",
}


class _DestinationForm(Form):
    name = forms.CharField(label="Name", max_length=NAME_LENGTH, help_text="Such as “SIEM”.")
    address = forms.CharField(
        label="Address",
        max_length=ADDRESS_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class NewDestinationForm(_DestinationForm):
    """A new log destination."""

    type = forms.ChoiceField(
        choices=[(f"{kind}:{format}", label) for (kind, format), label in _TYPES.items()],
        widget=forms.RadioSelect,
        initial="webhook:json",
        label="Type",
    )
    start = forms.ChoiceField(
        choices=[("now", "New entries only"), ("first", "All entries")],
        widget=forms.RadioSelect,
        initial="now",
        label="Start with",
    )

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """The expected address of each kind: label and help."""
        return [(kind.label, text) for kind, text in ADDRESS_HELP.items()]


class ChangeDestinationForm(_DestinationForm):
    """A destination's name, address and format; its kind cannot change."""

    format = forms.ChoiceField(choices=DestinationFormat.choices, label="Format")

    def __init__(self, *args: object, kind: str, **more: object) -> None:
        """Set up the form for a destination of `kind`."""
        super().__init__(*args, **more)
        self.fields["address"].help_text = ADDRESS_HELP[DestinationKind(kind)]
        choices = [(form.value, form.label) for form in FORMATS[DestinationKind(kind)]]
        self.fields["format"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["format"].widget = forms.HiddenInput()


class RestartDestinationForm(Form):
    """The entry from which to resend."""

    sequence = forms.IntegerField(label="Entry number", min_value=1, max_value=2**53)
