"""Django's debug error page with tokens masked: it shows local variables, form data and headers."""

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from mcpbridge.redaction.masking import redact


class MaskedReporter(ExceptionReporter):
    """Mask tokens in the finished report."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))
