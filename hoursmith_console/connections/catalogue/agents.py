"""More assistants: Qwen Code, Continue, Droid, Auggie, Amp and Crush.

Sources, read in November 2026: Qwen Code’s docs/users/features/mcp.md; Continue’s docs/customize/deep-dives/mcp.mdx
and its config-yaml schemas; Crush’s README and internal/config; docs.factory.ai/harness/mcp; docs.augmentcode.com/cli;
ampcode.com/docs/customize/mcp. Where sources disagree, the entry says so.
"""

from hoursmith_console.connections.catalogue.mcp_client import (
    SERVER,
    SLOT,
    VARIABLE,
    Client,
    Config,
    Family,
    Secret,
    Target,
    bearer,
    own_file,
    project_file,
)

_BRACED = f"${{{VARIABLE}}}"
_CONTINUE_SECRET = f"${{{{ secrets.{VARIABLE} }}}}"
_UNSET_TROUBLE = f"It must be started where {VARIABLE} is set: open a new terminal after setting it."


def _qwen(target: Target) -> Config:
    return {"mcpServers": {SERVER: {"httpUrl": target.address, "headers": bearer(_BRACED)}}}


def _qwen_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_BRACED}"
    options = ["--scope", "user", "--transport", "http"]
    return ["qwen", "mcp", "add", *options, SERVER, target.address, "--header", header]


def _continue(target: Target) -> Config:
    server = {
        "name": SERVER,
        "type": "streamable-http",
        "url": target.address,
        "requestOptions": {"headers": bearer(_CONTINUE_SECRET)},
    }
    return {"name": "Hoursmith", "version": "1.0.0", "schema": "v1", "mcpServers": [server]}


def _http_with(target: Target, secret: str) -> Config:
    return {"mcpServers": {SERVER: {"type": "http", "url": target.address, "headers": bearer(secret)}}}


def _droid(target: Target) -> Config:
    return _http_with(target, _BRACED)


def _droid_literal(target: Target) -> Config:
    return _http_with(target, SLOT)


def _droid_command(target: Target) -> list[str]:
    header = f"Authorization: Bearer {_BRACED}"
    return ["droid", "mcp", "add", SERVER, target.address, "--type", "http", "--header", header]


def _auggie(target: Target) -> Config:
    return _http_with(target, SLOT)


def _amp(target: Target) -> Config:
    return {"amp.mcpServers": {SERVER: {"url": target.address, "headers": bearer(_BRACED)}}}


def _crush(target: Target) -> Config:
    return {"mcp": {SERVER: {"type": "http", "url": target.address, "headers": bearer(f"${VARIABLE}")}}}


QWEN_CODE = Client(
    key="qwen-code",
    title="Qwen Code",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    places=(own_file("~/.qwen/settings.json"), project_file(".qwen/settings.json")),
    reference=_BRACED,
    config=_qwen,
    command=_qwen_command,
    restart="Start Qwen Code again in the same project; /mcp shows the server.",
    troubles=("The key is httpUrl: with url it speaks SSE, which is not served here.", _UNSET_TROUBLE),
    facts=(
        "excludeTools takes tools away from it.",
        "Its documentation disagrees on where qwen mcp add writes without --scope, so the command names the scope.",
    ),
    aliases=("qwen-cli-mcp-client", "qwen-code", "qwen"),
)

CONTINUE = Client(
    key="continue",
    title="Continue",
    family=Family.EDITOR,
    secret=Secret.VARIABLE,
    language="yaml",
    places=(own_file("~/.continue/config.yaml"), project_file(".continue/mcpServers/hoursmith.yaml")),
    reference=_CONTINUE_SECRET,
    config=_continue,
    restart="Reload the window, or start the command line again; tools are used in agent mode alone.",
    troubles=(
        "requestOptions carries the headers; headers beside url are ignored in YAML.",
        f"In an editor it does not see your shell’s variables: put the line {VARIABLE}=… into ~/.continue/.env.",
    ),
    facts=(
        "A project’s file needs all lines. config.yaml has the first three already: add the item of mcpServers alone.",
        "Its command line (cn) reads the environment too, after .env, .continue/.env and ~/.continue/.env.",
    ),
    aliases=("continue-cli-client", "continue-client", "continue"),
)

DROID = Client(
    key="droid",
    title="Droid",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    places=(own_file("~/.factory/mcp.json"), project_file(".factory/mcp.json")),
    reference=_BRACED,
    config=_droid,
    literal_config=_droid_literal,
    command=_droid_command,
    restart="Type /mcp in Droid; the server is listed there.",
    troubles=(
        f"Not every source says that it expands {_BRACED} in headers. If the bridge reports an unexpanded reference, "
        "use the form with the token itself.",
        _UNSET_TROUBLE,
    ),
    facts=("docs.factory.ai gives http as the type for Streamable HTTP; sse is the older transport.",),
    aliases=("droid", "factory-droid", "factory-cli"),
)

AUGGIE = Client(
    key="auggie",
    title="Auggie",
    family=Family.TERMINAL,
    secret=Secret.LITERAL,
    places=(own_file("~/.augment/settings.json"),),
    config=_auggie,
    restart="Start Auggie again; /mcp lists the server.",
    troubles=("auggie mcp add would put the token on the command line, where others on the machine can see it.",),
    facts=(
        "No reference was found that it expands in headers: the token stands in the file.",
        "Sources disagree on whether it reads a project’s .augment/settings.json, so only your own file is named.",
    ),
    aliases=("auggie", "augment"),
)

AMP = Client(
    key="amp",
    title="Amp",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    places=(own_file("~/.config/amp/settings.json"), project_file(".amp/settings.json")),
    reference=_BRACED,
    config=_amp,
    restart="Start Amp again.",
    troubles=(
        "The key is amp.mcpServers, with the dot in its name.",
        "An entry in a project’s file waits for approval: amp mcp approve hoursmith",
        _UNSET_TROUBLE,
    ),
    facts=("amp config edit opens the file; it may also be called settings.jsonc.",),
    aliases=("amp",),
)

CRUSH = Client(
    key="crush",
    title="Crush",
    family=Family.TERMINAL,
    secret=Secret.VARIABLE,
    places=(own_file("~/.config/crush/crush.json"), project_file("crush.json")),
    reference=f"${VARIABLE}",
    config=_crush,
    restart="Start Crush again.",
    troubles=("Without the variable it sends “Bearer” alone.", _UNSET_TROUBLE),
    facts=(
        "Crush now prefers crushrc and still reads crush.json. In crushrc: mcp add hoursmith --type http --url … "
        f'--header Authorization "Bearer ${VARIABLE}"',
        "disabled_tools takes tools away from it.",
    ),
    aliases=("crush",),
)

CLIENTS = (CONTINUE, QWEN_CODE, DROID, AUGGIE, AMP, CRUSH)
