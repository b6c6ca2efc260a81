"""Declare the settings of who signs in, what is sent out and who watches."""

from hoursmith_console.declarations.kinds import Group, Kind, Setting

ACCESS = (
    Group(
        "Monitoring",
        (
            Setting(
                "METRICS_TOKEN",
                "Access to /metrics: with this token or, if none is set, by direct requests from METRICS_NETWORKS.",
                is_secret=True,
            ),
            Setting("METRICS_NETWORKS", "See METRICS_TOKEN.", default="127.0.0.0/8,::1", kind=Kind.LIST),
            Setting(
                "LOG_FORMAT",
                "Logs go to standard error, as text lines (line) or JSON objects (json).",
                default="line",
                choices=("line", "json"),
            ),
            Setting(
                "LOG_LEVEL",
                "The least level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
                default="INFO",
                choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
            ),
            Setting(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "Send traces to an OpenTelemetry collector (docs/operating.md, Telemetry, has the other variables).",
                example="http://localhost:4318",
            ),
            Setting(
                "OTEL_EXPORTER_OTLP_HEADERS",
                "Headers for the collector, as name=value, separated by commas.",
                is_secret=True,
            ),
            Setting("OTEL_TRACES_SAMPLER", "How traces are chosen; by default all are sent.", example="traceidratio"),
            Setting("OTEL_TRACES_SAMPLER_ARG", "The share of traces, for traceidratio.", example="0.01"),
        ),
    ),
    Group(
        "Log destinations and webhooks of alerts",
        (
            Setting(
                "LOG_DESTINATION_PRIVATE_NETWORKS",
                "Private networks that they may reach.",
                kind=Kind.LIST,
                example="10.20.0.0/16",
            ),
            Setting(
                "LOG_DESTINATION_TIMEOUT_S",
                "Seconds that one attempt may take.",
                default="10",
                kind=Kind.NUMBER,
                least=0.1,
                most=300,
            ),
            Setting(
                "LOG_DESTINATION_FILES_DIR",
                "The folder for file destinations. By default destinations in VAR_DIR.",
                example="/var/log/hoursmith",
            ),
        ),
    ),
    Group(
        "Sign-in with OpenID Connect",
        (
            Setting(
                "OIDC_ISSUER",
                "The provider. Register the redirect URI <PUBLIC_URL>/accounts/openid/callback/ with it.",
                example="https://login.example.com",
            ),
            Setting("OIDC_CLIENT_ID", "The id that the provider gave to this console."),
            Setting("OIDC_CLIENT_SECRET", "The secret that the provider gave to this console.", is_secret=True),
            Setting("OIDC_NAME", "The provider's name on the button. By default its host.", example="Example"),
        ),
    ),
    Group(
        "Sign-in of assistants (docs/operating.md, Assistants that sign in)",
        (
            Setting(
                "OAUTH",
                "Let assistants sign in. By default on in the sandbox and on loopback if there is a key, else off.",
                kind=Kind.SWITCH,
                example="on",
            ),
            Setting("OAUTH_SEALING_KEY", "Encrypts what assistants hold. Generated like SECRET_KEY.", is_secret=True),
            Setting(
                "OAUTH_SEALING_KEYS_OLD",
                "Former keys, separated by commas, that still open what they encrypted.",
                is_secret=True,
            ),
            Setting(
                "OAUTH_CLIENTS",
                "Which assistants may sign in: known, or any.",
                default="known",
                choices=("known", "any"),
            ),
            Setting(
                "OAUTH_REDIRECTS",
                "Further addresses that answers may go to.",
                kind=Kind.LIST,
                example="https://assistant.example.com/callback",
            ),
            Setting(
                "OAUTH_SIGN_IN",
                "Whether a member must be signed in to the console to allow an assistant: required, "
                "or optional. By default optional in the sandbox and on loopback, else required.",
                example="required",
                choices=("required", "optional"),
            ),
            Setting("OAUTH_ACCESS_HOURS", "Hours for which an access token is valid.", default="12", kind=Kind.NUMBER),
            Setting("OAUTH_GRANT_DAYS", "Days for which a grant lasts at most.", default="90", kind=Kind.NUMBER),
        ),
    ),
    Group(
        "Email",
        (
            Setting(
                "EMAIL_URL",
                "The server for invitations, rotation requests, alerts and password resets. Without "
                "it no email is sent, and an operator runs console_invite instead.",
                example="smtp+tls://console:…@mail.example.com:587",
                is_secret=True,
            ),
            Setting(
                "DEFAULT_FROM_EMAIL",
                "The sender. By default hoursmith-console at the host of PUBLIC_URL.",
                example="console@example.com",
            ),
            Setting(
                "EMAIL_BACKEND",
                "Django's class that sends emails where EMAIL_URL is not set.",
                default="django.core.mail.backends.console.EmailBackend",
            ),
        ),
    ),
    Group(
        "Sessions",
        (
            Setting(
                "SESSION_HOURS", "Hours until a session ends.", default="12", kind=Kind.NUMBER, least=0.01, most=8760
            ),
            Setting(
                "SESSION_IDLE_MINUTES",
                "Minutes without use until a session ends.",
                default="60",
                kind=Kind.NUMBER,
                least=0.1,
                most=525600,
            ),
        ),
    ),
)
