"""Read and check settings from the environment; each error is one sentence that names the setting.

Separate from `settings`, so that each check can be tested without loading Django again.
"""

import ipaddress
import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin

# Close dead database connections after about ten seconds instead of 15 minutes (libpq parameters; seconds, the last in
# milliseconds). Parameters in DATABASE_URL take precedence.
_CONNECTION_TIMEOUTS = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def is_loopback(host: str | None) -> bool:
    """Return whether `host` is `localhost`, a subdomain of it, or a loopback address."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(host: str | None) -> bool:
    """Return whether `host` is an IP address."""
    try:
        return bool(ipaddress.ip_address((host or "").strip("[]")))
    except ValueError:
        return False


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`. Raises ImproperlyConfigured otherwise."""
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; use {' or '.join(choices)}.")
    return value


def check_anchor(value: str, *, witnesses: str, log_name: str) -> str:
    """Return `value`, where audit anchors are kept. Raises ImproperlyConfigured.

    A witness is asked for a log by its name, which must not come from the database that is being judged.
    """
    if value == "witness" and not witnesses.strip():
        raise ImproperlyConfigured("AUDIT_ANCHOR is 'witness', but AUDIT_WITNESSES names none.")
    if value == "witness" and not log_name.strip():
        raise ImproperlyConfigured(
            "AUDIT_ANCHOR is 'witness', but AUDIT_LOG_NAME is not set. If logs were signed before, it is what stands"
            " before the workspace in the first line of their checkpoints."
        )
    return check_choice("AUDIT_ANCHOR", value, ("file", "witness", "none"))


def check_log_name(name: str) -> str:
    """Return `name`, empty or the name under which audit logs are signed. Raises ImproperlyConfigured."""
    try:
        Origin(name or "x", "w" * 64)
    except FormatError as error:
        raise ImproperlyConfigured(
            f"AUDIT_LOG_NAME: {error}. Use a name such as audit.example.com, of letters, digits and . - _ ~ : / that"
            " begins with a letter or digit."
        ) from None
    return name


def check_fingerprint(text: str) -> str:
    """Return `text`, empty or the SHA-256 of a signing key, as hexadecimal digits. Raises ImproperlyConfigured."""
    digits = "".join(text.split()).replace(":", "").lower()
    if digits and not re.fullmatch("[0-9a-f]{64}", digits):
        raise ImproperlyConfigured(
            "AUDIT_KEY_FINGERPRINT is not the whole SHA-256 of a public key: use its 64 hexadecimal digits."
        )
    return digits


def check_anchor_floor(text: str) -> str:
    """Return `text`, empty or a checkpoint as one line of JSON. Raises ImproperlyConfigured."""
    try:
        said = [json.loads(line) for line in text.splitlines() if line.strip()]
        kinds = [each["type"] for each in said if each["workspace"] and each["hash"] and each["signature"]]
    except (ValueError, KeyError, TypeError):
        said, kinds = [""], []
    if any(kind != "checkpoint" for kind in kinds) or len(kinds) != len(said):
        raise ImproperlyConfigured("AUDIT_ANCHOR_FLOOR is not a checkpoint; use its line from the server's log.")
    return text


def check_folder(name: str, path: str) -> Path:
    """Return the folder at `path`, from the setting `name`."""
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise ImproperlyConfigured(f"{name}: {folder} is not a folder.")
    return folder


