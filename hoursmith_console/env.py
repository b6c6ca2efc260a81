"""Reads settings from the environment and says in one sentence what is wrong with them.

Kept apart from `settings` so that each rule can be tested without loading Django twice.
"""

import ipaddress
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

GENERATED_SECRETS = ("SECRET_KEY", "AUDIT_SIGNING_KEY")
# A network that swallows everything without a word ends a connection in about ten seconds, not in a quarter of an hour
# (libpq; seconds, but for the last, which is milliseconds). What DATABASE_URL says comes first.
_LINE_IS_CUT = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def is_loopback(host: str | None) -> bool:
    """True for `localhost`, its subdomains and addresses that never leave the machine."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_address(host: str | None) -> bool:
    """True for a bare IP address."""
    try:
        return bool(ipaddress.ip_address((host or "").strip("[]")))
    except ValueError:
        return False


def secret_path(var: Path, name: str) -> Path:
    """Where `make run` keeps the secret it generated for the setting `name`."""
    return var / name.lower()


def fresh_secret() -> str:
    """A secret that nobody has seen yet."""
    return secrets.token_urlsafe(48)


def read_optional_secret(env: environ.Env, name: str) -> str:
    """The secret `name` from the environment or the file in `<name>_FILE`; empty where neither is given.

    Raises ImproperlyConfigured where that file cannot be read or is empty.
    """
    if value := str(env.str(name, default="")):
        return value
    path = env.str(f"{name}_FILE", default="")
    if not path:
        return ""
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE names {path}, which is empty.")
    return value


def read_secret(env: environ.Env, var: Path, name: str, *, default: str = "") -> str:
    """The secret `name` from the environment, the file in `<name>_FILE`, `var/`, or else `default`.

    Raises ImproperlyConfigured where all of them are empty.
    """
    if value := read_optional_secret(env, name):
        return value
    generated = secret_path(var, name)
    if generated.exists():
        return generated.read_text(encoding="utf-8").strip()
    if default:
        return default
    raise ImproperlyConfigured(
        f"{name} is not set. Give it in the environment or as {name}_FILE, or run `make run` once, which makes one."
    )


def generate_secrets(var: Path) -> list[str]:
    """Write the missing secrets into `var`, readable by the owner alone; the names of those written."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for name in GENERATED_SECRETS:
        path = secret_path(var, name)
        if path.exists():
            continue
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(fresh_secret() + "\n", encoding="utf-8")
        try:
            # Whole or not at all, and never in the place of another process's.
            os.link(part, path)
        except FileExistsError:
            continue
        finally:
            part.unlink()
        written.append(name)
    return written


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """`value`, where it is one of `choices`; raises ImproperlyConfigured naming them otherwise."""
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it can be {' or '.join(choices)}.")
    return value


def check_count(name: str, value: int) -> int:
    """`value`, where it is no less than nothing; raises ImproperlyConfigured otherwise."""
    if value < 0:
        raise ImproperlyConfigured(f"{name} is {value}; it can be 0 or more.")
    return value


