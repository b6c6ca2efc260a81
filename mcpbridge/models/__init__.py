"""Models of the bridge. Every row has its workspace (`org_id`); no row can contain a token.

A token is identified by its environment and prefix, which grant no access. Names are copied as text, so that history
survives renames and deletions.
"""

from mcpbridge.models.activity import ActivityLoss, CallFacts, ToolCall
from mcpbridge.models.approvals import AnsweredIn, ApprovalRequest, ApprovalRule, Decision
from mcpbridge.models.audit import LISTED, AuditEvent

# Django finds an application's models through this module.
from mcpbridge.models.destinations import LogDestination
from mcpbridge.models.enums import TOOL_KINDS, AuditPhase, CallKind, Result
from mcpbridge.models.epochs import AuditEpoch
from mcpbridge.models.grants import GRANT_ID_LENGTH, EndReason, Grant, UsedCode
from mcpbridge.models.observed import (
    ObservedClient,
    ObservedConnection,
    ObservedToken,
    RejectedCredential,
    TokenNetwork,
)
from mcpbridge.models.refs import TokenRef
from mcpbridge.models.restrictions import Freeze, SnapshotStop, TokenBlock, TokenNotice
from mcpbridge.models.signing import AuditCut, AuditTile, Cosignature, SignedHead, SigningHead, SigningKey
from mcpbridge.models.token_ref import PREFIX_LENGTH, TokenIdentity
from mcpbridge.models.usage import CallHour, TokenTool
from mcpbridge.models.witnesses import WitnessStatus

__all__ = [
    "GRANT_ID_LENGTH",
    "LISTED",
    "PREFIX_LENGTH",
    "TOOL_KINDS",
    "ActivityLoss",
    "AnsweredIn",
    "ApprovalRequest",
    "ApprovalRule",
    "AuditCut",
    "AuditEpoch",
    "AuditEvent",
    "AuditPhase",
    "AuditTile",
    "CallFacts",
    "CallHour",
    "CallKind",
    "Cosignature",
    "Decision",
    "EndReason",
    "Freeze",
    "Grant",
    "LogDestination",
    "ObservedClient",
    "ObservedConnection",
    "ObservedToken",
    "RejectedCredential",
    "Result",
    "SignedHead",
    "SigningHead",
    "SigningKey",
    "SnapshotStop",
    "TokenBlock",
    "TokenIdentity",
    "TokenNetwork",
    "TokenNotice",
    "TokenRef",
    "TokenTool",
    "ToolCall",
    "UsedCode",
    "WitnessStatus",
]
