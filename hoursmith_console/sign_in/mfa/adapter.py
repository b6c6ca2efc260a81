"""allauth's MFA adapter: encrypted secrets, and a QR code without image or inline style."""

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
    """Encrypt secrets at rest, name the console in apps and passkeys, and draw QR codes."""

    error_messages: ClassVar[dict[str, str]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "The code is incorrect. Enter the current one; each code works once.",
    }

    def encrypt(self, text: str) -> str:
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret; if it cannot be decrypted, a random one, so that no code is accepted."""
        try:
            return decrypt(encrypted_text)
        except UnreadableError:
            logger.error(
                "A two-factor secret cannot be decrypted. Was SECRET_KEY changed? Its user must set it up again."
            )
            return str(generate_totp_secret())

    def get_totp_issuer(self) -> str:
        return ISSUER

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": ISSUER}

    def generate_authenticator_name(self, user: User, type: str) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"

    def build_totp_svg(self, url: str) -> SafeString:
        """Return a QR code of `url` as an inline SVG element, which needs no exception in the CSP."""
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
    """Return one SVG path for each horizontal run of dark squares."""
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
    """Return whether browsers create passkeys for this host: they require a host name, not an IP address."""
    return not is_address(urlsplit(f"//{context.request.get_host()}").hostname)


def passkey_address() -> str:
    """Return the URL at which passkeys work on this machine."""
    return f"http://localhost:{settings.PORT}"
