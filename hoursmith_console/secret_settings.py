"""Read secrets from the environment, from files or from `var/`, and generate those that are missing."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.declarations.reading import Environment
from hoursmith_console.env import is_loopback

GENERATED_SECRETS = ("SECRET_KEY", "AUDIT_SIGNING_KEY", "OAUTH_SEALING_KEY")
# The third is needed only where OAuth is on, which says so itself.
_NEEDED_SECRETS = ("SECRET_KEY", "AUDIT_SIGNING_KEY")
_KEY_COMMAND = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


def read_env_file(path: Path) -> None:
    """Set what `path` sets and the environment does not. Raises ImproperlyConfigured if ENV_FILE cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            environ.Env.read_env(file)
    except OSError as error:
        if os.environ.get("ENV_FILE"):
            raise ImproperlyConfigured(f"ENV_FILE: {path} cannot be read ({error.strerror}).") from None


def secret_path(var: Path, name: str) -> Path:
    """Return the path of the secret that `make run` generated for the setting `name`."""
    return var / name.lower()


def fresh_secret() -> str:
    """Return a new random secret."""
    return secrets.token_urlsafe(48)


def read_optional_secret(env: Environment, name: str) -> str:
    """Return the secret `name` from the environment or the file in `<name>_FILE`; empty if neither is set.

    Raises ImproperlyConfigured if that file cannot be read or is empty.
    """
    if value := env.text(name):
        return value
    path = env.file_of(name)
    if not path:
        return ""
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read ({error.strerror}).") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
    return value


def read_secret_list(env: Environment, name: str) -> list[str]:
    """Return the secrets in `name` or its file, which are separated by commas."""
    return [each.strip() for each in read_optional_secret(env, name).split(",") if each.strip()]


def read_secret(env: Environment, var: Path, name: str, *, default: str = "") -> str:
    """Return the secret `name` from the environment, the file in `<name>_FILE`, `var/`, or else `default`.

    Raises ImproperlyConfigured if all of them are empty.
    """
    if value := read_optional_secret(env, name):
        return value
    generated = secret_path(var, name)
    if generated.exists():
        return generated.read_text(encoding="utf-8").strip()
    if default:
        return default
    raise ImproperlyConfigured(f"{name} is not set. Set {name} or {name}_FILE, or run `make run` once to generate it.")


def _public_host(environ: Mapping[str, str]) -> str:
    return urlsplit(environ.get("PUBLIC_URL", "")).hostname or "localhost"


def create_private_folder(folder: Path) -> None:
    """Create `folder` for its owner only, and take away the access of others where it exists."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    if mode & 0o077 and folder.stat().st_uid == os.geteuid():
        folder.chmod(mode & 0o700)


def make_private(folder: Path) -> None:
    """Take away the access of others to `folder` and everything in it that belongs to this user."""
    for parent, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            make_file_private(Path(parent, name))


def make_file_private(path: Path) -> None:
    """Take away the access of others to `path`, if it exists and belongs to this user; links are not followed."""
    # A running process may remove its own files meanwhile.
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid() and not path.is_symlink():
            path.chmod(found.st_mode & 0o700)


def generate_secrets(var: Path, environ: Mapping[str, str]) -> list[str]:
    """Write secrets that are neither in `environ` nor in `var` into `var`, readable only by the owner (0600).

    Return the names of those written. Raises ImproperlyConfigured instead if the console serves a hosted workspace at
    a public address: a generated key is in no backup, and is lost with the folder.
    """
    create_private_folder(var)
    is_public = bool(environ.get("HOURSMITH_API_URL")) and not is_loopback(_public_host(environ))
    written = []
    for name in GENERATED_SECRETS:
        path = secret_path(var, name)
        if path.exists() or environ.get(name) or environ.get(f"{name}_FILE"):
            continue
        if is_public:
            if name not in _NEEDED_SECRETS:
                continue
            raise ImproperlyConfigured(
                f"{name} is not set. Create it once, keep a copy apart from the database, and set {name}_FILE to its"
                f" path: {_KEY_COMMAND} > PATH"
            )
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(fresh_secret() + "\n", encoding="utf-8")
        try:
            # Atomic, and never replaces a secret that another process wrote.
            os.link(part, path)
        except FileExistsError:
            continue
        finally:
            part.unlink()
        written.append(name)
    return written
