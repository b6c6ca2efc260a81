"""How allauth's second factors behave here: secrets encrypt, the QR code drawn without an image or a style."""

import logging
from typing import ClassVar
from urllib.parse import urlsplit

import qrcode
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.conf import settings
from django.contrib.auth.models import User
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hoursmith_console.accounts.encryption import UnreadableError, decrypt, encrypt
from hoursmith_console.env import is_address

logger = logging.getLogger(__name__)

ISSUER = "Hoursmith console"
_QUIET_ZONE = 3


class MfaAdapter(DefaultMFAAdapter):
    """Encrypts at rest, names this console to authenticator apps and passkeys, and draws QR codes."""

    error_messages: ClassVar[dict[str, str]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "Incorrect code: enter the newest one. Each works once.",
    }

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; where it cannot be read any more, one that nobody knows, so that no code ever fits."""
        try:
            return decrypt(encrypted_text)
        except UnreadableError:
            logger.error("A second factor cannot be read: was SECRET_KEY changed? Its owner must set it up anew.")
            return str(generate_totp_secret())

    def get_totp_issuer(self) -> str:
        return ISSUER

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": ISSUER}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"

    def build_totp_svg(self, url: str) -> SafeString:
        """`url` as an SVG element for the page itself: neither an image nor a style, so the CSP needs no exception."""
        code = qrcode.QRCode(border=_QUIET_ZONE)
        code.add_data(url)
        matrix = code.get_matrix()
        return format_html(
            '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="QR code with the secret below">'
            '<path d="{1}"/></svg>',
            len(matrix),
            "".join(_runs(matrix)),
        )


def _runs(matrix: list[list[bool]]) -> list[str]:
    """One flat rectangle for each run of dark squares."""
    drawn = []
    for row, squares in enumerate(matrix):
        start = None
        for column, is_dark in enumerate([*squares, False]):
            if is_dark and start is None:
                start = column
            elif not is_dark and start is not None:
                drawn.append(f"M{start} {row}h{column - start}v1h-{column - start}z")
                start = None
    return drawn


def passkeys_work_here() -> bool:
    """Whether browsers make passkeys for the address that is looked at: they want a name, and https unless local."""
    return not is_address(urlsplit(f"//{context.request.get_host()}").hostname)


def passkey_address() -> str:
    """Where passkeys would work on this machine."""
    return f"http://localhost:{settings.PORT}"
