"""Declare the settings of what is served: Hoursmith, database, keys, process, audit log, activity."""

from hoursmith_console.declarations.kinds import Group, Kind, Setting

SERVICE = (
    Group(
        "Hoursmith",
        (
            Setting(
                "HOURSMITH_API_URL",
                "Run against the hosted service. Unset, the console serves an embedded sandbox workspace.",
                example="https://hoursmith.app/api/v1",
            ),
            Setting(
                "HOURSMITH_TOKENS_URL",
                "The page at Hoursmith where tokens are created and revoked.",
                default="https://hoursmith.app/settings/api",
            ),
            Setting(
                "UPSTREAM_TIMEOUT_S",
                "Seconds to wait for Hoursmith.",
                default="10",
                kind=Kind.NUMBER,
                least=0.1,
                most=300,
            ),
            Setting(
                "IDENTITY_TTL_S",
                "Seconds to remember who a token acts as.",
                default="30",
                kind=Kind.NUMBER,
                least=0,
                most=300,
            ),
            Setting(
                "MEMBERS_SYNC_DAYS",
                "Days after which a comparison of the members with Hoursmith is overdue: until then "
                "members who left keep their pages here.",
                default="7",
                kind=Kind.NUMBER,
                least=0.01,
                most=3650,
            ),
            Setting("SANDBOX", "Serve the sandbox on a public address on purpose.", default="off", kind=Kind.SWITCH),
            Setting("SANDBOX_RATE_LIMITS", "Give the sandbox Hoursmith's rate limits.", default="on", kind=Kind.SWITCH),
        ),
    ),
    Group(
        "Database",
        (
            Setting(
                "DATABASE_URL",
                "PostgreSQL instead of SQLite in VAR_DIR.",
                example="postgres://console:…@127.0.0.1:5432/console",
                is_secret=True,
            ),
            Setting(
                "DATABASE_DIRECT_URL",
                "Behind a pooler in transaction mode (pgbouncer), also the server's own address.",
                example="postgres://console:…@127.0.0.1:5432/console",
                is_secret=True,
            ),
        ),
    ),
    Group(
        "Keys",
        (
            Setting(
                "SECRET_KEY",
                "Signs sessions and links and encrypts stored secrets. Generated in VAR_DIR, but not "
                "for a hosted workspace at a public address.",
                is_secret=True,
            ),
            Setting(
                "SECRET_KEY_FALLBACKS",
                "Former values of SECRET_KEY, separated by commas, that are still accepted.",
                is_secret=True,
            ),
            Setting("AUDIT_SIGNING_KEY", "Signs the audit log. Generated like SECRET_KEY.", is_secret=True),
        ),
    ),
    Group(
        "Address and process",
        (
            Setting(
                "PUBLIC_URL",
                "The address of the console for users and assistants. By default http://127.0.0.1 with PORT.",
                example="https://console.example.com",
            ),
            Setting(
                "ALLOWED_HOSTS",
                "Host names that requests may use. By default loopback and the host of PUBLIC_URL.",
                kind=Kind.LIST,
                example="console.example.com",
            ),
            Setting(
                "TRUSTED_PROXIES",
                "The proxies in front of the console, as networks: their X-Forwarded-For and X-Forwarded-Proto count.",
                kind=Kind.LIST,
                example="10.0.0.0/8",
            ),
            Setting("HOST", "The address to listen on.", default="127.0.0.1"),
            Setting("PORT", "The port to listen on.", default="8000", kind=Kind.WHOLE, least=0, most=65535),
            Setting("WEB_CONCURRENCY", "Worker processes.", default="2", kind=Kind.WHOLE, least=1, most=256),
            Setting(
                "VAR_DIR",
                "The folder for all runtime data. By default var in the data folder.",
                example="/var/lib/hoursmith-console",
            ),
            Setting(
                "DOCS_DIR",
                "The documents that /help/ shows, if they are not beside the program.",
                example="/usr/share/doc/hoursmith-console",
            ),
            Setting(
                "DEBUG",
                "For development only: shows details of errors, and generates missing keys at each start.",
                default="off",
                kind=Kind.SWITCH,
            ),
        ),
    ),
    Group(
        "Audit log",
        (
            Setting(
                "AUDIT_SNAPSHOTS",
                "Keep a snapshot of each record that is deleted or archived.",
                default="on",
                kind=Kind.SWITCH,
            ),
            Setting(
                "AUDIT_WRITE_TIMEOUT_MS",
                "Refuse a destructive call that cannot be logged within this time.",
                default="2000",
                kind=Kind.WHOLE,
                least=10,
                most=60000,
            ),
            Setting(
                "AUDIT_CHECKPOINT_ROWS",
                "Sign a checkpoint after this many entries.",
                default="1000",
                kind=Kind.WHOLE,
                least=1,
                most=1000000,
            ),
            Setting(
                "AUDIT_CHECKPOINT_MINUTES",
                "Sign a checkpoint after this many minutes, with or without entries.",
                default="15",
                kind=Kind.NUMBER,
                least=0.01,
                most=10080,
            ),
            Setting(
                "AUDIT_ANCHOR",
                "Where the last signed head of each log is kept outside the database, so that a log "
                "that was cut or replaced there is never signed: file, witness (of AUDIT_WITNESSES, "
                "for nodes without a disk) or none.",
                default="file",
            ),
            Setting(
                "AUDIT_ANCHOR_DIR",
                "The folder of these files, best on another disk than the database. By default anchors in VAR_DIR.",
                example="/var/lib/hoursmith-console-anchors",
            ),
            Setting(
                "AUDIT_ANCHOR_FLOOR",
                "A checkpoint, as its line of JSON from the server log, below which its log may not fall.",
            ),
            Setting(
                "AUDIT_LOG_NAME",
                "The name under which logs are signed, such as the host of this console; fixed by the "
                "first signature. By default it is made of the id of the first signing key. Required with "
                "AUDIT_ANCHOR=witness.",
                example="audit.example.com",
            ),
            Setting(
                "AUDIT_KEY_FINGERPRINT",
                "The SHA-256 of a former signing key that counts like the configured one, if a release before 0.3.0 "
                "rotated it: 64 hexadecimal digits, as noted before.",
            ),
            Setting(
                "AUDIT_WITNESSES",
                "Servers of other parties that cosign each checkpoint: their verifier keys and "
                "addresses, separated by commas.",
                example="witness.example.com+5b44b157+BAXQ… https://witness.example.com",
            ),
        ),
    ),
    Group(
        "Activity",
        (
            Setting(
                "ACTIVITY_DAYS",
                "Days to keep activity; 0 keeps it forever. On PostgreSQL whole months are removed.",
                default="0",
                kind=Kind.WHOLE,
                least=0,
                most=36500,
            ),
            Setting(
                "ACTIVITY_ARGUMENTS",
                "What is kept of arguments: full, names or none.",
                default="full",
                choices=("full", "names", "none"),
            ),
            Setting(
                "ROTATION_QUIET_HOURS",
                "Hours without attempts after revocation before a rotation completes.",
                default="24",
                kind=Kind.NUMBER,
                least=0,
                most=8760,
            ),
        ),
    ),
)
