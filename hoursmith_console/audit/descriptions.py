"""Tells in words what people did in the console."""

from dataclasses import dataclass

from mcpbridge.models import AuditEvent, Result

PREFIX = "console."
# What the actor did, before the name of what they did it to; and whether that is named at all.
_DID = {
    "sign_in": ("signed in", False),
    "sign_out": ("signed out", False),
    "token_block": ("blocked the token", True),
    "token_unblock": ("let the token through again:", True),
    "key_rotate": ("changed the key that signs the record to", True),
    "invite": ("invited", True),
    "members_sync": ("imported the members of", True),
    "export": ("exported the audit record", False),
    "prune": ("removed old rows of the audit record, after exporting them", False),
    "verify": ("verified the audit record", False),
    "destination_create": ("sends the record to the new destination", True),
    "destination_change": ("changed the destination", True),
    "destination_pause": ("paused the destination", True),
    "destination_resume": ("resumed the destination", True),
    "destination_delete": ("deleted the destination", True),
    "destination_secret": ("replaced the signing secret of the destination", True),
    "destination_restart": ("had rows sent again to the destination", True),
    "destination_test": ("sent a test to the destination", True),
    "record_open": ("opened the contents of", True),
    "sessions_end": ("signed out elsewhere", False),
    "member_sign_out": ("ended every session of", True),
    "access_close": ("closed the console to", True),
    "access_open": ("opened the console again to", True),
    "auditor_appoint": ("made an auditor of", True),
    "auditor_dismiss": ("ended the auditing of", True),
    "setting_change": ("changed the setting", True),
    "factor_add": ("added a second factor", False),
    "factor_remove": ("removed a second factor", False),
    "factor_rename": ("renamed a second factor", False),
    "factors_reset": ("took every second factor off the account of", True),
    "recovery_codes_generate": ("made new recovery codes", False),
    "recovery_code_use": ("used a recovery code", False),
    "openid_connect": ("signed in with OpenID Connect for the first time", False),
    "password_change": ("changed their password", False),
    "password_set": ("set a password", False),
    "password_reset": ("chose a new password by a link", False),
    "freeze": ("froze what destroys for", True),
    "unfreeze": ("lifted the freeze for", True),
    "token_mint": ("minted the token", True),
    "token_revoke": ("revoked the token", True),
    "token_claim": ("showed that this token is theirs:", True),
    "token_claim_release": ("released the claim on the token", True),
    "connection_create": ("made the connection", True),
    "connection_change": ("changed the connection", True),
    "connection_remove": ("removed the connection", True),
    "rotation_start": ("asked to replace the token", True),
    "rotation_escalate": ("says that this token may have leaked:", True),
    "rotation_assign": ("said whose token it is:", True),
    "rotation_mint": ("made the successor of the token", True),
    "rotation_successor": ("showed the new token that replaces", True),
    "rotation_successor_take_back": ("took back which token replaces", True),
    "rotation_revoke": ("revoked, to replace it, the token", True),
    "rotation_revoke_said": ("says that they revoked at Hoursmith the token", True),
    "rotation_revoke_take_back": ("took back that this token was revoked at Hoursmith:", True),
    "rotation_updated": ("says that every assistant has the successor of the token", True),
    "rotation_updated_take_back": ("took back that every assistant has the new token that replaces", True),
    "rotation_tick_take_back": ("took back what was said of an assistant with the token", True),
    "rotation_tick": ("says that an assistant has the successor of the token", True),
    "rotation_give_up": ("says that an assistant no longer needs the token", True),
    "rotation_finish": ("ended as done the replacement of the token", True),
    "rotation_abandon": ("stopped the replacement of the token", True),
    "rotation_resume": ("resumed the replacement of the token", True),
    "leak_report": ("reported as found where it should not be:", True),
    "leak_settle": ("closed the report about a leak of", True),
    "policy_change": ("changed", True),
    "campaign_start": ("asked for rotation:", True),
    "campaign_remind": ("reminded who has not rotated yet:", True),
    "campaign_close": ("closed the campaign", True),
    "approval.requested": ("asks a person’s approval to destroy", True),
    "approval.approved": ("approved that an assistant destroys", True),
    "approval.refused": ("did not approve that an assistant destroys", True),
    "approval.expired": ("closed, since nobody answered, the request to destroy", True),
}
_TITLES = {
    "sign_in": "Sign-in",
    "sign_out": "Sign-out",
    "sign_in_failed": "Failed sign-in",
    "token_block": "Blocked token",
    "token_unblock": "Unblocked token",
    "key_rotate": "Changed signing key",
    "invite": "Invitation",
    "record_open": "Opened",
    "member_sign_out": "Signed out",
    "access_close": "Closed the console",
    "access_open": "Opened the console",
    "auditor_appoint": "New auditor",
    "auditor_dismiss": "Dismissed auditor",
    "setting_change": "Changed setting",
    "factor_add": "New second factor",
    "factor_remove": "Removed second factor",
    "members_sync": "Imported members",
    "export": "Exported the record",
    "prune": "Removed old rows",
    "destination_create": "New destination",
    "destination_change": "Changed destination",
    "destination_pause": "Paused destination",
    "destination_resume": "Resumed destination",
    "destination_delete": "Deleted destination",
    "destination_secret": "Replaced secret of destination",
    "destination_restart": "Restarted destination",
    "destination_test": "Tested destination",
    "token_mint": "Minted token",
    "token_claim": "Claimed token",
    "token_claim_release": "Released claim",
    "connection_create": "New connection",
    "connection_change": "Changed connection",
    "connection_remove": "Removed connection",
    "rotation_start": "Rotation asked for",
    "rotation_escalate": "Rotation after a leak",
    "rotation_mint": "Successor minted",
    "rotation_successor": "New token shown",
    "rotation_successor_take_back": "New token taken back",
    "rotation_revoke": "Old token revoked",
    "rotation_revoke_said": "Old token said to be revoked",
    "rotation_revoke_take_back": "Revocation taken back",
    "rotation_finish": "Rotation done",
    "rotation_abandon": "Rotation stopped",
    "rotation_resume": "Rotation resumed",
    "leak_report": "Leak reported",
    "leak_settle": "Leak report closed",
    "policy_change": "Policy changed",
    "campaign_start": "Campaign started",
    "campaign_remind": "Reminders sent",
    "campaign_close": "Campaign closed",
    "approval.requested": "Approval asked for",
    "approval.approved": "Approved",
    "approval.refused": "Not approved",
    "approval.expired": "Approval without an answer",
}


