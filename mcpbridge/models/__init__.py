"""What the bridge remembers. Every row carries its workspace (`org_id`); no row can carry a token.

A token is known here by its environment and its public prefix, which together find it at Hoursmith
but do not open anything. Names are frozen as text, so that history outlives renames and deletions.
"""

from mcpbridge.models.approvals import AnsweredIn, ApprovalRequest, ApprovalRule, Decision
from mcpbridge.models.audit import AuditEvent
from mcpbridge.models.calls import ActivityLoss, CallFacts, ToolCall
from mcpbridge.models.identity import PREFIX_LENGTH, TokenIdentity
from mcpbridge.models.orders import Freeze, SnapshotStop, TokenBlock, TokenNotice
from mcpbridge.models.sightings import RejectedCredential, SeenClient, SeenConnection, SeenToken, TokenNetwork
from mcpbridge.models.signing import AuditCut, SignedHead, SigningHead, SigningKey
from mcpbridge.models.tallies import CallHour, TokenTool
from mcpbridge.models.vocabulary import TOOL_KINDS, Kind, Phase, Result

# Django finds an application's models through this module.
from mcpbridge.sinks.models import Sink

__all__ = [
    "PREFIX_LENGTH",
    "TOOL_KINDS",
    "ActivityLoss",
    "AnsweredIn",
    "ApprovalRequest",
    "ApprovalRule",
    "AuditCut",
    "AuditEvent",
    "CallFacts",
    "CallHour",
    "Decision",
    "Freeze",
    "Kind",
    "Phase",
    "RejectedCredential",
    "Result",
    "SeenClient",
    "SeenConnection",
    "SeenToken",
    "SignedHead",
    "SigningHead",
    "SigningKey",
    "Sink",
    "SnapshotStop",
    "TokenBlock",
    "TokenIdentity",
    "TokenNetwork",
    "TokenNotice",
    "TokenTool",
    "ToolCall",
]
