"""Describe what people did in the console, from the audit entries of their actions."""

from dataclasses import dataclass

from mcpbridge.models import AuditEvent, Result

PREFIX = "console."
# Action → what the actor did, before the name of the target; and whether the target is named.
_PREDICATES = {
    "sign_in": ("signed in", False),
    "sign_out": ("signed out", False),
    "token_block": ("blocked the token", True),
    "token_unblock": ("unblocked the token", True),
    "key_rotate": ("rotated the audit log’s signing key to", True),
    "key_recovery": ("announced the audit log’s recovery key", True),
    "key_recover": ("replaced the audit log’s lost signing key, with the recovery key, by", True),
    "key_lost": ("replaced the audit log’s lost signing key:", True),
    "audit_anchor": ("adopted the audit log", True),
    "audit_restore": ("accepted that the audit log was restored:", True),
    "invite": ("invited", True),
    "members_sync": ("synced the members of", True),
    "export": ("exported the audit log", False),
    "evidence_download": ("downloaded evidence of", True),
    "prune": ("exported and removed old entries of the audit log", False),
    "activity_prune": ("removed old entries of the activity log", False),
    "plan_change": ("changed the plan of", True),
    "verify": ("verified the audit log", False),
    "destination_create": ("added the log destination", True),
    "destination_change": ("changed the log destination", True),
    "destination_pause": ("paused the log destination", True),
    "destination_resume": ("resumed the log destination", True),
    "destination_delete": ("deleted the log destination", True),
    "destination_secret": ("rotated the signing secret of the log destination", True),
    "destination_restart": ("resent entries to the log destination", True),
    "destination_test": ("sent a test message to the log destination", True),
    "watch_key_create": ("created the watch key", True),
    "watch_key_rotate": ("rotated the watch key", True),
    "watch_key_revoke": ("revoked the watch key", True),
    "watch_key_cosigner": ("sent its first cosignature with the watch key", True),
    "record_open": ("viewed the contents of", True),
    "invitation_accept": ("accepted the invitation", False),
    "invitation_decline": ("declined the invitation", False),
    "address_lost": ("removed the email address, which another account verified, of", True),
    "sessions_end": ("signed out of all other sessions", False),
    "member_sign_out": ("ended all sessions of", True),
    "access_close": ("removed console access from", True),
    "access_open": ("restored console access for", True),
    "auditor_appoint": ("gave the auditor role to", True),
    "auditor_dismiss": ("removed the auditor role from", True),
    "setting_change": ("changed the setting", True),
    "factor_add": ("added a two-factor method", False),
    "factor_remove": ("removed a two-factor method", False),
    "factor_rename": ("renamed a two-factor method", False),
    "factors_reset": ("reset two-factor authentication for", True),
    "recovery_codes_generate": ("created new recovery codes", False),
    "recovery_code_use": ("used a recovery code", False),
    "openid_link": ("linked an OpenID Connect identity", False),
    "openid_unlink": ("unlinked an OpenID Connect identity", False),
    "openid_connect": ("signed in with OpenID Connect for the first time", False),
    "password_change": ("changed their password", False),
    "password_set": ("set a password", False),
    "password_reset_link": ("created a password reset link for", True),
    "password_reset": ("reset their password", False),
    "freeze": ("paused destructive tools for", True),
    "unfreeze": ("resumed destructive tools for", True),
    "token_mint": ("created the token", True),
    "token_revoke": ("revoked the token", True),
    "token_claim": ("claimed the token", True),
    "token_claim_release": ("released the claim on the token", True),
    "connection_create": ("created the connection", True),
    "connection_change": ("changed the connection", True),
    "connection_remove": ("removed the connection", True),
    "connection_register": ("registered the assistant", True),
    "connection_authorize": ("gave access to the assistant", True),
    "connection_end": ("ended the access of the assistant", True),
    "connection_reuse": ("ended, because a copy of its credentials was used, the access of the assistant", True),
    "rotation_start": ("requested rotation of the token", True),
    "rotation_escalate": ("reported that the token being rotated may have leaked:", True),
    "rotation_assign": ("assigned an owner to the token", True),
    "rotation_mint": ("created the new token that replaces", True),
    "rotation_successor": ("verified the new token that replaces", True),
    "rotation_successor_take_back": ("withdrew the new token that replaces", True),
    "rotation_revoke": ("revoked, as part of its rotation, the token", True),
    "rotation_revoke_said": ("confirmed revoking at Hoursmith the token", True),
    "rotation_revoke_take_back": ("withdrew the confirmed revocation of the token", True),
    "rotation_updated": ("marked all assistants as updated in the rotation of", True),
    "rotation_updated_take_back": ("unmarked all assistants as updated in the rotation of", True),
    "rotation_tick": ("marked an assistant as updated in the rotation of", True),
    "rotation_tick_take_back": ("unmarked an assistant in the rotation of", True),
    "rotation_give_up": ("marked an assistant as no longer used in the rotation of", True),
    "rotation_remind": ("reminded the owner of the rotation of", True),
    "rotation_finish": ("completed the rotation of", True),
    "rotation_abandon": ("cancelled the rotation of", True),
    "rotation_resume": ("resumed the rotation of", True),
    "leak_report": ("reported as leaked:", True),
    "leak_settle": ("closed the leak report about", True),
    "policy_change": ("changed", True),
    "campaign_start": ("started the rotation campaign", True),
    "campaign_remind": ("sent reminders for the rotation campaign", True),
    "campaign_extend": ("changed the due date of the rotation campaign", True),
    "campaign_close": ("closed the rotation campaign", True),
    "restore_start": ("started restoring", True),
    "restore": ("restored", True),
    "restore_resolve": ("checked in Hoursmith the restore of", True),
    "alert_rule_create": ("added the alert rule", True),
    "alert_rule_change": ("changed the alert rule", True),
    "alert_rule_on": ("turned on the alert rule", True),
    "alert_rule_off": ("turned off the alert rule", True),
    "alert_rule_delete": ("deleted the alert rule", True),
    "alert_channel_create": ("added the alert channel", True),
    "alert_channel_change": ("changed the alert channel", True),
    "alert_channel_delete": ("deleted the alert channel", True),
    "alert_test": ("sent a test of the alert rule", True),
    "alert_pause": ("paused all alerts", False),
    "alert_resume": ("resumed all alerts", False),
    "approval.requested": ("requested approval to delete or archive", True),
    "approval.approved": ("approved deleting or archiving", True),
    "approval.refused": ("denied deleting or archiving", True),
    "approval.expired": ("closed the expired approval request for", True),
}
# Titles that are not the predicate.
_TITLES = {"sign_in_failed": "Failed sign-in", "connection_reuse": "Access ended after reuse"}
_UNSUCCESSFUL = {
    Result.REFUSED.value: "made an attempt that was refused",
    Result.FAILED.value: "made an attempt that failed",
    Result.UNKNOWN.value: "made an attempt with an unknown outcome",
}


