"""The two sentences that the “?” beside a page's title shows, by the name of the page's address.

A new page adds its own here; a test opens every page and fails for one without.
"""

from hoursmith_console.help.connection_texts import CONNECTION_TEXTS
from hoursmith_console.help.page_help import PageHelp

PAGE_TEXTS = {
    "index": PageHelp(
        "What assistants did lately, and what needs your attention. Every card and number leads to its rows.",
        "getting-started#the-overview",
    ),
    "demo:page": PageHelp(
        "Plays two weeks of assistants' work in the sandbox, so that every page has something to show. "
        "It is available while the workspace has no activity.",
        "getting-started",
    ),
    "search": PageHelp(
        "Finds tokens, members, connections, rotations, campaigns and audit entries that you may see. "
        "An id, a whole prefix or a single result opens its page.",
        "search",
    ),
    "tokens:list": PageHelp(
        "Every API token that was used through this console, with its owner and its assistants. "
        "Only prefixes are stored, so no token can be read here.",
        "tokens",
    ),
    "tokens:detail": PageHelp(
        "What one token may do, what it did, and which assistants use it. "
        "Block it to reject its requests here, rotate it to replace it.",
        "tokens#the-page-of-a-token",
    ),
    "tokens:claim": PageHelp(
        "Paste a token once to prove that it is yours. Only its prefix is saved.",
        "tokens#claim-a-token",
    ),
    "tokens:block": PageHelp(
        "A blocked token is rejected here from its next request on. "
        "It still works at Hoursmith until it is revoked there.",
        "tokens#block-rotate-or-revoke",
    ),
    "tokens:bulk_job": PageHelp(
        "What was done for each of the selected tokens, and why not for the others. "
        "It continues when you leave the page.",
        "tokens#many-tokens-at-once",
    ),
    "tokens:unblock": PageHelp(
        "Unblocking lets the token's assistants call again at once. "
        "A block by an Owner or Admin can be removed by Owners and Admins only.",
        "tokens#block-rotate-or-revoke",
    ),
    "audit:list": PageHelp(
        "Every deletion and every action in this console, in a log that shows tampering. "
        "Each deletion is recorded before it is sent and again when Hoursmith has answered.",
        "audit-log",
    ),
    "audit:detail": PageHelp(
        "Who did this, with which token, what happened, and the record as it was before. "
        "Integrity says whether the entry is unchanged since it was written.",
        "audit-log#the-page-of-an-entry",
    ),
    "audit:export": PageHelp(
        "Download the audit log as a file that others can verify without this console. "
        "The export is itself recorded in the audit log.",
        "audit-log#export-and-verify",
    ),
    "audit:evidence": PageHelp(
        "Download this entry with everything that proves it to someone who does not trust this console. "
        "The download is itself recorded in the audit log.",
        "evidence",
    ),
    "audit:list_evidence": PageHelp(
        "Download the listed entries with everything that proves them to someone who does not trust this console. "
        "The download is itself recorded in the audit log.",
        "evidence",
    ),
    "rotations:evidence": PageHelp(
        "Download the audit entries of this rotation with everything that proves them to someone outside. "
        "The download is itself recorded in the audit log.",
        "evidence",
    ),
    "audit:destinations": PageHelp(
        "Systems that receive a copy of the audit log as it grows. "
        "A copy elsewhere shows whether the log here was changed.",
        "audit-log#log-destinations",
    ),
    "audit:destination_new": PageHelp(
        "Send every audit entry to a webhook, a syslog server or a file. "
        "Entries wait while the receiver is down, and tool calls never wait for it.",
        "audit-log#log-destinations",
    ),
    "audit:destination": PageHelp(
        "How far this destination has confirmed the audit log, and its settings. "
        "Failed deliveries are repeated until they succeed.",
        "audit-log#log-destinations",
    ),
    "audit:destination_secret": PageHelp(
        "The secret with which the receiver checks that a request came from this console. It is shown only now.",
        "audit-log#log-destinations",
    ),
    "audit:watchers": PageHelp(
        "Other machines that check from outside that the audit log only grows, and witnesses that confirm it. "
        "They find what this server cannot: an old log that was put back and signed again.",
        "audit-log#watchers-and-witnesses",
    ),
    "audit:watch_key_new": PageHelp(
        "A watch key lets a watcher read the signed tree of the audit log: hashes, but no entry. "
        "It is shown once, and you can rotate or revoke it at any time.",
        "audit-log#watchers-and-witnesses",
    ),
    "audit:watch_key_rotate": PageHelp(
        "The new key of this watcher. It is shown only now, and the old one is refused.",
        "audit-log#watchers-and-witnesses",
    ),
    "restore:new": PageHelp(
        "What comes back of this record, and what does not. Nothing is sent before you confirm.",
        "restore",
    ),
    "activity:list": PageHelp(
        "Every tool call that assistants made with tokens that you may see. "
        "Use filters to narrow it, and save them as a view.",
        "activity",
    ),
    "activity:detail": PageHelp(
        "One tool call: the assistant, the token, what it asked for and what came back. "
        "Arguments are shown to Owners, Admins and Auditors.",
        "activity#one-call",
    ),
    "activity:export": PageHelp(
        "Download the tool calls that match the list's filters. The export is recorded in the audit log.",
        "activity#export",
    ),
    **CONNECTION_TEXTS,
    "rotations:list": PageHelp(
        "Tokens that are being replaced, and those that were. Each rotation continues where its owner left it.",
        "rotation",
    ),
    "rotations:new": PageHelp(
        "Replace a token by a new one, step by step. Choose “leaked” if others may have it: it is then revoked first.",
        "rotation#choose-how",
    ),
    "rotations:detail": PageHelp(
        "The steps of this rotation, and what was observed of each assistant. "
        "It ends when the old token is no longer used.",
        "rotation#update-assistants",
    ),
    "rotations:mint": PageHelp(
        "The new token, shown only now. Store it before you leave this page.",
        "rotation#who-creates-and-who-revokes",
    ),
    "rotations:offboarding": PageHelp(
        "Choose the member who leaves. The next page lists their tokens before anything is revoked.",
        "rotation#when-a-member-leaves",
    ),
    "rotations:offboard": PageHelp(
        "The tokens of this member that may still work, and what is not known. Nothing is revoked until you confirm.",
        "rotation#when-a-member-leaves",
    ),
    "campaigns:list": PageHelp(
        "Requests to rotate many tokens by a date. Owners of the tokens are asked; nothing is revoked for them.",
        "rotation#requesting-many-rotations",
    ),
    "campaigns:new": PageHelp(
        "Choose which tokens must be rotated, and by when. You see who would be asked before it starts.",
        "rotation#requesting-many-rotations",
    ),
    "campaigns:detail": PageHelp(
        "How many tokens of this campaign are done, and who is still missing. "
        "Reminders go to the owners of open ones only.",
        "rotation#requesting-many-rotations",
    ),
    "leaked_tokens:list": PageHelp(
        "Paste any text that may contain tokens: your browser sends only their prefixes. "
        "You see whose they are, and can block and rotate them.",
        "rotation#leaked-tokens",
    ),
    "token_policy:edit": PageHelp(
        "How old and how idle a token may become. Tokens beyond it are marked in lists, and their owners are warned.",
        "rotation#requesting-many-rotations",
    ),
    "approvals:list": PageHelp(
        "Calls that wait for a decision, and those that were decided. An approval allows one call, once.",
        "approvals",
    ),
    "approvals:detail": PageHelp(
        "What the assistant wants to delete or archive, and the record as it is now. "
        "Without a decision the call is denied.",
        "approvals#decide-on-a-request",
    ),
    "approvals:policy": PageHelp(
        "Which calls need approval, and who gives it. A change applies to the next call.",
        "approvals#set-up-approvals",
    ),
    "alerts:list": PageHelp(
        "Rules that send an email or a chat message when something happens, and the channels that they use. "
        "Tool calls never wait for an alert.",
        "alerts",
    ),
    "alerts:rule": PageHelp(
        "What this rule is about, where it sends, and what it sent. Send a test to see whether it arrives.",
        "alerts#rules",
    ),
    "alerts:rule_new": PageHelp(
        "Choose what to be alerted of, where, and when. A rule needs a channel to send to.",
        "alerts#rules",
    ),
    "alerts:rule_edit": PageHelp(
        "What this rule is limited to, where it sends, and when. Changes are recorded in the audit log.",
        "alerts#when-alerts-are-sent",
    ),
    "alerts:channel_new": PageHelp(
        "Where alerts go: email addresses, or the webhook of a chat. The address of a webhook is not shown again.",
        "alerts#channels",
    ),
    "alerts:channel": PageHelp(
        "Where alerts of this channel go. It can be deleted when no rule uses it.",
        "alerts#channels",
    ),
    "alerts:deliveries": PageHelp(
        "Every alert that was sent, and how it ended. Failed deliveries are repeated.",
        "alerts#deliveries",
    ),
    "members:list": PageHelp(
        "The members of the workspace, their roles, and whether they can sign in here. Roles come from Hoursmith.",
        "members",
    ),
    "members:detail": PageHelp(
        "One member's access, tokens, connections and sessions. Removing access here leaves their tokens as they are.",
        "members#remove-access",
    ),
    "members:invite": PageHelp(
        "Invite a member of the workspace to this console. The link works once, for three days.",
        "members#invite-a-member",
    ),
    "settings:list": PageHelp(
        "Rules for the whole workspace: pause destructive tools, snapshots, two-factor authentication, retention. "
        "Each change is recorded in the audit log.",
        "settings",
    ),
    "help:list": PageHelp(
        "The documents of this console, searchable and served from here. Nothing is loaded from elsewhere.",
        "getting-started",
    ),
    "help:page": PageHelp(
        "One document of this console. Links lead to other pages of the help.",
        "getting-started",
    ),
}