def check_upstream_url(url: str) -> str:
    """`url` without a trailing slash, where it is https or loopback; raises ImproperlyConfigured otherwise."""
    # Parsers disagree about these, and then about whose host it is that tokens go to.
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in " \\%<>\"'`{}|^"):
        raise ImproperlyConfigured("HOURSMITH_API_URL has signs in it that no address of a server has.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ImproperlyConfigured("HOURSMITH_API_URL cannot be read; its host or its port is wrong.") from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise ImproperlyConfigured(f"HOURSMITH_API_URL is {_without_user(url)!r}; it must be an https:// address.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ImproperlyConfigured("HOURSMITH_API_URL must be a plain address, without user, query or fragment.")
    if parts.scheme != "https" and not is_loopback(host):
        raise ImproperlyConfigured(
            f"HOURSMITH_API_URL is {url!r}; tokens travel only over https:// (http:// is for loopback alone)."
        )
    return url.rstrip("/")


def _without_user(url: str) -> str:
    """`url` without what may be a password in it."""
    return url.rpartition("@")[2]


def check_networks(name: str, texts: list[str]) -> list[str]:
    """`texts` where each is a network or an address; raises ImproperlyConfigured naming the one that is not."""
    for text in texts:
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            raise ImproperlyConfigured(f"{name} has {text!r}, which is no network such as 10.0.0.0/8.") from None
    return texts


def check_sandbox_is_meant(*, upstream_url: str, debug: bool, public_url: str, sandbox: bool) -> None:
    """Refuse to serve the sandbox to the public by accident."""
    if not upstream_url and not debug and not sandbox and not is_loopback(urlsplit(public_url).hostname):
        raise ImproperlyConfigured(
            f"PUBLIC_URL is {public_url}, but HOURSMITH_API_URL is unset: this would serve the sandbox workspace. "
            "Set HOURSMITH_API_URL, or SANDBOX=on if that is meant."
        )


def read_oidc(env: environ.Env, var: Path) -> dict[str, str]:
    """How people sign in with OpenID Connect: issuer, client_id, secret, name; empty where nothing is set.

    Raises ImproperlyConfigured where something is missing, or would send secrets in the clear.
    """
    issuer, client = env.str("OIDC_ISSUER", default=""), env.str("OIDC_CLIENT_ID", default="")
    # A blank stands for none, which is no fault here.
    secret = read_secret(env, var, "OIDC_CLIENT_SECRET", default=" ").strip()
    given = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": client, "OIDC_CLIENT_SECRET": secret}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        return {}
    if missing:
        there = " and ".join(name for name in given if name not in missing)
        lacking = " and ".join(missing)
        raise ImproperlyConfigured(f"{there} is set, but not {lacking}: OpenID Connect needs all three.")
    parts = urlsplit(issuer)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"OIDC_ISSUER is {issuer!r}; it must be the issuer's plain https:// address.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ImproperlyConfigured(f"OIDC_ISSUER is {issuer!r}; it must be https:// (http:// is for loopback alone).")
    name = env.str("OIDC_NAME", default=parts.hostname)
    return {"issuer": issuer.rstrip("/"), "client_id": client, "secret": secret, "name": name}


def oidc_provider(oidc: dict[str, str]) -> dict[str, object]:
    """What allauth is to know of the provider in `oidc`; no provider where that is empty."""
    app = {
        "provider_id": "oidc",
        "name": oidc.get("name"),
        "client_id": oidc.get("client_id"),
        "secret": oidc.get("secret"),
        "settings": {"server_url": oidc.get("issuer")},
    }
    return {"openid_connect": {"APPS": [app] if oidc else [], "OAUTH_PKCE_ENABLED": True}}


def sqlite_options(*, durable: bool) -> dict[str, object]:
    """Connection options for SQLite: WAL, writers queue instead of failing.

    `durable` adds synchronous=FULL: in WAL mode NORMAL can lose the last commits on power loss,
    so it would be no write-ahead record.
    """
    synchronous = "FULL" if durable else "NORMAL"
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA cache_size=-16000; "
            "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=27103364"
        ),
    }


def databases(url: str, *, direct_url: str = "") -> dict[str, dict[str, object]]:
    """Django's DATABASES for `url`, which leads to a pooler in transaction mode where there is a `direct_url` besides.

    With SQLite the sandbox workspace has a file of its own beside the console's: it stands for somebody
    else's service, so a lock on our records must not stop it.
    """
    default = environ.Env.db_url_config(url)
    if default["ENGINE"] == "django.db.backends.sqlite3":
        if direct_url:
            raise ImproperlyConfigured("DATABASE_DIRECT_URL is set, but DATABASE_URL does not lead to PostgreSQL.")
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
        raise ImproperlyConfigured("DATABASE_DIRECT_URL must be the postgres:// address of DATABASE_URL's own server.")
    # They outlive a transaction, for which alone such a pooler gives out a connection.
    default["DISABLE_SERVER_SIDE_CURSORS"] = bool(direct_url)
    default["ENGINE"] = "hoursmith_console.backends.postgresql"
    # Under ASGI each request has its own thread: without a pool each would open a connection and leave it behind.
    # While the database is away the pool tries less and less often, for as long as it is told: soon given up is soon
    # begun again. The backend itself looks whether a pooled connection is alive.
    pool = {"min_size": 1, "max_size": 8, "timeout": 10, "reconnect_timeout": 2}
    default["OPTIONS"] = _LINE_IS_CUT | default.get("OPTIONS", {}) | {"pool": pool}
    return {"default": default}
