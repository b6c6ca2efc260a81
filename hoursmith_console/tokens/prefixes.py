"""Parse token prefixes from URLs and forms, where a whole token means its prefix or is refused."""

import re

from django.core.exceptions import ValidationError

from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import TokenRef
from mcpbridge.redaction.masking import redact

MOST_TOKENS = 200
_ADDRESS = re.compile(r"(?P<env>live|test)_(?P<prefix>[0-9A-Za-z]{12})", re.ASCII)
_LINE = re.compile(r"hsk_(live|test)_([0-9A-Za-z]{12})(?:_\S*)?")


def ref_from_address(text: str) -> TokenRef | None:
    """Parse `live_4f8a2c1bdedf`; return None if malformed."""
    match = _ADDRESS.fullmatch(text)
    return TokenRef(match["env"], match["prefix"]) if match else None


def prefixes_only(text: str) -> str:
    """Return `text` with each whole token reduced to its prefix, so that a form does not show it again."""
    return "\n".join(_prefix_of(line) for line in text.split())


def lines_of_tokens(keys: list[str]) -> str:
    """Return tokens, each as `env_prefix`, as a form shows them."""
    return "\n".join(f"hsk_{key}" for key in keys)


def tokens_of_lines(viewer: Viewer, text: str) -> list[str]:
    """Return each token as `env_prefix`. Raises ValidationError unless the viewer sees all of them."""
    lines = text.split()
    if len(lines) > MOST_TOKENS:
        raise ValidationError(f"Enter at most {MOST_TOKENS} tokens.")
    found = [_LINE.fullmatch(line) for line in lines]
    keys = {(match[1], match[2]) for match in found if match}
    tokens = visible_tokens(viewer).order_by().filter(prefix__in=[key[1] for key in keys])
    if None in found or keys - set(tokens.values_list("env", "prefix")):
        raise ValidationError("Each line must be the prefix of a token used in this workspace.")
    return sorted("_".join(key) for key in keys)


def _prefix_of(line: str) -> str:
    match = _LINE.fullmatch(line)
    return f"hsk_{match[1]}_{match[2]}" if match else redact(line)
