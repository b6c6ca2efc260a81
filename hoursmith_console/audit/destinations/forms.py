"""Forms of log destinations."""

from django import forms

from hoursmith_console.core.forms import Form
from mcpbridge.models.destinations import ADDRESS_LENGTH, FORMATS, NAME_LENGTH, DestinationFormat, DestinationKind

# The way and the form of the rows in one choice: not every way carries every form.
_WAYS = {
    (DestinationKind.WEBHOOK, DestinationFormat.JSON): "Webhook – JSON Lines, each request signed",
    (DestinationKind.SYSLOG, DestinationFormat.JSON): "Syslog – RFC 5424 over TLS or TCP, JSON",
    (DestinationKind.SYSLOG, DestinationFormat.CEF): "Syslog – RFC 5424 over TLS or TCP, CEF",
    (DestinationKind.FILE, DestinationFormat.JSON): "File on the console’s machine – JSON Lines",
}
ADDRESS_HELP = {
    DestinationKind.WEBHOOK: "https://siem.example.com/hoursmith – without user, password or secret in it.",
    DestinationKind.SYSLOG: "tls://siem.example.com:6514, or tcp://… where nobody can listen in.",
    DestinationKind.FILE: "A file’s name, such as audit.jsonl. The operator of the console chose the folder.",
}


class _DestinationForm(Form):
    name = forms.CharField(label="Name", max_length=NAME_LENGTH, help_text="What your team calls it, such as “SIEM”.")
    address = forms.CharField(
        label="Address",
        max_length=ADDRESS_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class NewDestinationForm(_DestinationForm):
    """A destination that is not there yet."""

    way = forms.ChoiceField(
        choices=[(f"{kind}:{form}", label) for (kind, form), label in _WAYS.items()],
        widget=forms.RadioSelect,
        initial="webhook:json",
        label="Way",
    )
    begin = forms.ChoiceField(
        choices=[("now", "With what happens from now on"), ("first", "With the first row that the record has")],
        widget=forms.RadioSelect,
        initial="now",
        label="Begin",
    )

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """What an address of each kind looks like."""
        return [(kind.label, text) for kind, text in ADDRESS_HELP.items()]


class ChangeDestinationForm(_DestinationForm):
    """A destination's name, address and form; its kind stays."""

    format = forms.ChoiceField(choices=DestinationFormat.choices, label="Form")

    def __init__(self, *args: object, kind: str, **more: object) -> None:
        """For a destination of `kind`."""
        super().__init__(*args, **more)
        self.fields["address"].help_text = ADDRESS_HELP[DestinationKind(kind)]
        choices = [(form.value, form.label) for form in FORMATS[DestinationKind(kind)]]
        self.fields["format"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["format"].widget = forms.HiddenInput()


class RestartDestinationForm(Form):
    """From which row on a receiver shall get the record again."""

    sequence = forms.IntegerField(label="Row", min_value=1, max_value=2**53)
