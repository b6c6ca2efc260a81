"""Members of an entry that evidence can leave out, in words."""

LEFT_OUT = "[left out]"
# Member → what it is called on pages.
MEMBERS = {
    "actor": "Names of users",
    "token_name": "Names of tokens",
    "target_label": "Names of records",
    "address": "IP addresses",
    "arguments": "Arguments of calls",
    "snapshot": "Snapshots of records",
    "note": "Notes",
}
