"""The assistants that may sign in, with their redirect addresses and where each fact comes from.

Their client ID metadata documents (CIMD) are pinned here instead of being fetched: a console in a closed network knows
them too, and an outage or a takeover of a vendor's page changes nothing. Addresses are compared byte by byte.
"""

import re
from dataclasses import dataclass

# One path segment that the vendor makes for each connector.
_ID = "[A-Za-z0-9_-]{1,128}"


@dataclass(frozen=True, slots=True)
class KnownClient:
    """An assistant: its name, the host that vouches for it, and the addresses it uses.

    `client_ids` are addresses of its metadata document. An `{id}` at the last segment, or the one before a file name,
    stands for one id. `loopback_paths` are paths on the user's own computer, on any port.
    """

    name: str
    host: str
    source: str
    client_ids: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()
    loopback_paths: tuple[str, ...] = ()

    def has_client_id(self, client_id: str) -> bool:
        return any(_matches(each, client_id) for each in self.client_ids)

    def has_redirect(self, address: str) -> bool:
        return any(_matches(each, address) for each in self.redirects)


def _matches(pattern: str, address: str) -> bool:
    if "{id}" not in pattern:
        return pattern == address
    before, _, after = pattern.partition("{id}")
    return re.fullmatch(re.escape(before) + _ID + re.escape(after), address, re.ASCII) is not None


KNOWN_CLIENTS: tuple[KnownClient, ...] = (
    KnownClient(
        name="Claude",
        host="claude.ai",
        client_ids=("https://claude.ai/oauth/mcp-oauth-client-metadata",),
        redirects=("https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"),
        source="support.claude.com 11503834; the document as read on 14 August 2026",
    ),
    KnownClient(
        name="Claude Code",
        host="claude.ai",
        client_ids=("https://claude.ai/oauth/claude-code-client-metadata",),
        loopback_paths=("/callback",),
        source="Claude Code 2.1.197, observed; anthropics/claude-code#37767",
    ),
    KnownClient(
        name="ChatGPT",
        host="chatgpt.com",
        client_ids=("https://chatgpt.com/oauth/client.json", "https://chatgpt.com/oauth/{id}/client.json"),
        redirects=(
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector/oauth/{id}",
        ),
        source="developers.openai.com/plugins/build/auth; getsentry/sentry-mcp#1271; Doist/todoist-mcp#478",
    ),
    KnownClient(
        name="Codex",
        host="chatgpt.com",
        client_ids=("https://chatgpt.com/oauth/codex/client.json",),
        loopback_paths=("/callback",),
        source="BuilderIO/agent-native#2616",
    ),
    KnownClient(
        name="Microsoft Copilot Studio",
        host="global.consent.azure-apim.net",
        redirects=("https://global.consent.azure-apim.net/redirect/{id}",),
        source="SmartBear/smartbear-mcp#463; tableau/tableau-mcp#772",
    ),
    KnownClient(
        name="Gemini Enterprise",
        host="vertexaisearch.cloud.google.com",
        redirects=("https://vertexaisearch.cloud.google.com/oauth-redirect",),
        source="docs.cloud.google.com, custom MCP server; pipefy/ai-toolkit#586",
    ),
    KnownClient(
        name="Gemini",
        host="oauth-redirect.googleusercontent.com",
        redirects=("https://oauth-redirect.googleusercontent.com/r/{id}",),
        source="developers.google.com/connected-apps/mcp/oauth; makeplane/plane-mcp-server#230",
    ),
    KnownClient(
        name="Le Chat",
        host="callback.mistral.ai",
        redirects=("https://callback.mistral.ai/v1/integrations_auth/oauth2_callback",),
        source="pantalytics/odoo-mcp-pro#22",
    ),
    KnownClient(
        name="Cursor",
        host="www.cursor.com",
        redirects=(
            # A private scheme, which OAuth 2.1 for MCP does not list; only this exact address is accepted.
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "https://www.cursor.com/bot/mcp/oauth/callback",
        ),
        source="koala73/worldmonitor#8305; erp-mafia/accounted#2225",
    ),
    KnownClient(
        name="Visual Studio Code",
        host="vscode.dev",
        client_ids=("https://vscode.dev/oauth/client-metadata.json",),
        redirects=("https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"),
        loopback_paths=("", "/"),
        source="microsoft/vscode#270811, #271403, #278512",
    ),
    KnownClient(
        name="Grok",
        host="grok.com",
        client_ids=("https://grok.com/oauth/mcp-client.json",),
        redirects=(
            "https://grok.com/connectors-oauth-exchange-code/",
            "https://console.x.ai/connectors-oauth-exchange-code/",
        ),
        source="koala73/worldmonitor, its table of clients",
    ),
    KnownClient(
        name="n8n",
        host="oauth.n8n.cloud",
        redirects=("https://oauth.n8n.cloud/oauth2/callback",),
        source="docs.n8n.io/integrations/builtin/credentials/mcp",
    ),
    KnownClient(
        name="opencode",
        host="opencode.ai",
        client_ids=("https://opencode.ai/oauth/opencode/client.json",),
        loopback_paths=("/callback", "/mcp/oauth/callback"),
        source="the document itself",
    ),
    KnownClient(
        name="Perplexity",
        host="www.perplexity.ai",
        redirects=(
            "https://www.perplexity.ai/rest/connections/oauth_callback",
            "https://enterprise.perplexity.ai/rest/connections/oauth_callback",
        ),
        source="koala73/worldmonitor, its table of clients",
    ),
    KnownClient(
        name="Devin",
        host="api.devin.ai",
        redirects=("https://api.devin.ai/mcp/oauth/callback",),
        source="koala73/worldmonitor, its table of clients",
    ),
    KnownClient(
        name="Antigravity",
        host="antigravity.google",
        redirects=("https://antigravity.google/oauth-callback",),
        source="koala73/worldmonitor, its table of clients",
    ),
)


def known_by_id(client_id: str) -> KnownClient | None:
    """Return the known assistant with this address of its document; None if there is none."""
    # Exact addresses first: an {id} of ChatGPT's would take Codex's.
    found = [each for each in KNOWN_CLIENTS if each.has_client_id(client_id)]
    return next((each for each in found if client_id in each.client_ids), found[0] if found else None)


def known_by_redirect(address: str) -> KnownClient | None:
    """Return the known assistant whose answers go to `address`; None for loopback and unknown addresses."""
    return next((each for each in KNOWN_CLIENTS if each.has_redirect(address)), None)