@dataclass(frozen=True, slots=True)
class EventDescription:
    """One console action in words: a title, and the sentence's actor, predicate and target."""

    row: AuditEvent
    title: str
    actor: str
    predicate: str
    target: str

    @property
    def state(self) -> str:
        """The result of the action."""
        return self.row.result or Result.SUCCEEDED.value

    @property
    def state_label(self) -> str:
        """The result as a label."""
        return str(Result(self.state).label)


def describe_event(row: AuditEvent) -> EventDescription:
    """Describe `row`; an action without words of its own is named by its tag."""
    action = row.tool.removeprefix(PREFIX)
    actor = row.actor or "The console"
    target = row.target_label or row.target_id
    if action == "sign_in_failed":
        return EventDescription(row, _TITLES[action], row.actor or "Someone", "failed to sign in as", target)
    if action == "export" and row.target_type == "activity":
        predicate, names_target = "exported the activity log", False
    else:
        words = action.replace("_", " ").replace(".", " ")
        predicate, names_target = _PREDICATES.get(action, (f"did “{words}”" + (" on" if target else ""), True))
    title = _TITLES.get(action) or (predicate[:1].upper() + predicate[1:]).replace(" the ", " ").removesuffix(":")
    if row.result in _UNSUCCESSFUL:
        predicate = f"{_UNSUCCESSFUL[row.result]}: {predicate}"
    return EventDescription(row, title, actor, predicate, target if names_target else "")
