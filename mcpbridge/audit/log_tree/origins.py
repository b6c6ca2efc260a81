"""Name the trees of this installation: AUDIT_LOG_NAME, which its first signature fixes."""

from django.conf import settings

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.models import SigningHead, SigningKey


class RenamedLogError(SigningRefusedError):
    """AUDIT_LOG_NAME is not the name under which the logs were signed. The text may be shown to users."""


def log_name(alias: str) -> str:
    """Return the name under which logs are signed: the one of the first signature, else the configured one."""
    return _fixed_name(alias) or settings.AUDIT_LOG_NAME or f"hoursmith-console/{_first_key_id(alias)}"


def new_origin(alias: str, org_id: str) -> str:
    """Return the origin of a workspace's log that begins now."""
    return str(Origin(log_name(alias), org_id))


def refuse_renamed(alias: str) -> None:
    """Raise RenamedLogError if AUDIT_LOG_NAME changed since the first signature."""
    fixed = _fixed_name(alias)
    if fixed and settings.AUDIT_LOG_NAME and fixed != settings.AUDIT_LOG_NAME:
        raise RenamedLogError(
            f"AUDIT_LOG_NAME is {settings.AUDIT_LOG_NAME}, but the audit logs are signed under the name {fixed}, which"
            " cannot be changed. Set the former name, or none."
        )


def _fixed_name(alias: str) -> str:
    if name := node_anchors().log_name:
        return name
    first = SigningHead.objects.using(alias).exclude(origin="").order_by("id").values_list("origin", flat=True).first()
    try:
        return Origin.parse(first).log_name if first else ""
    except FormatError:
        return ""


def _first_key_id(alias: str) -> str:
    first = SigningKey.objects.using(alias).order_by("id").values_list("key_id", flat=True).first()
    return str(first or configured_key().key_id)
