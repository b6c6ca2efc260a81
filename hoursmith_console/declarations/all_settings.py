"""Collect the settings that the environment may have, and write `.env.example` of them."""

import textwrap

from hoursmith_console.declarations.access import ACCESS
from hoursmith_console.declarations.kinds import Setting
from hoursmith_console.declarations.service import SERVICE

_WIDTH = 118
_HEAD = """\
# Made of hoursmith_console/declarations/ by `make settings`. Copy to .env, or to the file that ENV_FILE names, and
# uncomment what you change; the values shown are the defaults, or else examples. Nothing here is needed to try the
# console. What the environment sets takes precedence.
"""
GROUPS = (*SERVICE, *ACCESS)
DECLARED = {setting.name: setting for group in GROUPS for setting in group.settings}
# What commands and the start read beside settings: it belongs to one run, or says where the settings are.
OF_ONE_RUN = {
    "ENV_FILE": "the file of settings",
    "XDG_DATA_HOME": "where the data folder of an installed console is",
    "DJANGO_SETTINGS_MODULE": "Django's own",
    "HOURSMITH_API_TOKEN": "the token of mcp_stdio and members_sync",
    "HOURSMITH_API_TOKEN_FILE": "a file with that token, for members_sync on a schedule",
    "HOURSMITH_CONNECTION": "the connection of mcp_stdio",
    "AUDIT_SIGNING_KEY_NEW": "the next key, for audit_keygen",
    "AUDIT_RECOVERY_KEY": "the recovery key, for audit_keygen",
}


def example_file() -> str:
    """Return the text of `.env.example`: every setting with what it does, commented out."""
    parts = [_HEAD]
    for group in GROUPS:
        parts.append(f"# --- {group.title}\n")
        parts += [_example(setting) for setting in group.settings]
    return "\n".join(parts)


def _example(setting: Setting) -> str:
    about = f"{setting.about} Or {setting.name}_FILE: a file with it." if setting.is_secret else setting.about
    lines = textwrap.wrap(about, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return "\n".join([*lines, f"# {setting.name}={setting.default or setting.example}", ""])
