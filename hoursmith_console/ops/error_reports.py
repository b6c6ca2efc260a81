"""Django's own page of a fault, which a developer sees with DEBUG on: the same, without tokens.

It shows local variables, the form and the headers as they were.
"""

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from mcpbridge.redaction.masking import redact


class MaskedReporter(ExceptionReporter):
    """Masks the finished report, whatever of it held a token."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))
