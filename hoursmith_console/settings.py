"""Settings of the console and the bridge, read from the environment as `hoursmith_console/declarations/` says."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ

from hoursmith_console import env as configuration
from hoursmith_console import secret_settings
from hoursmith_console.declarations.reading import Environment
from hoursmith_console.middleware import security_headers
from hoursmith_console.oauth import settings as oauth
from hoursmith_console.paths import FILES_DIR, data_dir, env_file, manage_command
from hoursmith_console.sign_in.oidc.settings import oidc_provider, read_oidc
from hoursmith_console.sign_in.settings import ACCOUNT_FORMS, MFA_FORMS  # noqa: F401 – settings of django-allauth
from mcpbridge.audit.witnesses.config import check_witnesses
from mcpbridge.observability.logs import logging_settings
from mcpbridge.observability.telemetry.config import wants_traces

BASE_DIR = data_dir()

secret_settings.read_env_file(env_file())
env = Environment(os.environ)

# settings from the environment

VAR_DIR = Path(env.text("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
MANAGE_COMMAND = manage_command()
secret_settings.create_private_folder(VAR_DIR)

DEBUG = env.switch("DEBUG")
HOST = env.text("HOST")
PORT = env.whole("PORT")
PUBLIC_URL = env.text("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
WEB_CONCURRENCY = env.whole("WEB_CONCURRENCY")
TRUSTED_PROXIES = configuration.check_networks("TRUSTED_PROXIES", env.several("TRUSTED_PROXIES"))

if DEBUG:
    # Also stored with DEBUG on, so that earlier signatures stay verifiable.
    secret_settings.generate_secrets(VAR_DIR, os.environ)
SECRET_KEY = secret_settings.read_secret(env, VAR_DIR, "SECRET_KEY")
SECRET_KEY_FALLBACKS = secret_settings.read_secret_list(env, "SECRET_KEY_FALLBACKS")
AUDIT_SIGNING_KEY = secret_settings.read_secret(env, VAR_DIR, "AUDIT_SIGNING_KEY")

if HOURSMITH_API_URL := env.text("HOURSMITH_API_URL"):
    HOURSMITH_API_URL = configuration.check_upstream_url(HOURSMITH_API_URL)
SANDBOX_MODE = not HOURSMITH_API_URL
configuration.check_sandbox_is_meant(
    upstream_url=HOURSMITH_API_URL, debug=DEBUG, public_url=PUBLIC_URL, sandbox=env.switch("SANDBOX")
)
HOURSMITH_TOKENS_URL = env.text("HOURSMITH_TOKENS_URL")
SANDBOX_RATE_LIMITS = env.switch("SANDBOX_RATE_LIMITS")

AUDIT_SNAPSHOTS = env.switch("AUDIT_SNAPSHOTS")
AUDIT_WRITE_TIMEOUT_MS = env.whole("AUDIT_WRITE_TIMEOUT_MS")
AUDIT_CHECKPOINT_ROWS = env.whole("AUDIT_CHECKPOINT_ROWS")
AUDIT_CHECKPOINT_MINUTES = env.number("AUDIT_CHECKPOINT_MINUTES")
AUDIT_WITNESSES = check_witnesses(env.text("AUDIT_WITNESSES"))
AUDIT_LOG_NAME = configuration.check_log_name(env.text("AUDIT_LOG_NAME"))
AUDIT_KEY_FINGERPRINT = configuration.check_fingerprint(env.text("AUDIT_KEY_FINGERPRINT"))
AUDIT_ANCHOR = configuration.check_anchor(env.text("AUDIT_ANCHOR"), witnesses=AUDIT_WITNESSES, log_name=AUDIT_LOG_NAME)
AUDIT_ANCHOR_DIR = env.text("AUDIT_ANCHOR_DIR")
AUDIT_ANCHOR_FLOOR = configuration.check_anchor_floor(env.text("AUDIT_ANCHOR_FLOOR"))
LOG_DESTINATION_PRIVATE_NETWORKS = configuration.check_networks(
    "LOG_DESTINATION_PRIVATE_NETWORKS", env.several("LOG_DESTINATION_PRIVATE_NETWORKS")
)
LOG_DESTINATION_TIMEOUT_S = env.number("LOG_DESTINATION_TIMEOUT_S")
LOG_DESTINATION_FILES_DIR = Path(env.text("LOG_DESTINATION_FILES_DIR", default=str(VAR_DIR / "destinations"))).resolve()
ACTIVITY_DAYS = env.whole("ACTIVITY_DAYS")
ACTIVITY_ARGUMENTS = env.text("ACTIVITY_ARGUMENTS")
UPSTREAM_TIMEOUT_S = env.number("UPSTREAM_TIMEOUT_S")
IDENTITY_TTL_S = env.number("IDENTITY_TTL_S")
MEMBERS_SYNC_DAYS = env.number("MEMBERS_SYNC_DAYS")
METRICS_TOKEN = secret_settings.read_optional_secret(env, "METRICS_TOKEN")
METRICS_NETWORKS = env.several("METRICS_NETWORKS")
# Traces to a collector, by OpenTelemetry's own variables.
if _collector_headers := secret_settings.read_optional_secret(env, "OTEL_EXPORTER_OTLP_HEADERS"):
    os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = _collector_headers
TRACES = wants_traces(os.environ)
DOCS_DIR = configuration.check_folder("DOCS_DIR", env.text("DOCS_DIR", default=str(FILES_DIR / "docs")))
ROTATION_QUIET_HOURS = env.number("ROTATION_QUIET_HOURS")
# For the conformance tests, which serve their fixtures through the same path.
MCP_CATALOGUE = "mcpbridge.protocol.server.HoursmithTools"

# Sign-in of assistants (OAuth).
_oauth = oauth.read_settings(env, VAR_DIR, public_url=PUBLIC_URL, is_sandbox=SANDBOX_MODE)
OAUTH: bool = _oauth.is_on
OAUTH_SEALING_KEY: str = _oauth.sealing_key
OAUTH_SEALING_KEYS_OLD: list[str] = _oauth.old_keys
OAUTH_CLIENTS: str = _oauth.clients
OAUTH_REDIRECTS: list[str] = _oauth.redirects
OAUTH_SIGN_IN: str = _oauth.sign_in
OAUTH_ACCESS_HOURS: float = _oauth.access_hours
OAUTH_GRANT_DAYS: float = _oauth.grant_days

# Django

_public = urlsplit(PUBLIC_URL)
_HOSTS = ["localhost", "127.0.0.1", "[::1]", _public.hostname or "localhost"]
ALLOWED_HOSTS = env.several("ALLOWED_HOSTS", default=_HOSTS)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "mcpbridge",
    "hoursmith_console.accounts",
    "hoursmith_console.workspaces",
    "hoursmith_console.sign_in",
    "hoursmith_console.tokens",
    "hoursmith_console.connections",
    "hoursmith_console.authorizing",
    "hoursmith_console.core",
    "hoursmith_console.core.saved_views",
    "hoursmith_console.help",
    "hoursmith_console.campaigns",
    "hoursmith_console.leaked_tokens",
    "hoursmith_console.restore",
    "hoursmith_console.token_policy",
    "hoursmith_console.rotations",
    "hoursmith_console.activity",
    "hoursmith_console.audit",
    "hoursmith_console.overview",
    "hoursmith_console.search",
    "hoursmith_console.token_inventory",
    "hoursmith_console.members",
    "hoursmith_console.workspace_settings",
    "hoursmith_console.alerts",
    "hoursmith_console.approvals",
    "hoursmith_console.sandbox",
    "hoursmith_console.demo",
]

MIDDLEWARE = [
    "hoursmith_console.middleware.request_id.RequestIdMiddleware",
    "hoursmith_console.middleware.security_headers.SecurityHeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "hoursmith_console.middleware.pasted_tokens.PastedTokens",
    "django.middleware.security.SecurityMiddleware",
    "hoursmith_console.middleware.static.StaticFilesMiddleware",
    "hoursmith_console.middleware.tracing.PageSpansMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "hoursmith_console.accounts.middleware.SessionLimits",
    "hoursmith_console.middleware.viewer.ViewerMiddleware",
    "hoursmith_console.middleware.time_zone.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "hoursmith_console.middleware.unavailable.Unavailable",
    "allauth.account.middleware.AccountMiddleware",
    "hoursmith_console.accounts.reauthentication.Reauthentication",
]

ROOT_URLCONF = "hoursmith_console.urls"
ASGI_APPLICATION = "hoursmith_console.asgi.application"

_LOADERS = [
    "django.template.loaders.filesystem.Loader",
    "hoursmith_console.accounts.library_texts.WithoutLibraryTemplates",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FILES_DIR / "templates"],
        "OPTIONS": {
            "loaders": [("django.template.loaders.cached.Loader", _LOADERS)],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "hoursmith_console.core.context_processors.console",
            ],
        },
    },
]

DATABASE_DIRECT_URL = secret_settings.read_optional_secret(env, "DATABASE_DIRECT_URL")
DATABASES = configuration.databases(
    secret_settings.read_secret(env, VAR_DIR, "DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'console.sqlite3'}"),
    direct_url=DATABASE_DIRECT_URL,
)
DATABASE_ROUTERS = ["hoursmith_console.sandbox.router.SandboxRouter"] if "sandbox" in DATABASES else []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N, USE_TZ = False, True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [FILES_DIR / "static"]
# No other origin needs our static files.
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "hoursmith_console.middleware.static.StaticFilesStorage"},
}

# sign-in

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# docs/security.md documents the decision for each view and setting of allauth.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = ACCOUNT_EMAIL_NOTIFICATIONS = ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
# Usernames are random, so accounts are shown by their address.
ACCOUNT_USER_DISPLAY = "hoursmith_console.accounts.addresses.display_name"
ACCOUNT_ADAPTER = "hoursmith_console.sign_in.allauth_adapter.AccountAdapter"
ACCOUNT_SESSION_REMEMBER = False
# Seconds for which a sign-in or re-authentication counts as recent.
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"reset_password": "20/m/ip,5/h/key"}
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "hoursmith_console.sign_in.resets.ResetTokenGenerator"  # noqa: S105 – a class
MFA_ADAPTER = "hoursmith_console.sign_in.mfa.adapter.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TRUST_ENABLED = False
# Also accept the previous and the next code, for clocks that differ.
MFA_TOTP_TOLERANCE = 1
# Otherwise accounts without a verified address could not set up two-factor authentication when required.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Browsers refuse passkeys over http except on localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = configuration.is_loopback(_public.hostname)
OIDC = read_oidc(env, VAR_DIR)
SOCIALACCOUNT_ADAPTER = "hoursmith_console.sign_in.oidc.provider.OidcAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_LOGIN_ON_GET = SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = oidc_provider(OIDC)
# Rate limits count for all workers and nodes together.
CACHES = {
    "default": {
        "BACKEND": "hoursmith_console.backends.counting_cache.CountingCache",
        "LOCATION": "console_shared_counts",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
EMAIL_BACKEND = env.text("EMAIL_BACKEND")
if _mail_server := secret_settings.read_optional_secret(env, "EMAIL_URL"):
    vars().update(environ.Env.email_url_config(_mail_server))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default=f"hoursmith-console@{_public.hostname or 'localhost'}")
EMAIL_TIMEOUT = 10

# browser security

CONTENT_SECURITY_POLICY = security_headers.CONTENT_SECURITY_POLICY
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
# No cookie of their own, in which messages could be read and forged before they are shown.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
KNOWN_BROWSER_COOKIE_NAME = "__Host-known-browser" if _https else "known-browser"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "hoursmith_console.backends.session_store"
SESSION_SERIALIZER = "hoursmith_console.accounts.library_tables.SessionSerializer"
SESSION_COOKIE_AGE = int(3600 * env.number("SESSION_HOURS"))
SESSION_IDLE_SECONDS = 60 * env.number("SESSION_IDLE_MINUTES")
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
# The request's scheme is set by `mcpbridge.http.forwarding`, never by a header.
SECURE_PROXY_SSL_HEADER = None

# logs: to stderr, with anything shaped like a token masked

DEFAULT_EXCEPTION_REPORTER = "hoursmith_console.ops.error_reports.MaskedReporter"
LOG_FORMAT = env.text("LOG_FORMAT")
LOGGING = logging_settings(LOG_FORMAT, env.text("LOG_LEVEL"))