@dataclass(frozen=True, slots=True)
class ConsoleEvent:
    """One console action, told: a title, and the sentence's actor, words and object."""

    row: AuditEvent
    title: str
    actor: str
    did: str
    what: str

    @property
    def state(self) -> str:
        """How it ended."""
        return self.row.result or Result.SUCCEEDED.value

    @property
    def state_label(self) -> str:
        """The same in a word."""
        return str(Result(self.state).label)


def told(row: AuditEvent) -> ConsoleEvent:
    """`row` in words; an action that has none yet is named as it is written."""
    action = row.tool.removeprefix(PREFIX)
    plain = action.replace("_", " ").replace(".", " ")
    title = _TITLES.get(action, plain[:1].upper() + plain[1:])
    actor = row.actor or "The console"
    target = row.target_label or row.target_id
    if action == "export" and row.target_type == "activity":
        return ConsoleEvent(row, "Exported the activity", actor, "exported the activity", "")
    if action == "sign_in_failed":
        return ConsoleEvent(row, title, row.actor or "Somebody", "failed to sign in as", target)
    did, names_target = _DID.get(action, (f"did “{plain}” on" if target else f"did “{plain}”", True))
    if row.result in (Result.REFUSED, Result.FAILED):
        did = f"tried, and it was {row.result}: {did}"
    return ConsoleEvent(row, title, actor, did, target if names_target else "")