def check_upstream_url(url: str) -> str:
    """Return `url` without a trailing slash if it is https or loopback. Raises ImproperlyConfigured otherwise."""
    # URL parsers disagree about these characters, and so about the host that receives tokens.
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\%<>\"'`{}|^"):
        raise ImproperlyConfigured("HOURSMITH_API_URL contains characters that are not allowed in a URL.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ImproperlyConfigured("HOURSMITH_API_URL has an invalid host or port.") from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise ImproperlyConfigured(f"HOURSMITH_API_URL is {_without_user(url)!r}; it must be an https:// URL.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ImproperlyConfigured("HOURSMITH_API_URL must not contain a user name, query or fragment.")
    if parts.scheme != "https" and not is_loopback(host):
        raise ImproperlyConfigured(
            f"HOURSMITH_API_URL is {url!r}; tokens are sent only over https:// (or http:// to loopback addresses)."
        )
    return url.rstrip("/")


def _without_user(url: str) -> str:
    """Return `url` without user name and password."""
    return url.rpartition("@")[2]


def check_networks(name: str, texts: list[str]) -> list[str]:
    """Return `texts` if each is an IP network or address. Raises ImproperlyConfigured naming the first that is not."""
    for text in texts:
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            raise ImproperlyConfigured(f"{name} contains {text!r}; use networks such as 10.0.0.0/8.") from None
    return texts


def check_sandbox_is_meant(*, upstream_url: str, debug: bool, public_url: str, sandbox: bool) -> None:
    """Raise ImproperlyConfigured if the sandbox would be public by accident."""
    if not upstream_url and not debug and not sandbox and not is_loopback(urlsplit(public_url).hostname):
        raise ImproperlyConfigured(
            f"PUBLIC_URL is {public_url}, but HOURSMITH_API_URL is unset: this would serve the sandbox publicly. "
            "Set HOURSMITH_API_URL, or SANDBOX=on to allow it."
        )


def sqlite_options(*, durable: bool) -> dict[str, object]:
    """Return connection options for SQLite: WAL, and writers that wait instead of failing.

    `durable` sets synchronous=FULL: in WAL mode, NORMAL can lose the last commits on power loss, including the intents
    of destructive calls.
    """
    synchronous = "FULL" if durable else "NORMAL"
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            # 2 MB for each connection: more, or a mapped file, makes a worker grow and nothing quicker.
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA cache_size=-2000; "
            "PRAGMA journal_size_limit=27103364"
        ),
    }


def databases(url: str, *, direct_url: str = "") -> dict[str, dict[str, object]]:
    """Return Django's DATABASES for `url`, which is a pooler in transaction mode if `direct_url` is set.

    With SQLite the sandbox has its own file: it stands for an external service, so a lock on the console's database
    must not block it.
    """
    default = environ.Env.db_url_config(url)
    if default["ENGINE"] == "django.db.backends.sqlite3":
        if direct_url:
            raise ImproperlyConfigured("DATABASE_DIRECT_URL is set, but DATABASE_URL is not a PostgreSQL URL.")
        default["OPTIONS"] = sqlite_options(durable=True)
        name = str(default["NAME"])
        if name == ":memory:":
            raise ImproperlyConfigured("DATABASE_URL must name a file: each worker has its own connection.")
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        sandbox = {
            "ENGINE": default["ENGINE"],
            "NAME": str(path.with_name(f"{path.stem}-sandbox{path.suffix}")),
            "OPTIONS": sqlite_options(durable=False),
        }
        return {"default": default, "sandbox": sandbox}
    if direct_url and environ.Env.db_url_config(direct_url)["ENGINE"] != default["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_DIRECT_URL must be the postgres:// URL of the server behind DATABASE_URL.")
    # Server-side cursors outlive a transaction, but such a pooler assigns connections per transaction.
    default["DISABLE_SERVER_SIDE_CURSORS"] = bool(direct_url)
    default["ENGINE"] = "hoursmith_console.backends.postgresql"
    # Under ASGI each request has its own thread: without a pool each would open a connection and leave it open.
    # While the database is unavailable the pool retries with growing pauses up to reconnect_timeout; a short one makes
    # it start over soon. The backend itself checks whether a pooled connection is alive.
    pool = {"min_size": 1, "max_size": 8, "timeout": 10, "reconnect_timeout": 2}
    default["OPTIONS"] = _CONNECTION_TIMEOUTS | default.get("OPTIONS", {}) | {"pool": pool}
    return {"default": default}
