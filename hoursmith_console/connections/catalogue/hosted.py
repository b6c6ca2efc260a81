"""Hosted assistants: claude.ai, ChatGPT, Copilot Studio, Le Chat and Gemini.

They read no file; an address is entered in their settings. If these take a header, that method comes first, because it
needs no sign-in. Sources, read in November 2026: support.claude.com 11175166 and anthropics/claude-ai-mcp issues 112,
685 and 937; developers.openai.com/api/docs/guides/developer-mode; Microsoft Learn, mcp-add-existing-server-to-agent;
docs.mistral.ai, MCP connectors of Le Chat; docs.cloud.google.com/gemini/enterprise, custom MCP server;
support.google.com/gemini/answer/17209137. Vendors move their menus often, so the steps name only a few.
"""

from hoursmith_console.connections.catalogue.mcp_client import (
    BY_SIGN_IN,
    PASTE_AND_ALLOW,
    SLOT,
    Family,
    Link,
    McpClient,
    Method,
    Secret,
    Snippet,
    Step,
    Target,
    value_to_enter,
)

WITH_HEADER = "With the token in a header"
_HEADER_VALUE = f"Bearer {SLOT}"
_OTHERS = "The address of this connection is for you alone; calls at the shared one are listed under Activity."
_SHARED = "With a header, everyone who uses it works with your token."


def _address(target: Target, title: str) -> tuple[Snippet, ...]:
    return (value_to_enter(title, target.address),)


def _claude(target: Target) -> tuple[Method, ...]:
    add = Step(
        "In Claude, select Customize → Connectors → + → Add custom connector, and enter the address.",
        _address(target, "Remote MCP server URL"),
    )
    header = Step(
        "Under Request headers, add authorization with this value. Then select Add.",
        (value_to_enter("Value of authorization", _HEADER_VALUE),),
    )
    note = (
        "If there is no section Request headers, your account does not have it yet: sign in instead. Do the same in a "
        f"Team or Enterprise plan, where an owner adds the connector for all. {_SHARED}"
    )
    return (
        Method(WITH_HEADER, (add, header), note=note),
        Method(BY_SIGN_IN, (add, Step("Select Add, then Connect."), PASTE_AND_ALLOW), signs_in=True),
    )


def _chatgpt(target: Target) -> tuple[Method, ...]:
    steps = (
        Step("In ChatGPT on the web, select Settings → Apps → Advanced settings, and turn on Developer mode."),
        Step("Select Create app, name it Hoursmith, and enter the address.", _address(target, "MCP server URL")),
        Step("As authentication choose OAuth. Then select Create."),
        PASTE_AND_ALLOW,
    )
    return (Method(BY_SIGN_IN, steps, signs_in=True),)


def _copilot_studio(target: Target) -> tuple[Method, ...]:
    add = Step(
        "In the agent, select Tools → Add a tool → New tool → Model Context Protocol. Enter a name, a description and "
        "the address.",
        _address(target, "Server URL"),
    )
    key = Step("As authentication choose API key, of type Header, with the header name Authorization. Select Create.")
    connection = Step(
        "Select Create new connection, and enter this value.", (value_to_enter("Authorization", _HEADER_VALUE),)
    )
    own = "Under Additional details, let users provide their own credentials: with the maker’s, everyone who uses the "
    own += f"agent works with your token. If others use it, enter {target.shared_address} instead. {_OTHERS}"
    return (
        Method(WITH_HEADER, (add, key, connection), note=own),
        Method(
            BY_SIGN_IN,
            (
                add,
                Step("As authentication choose OAuth 2.0, with dynamic discovery. Select Create."),
                Step("Select Create new connection, and sign in."),
                PASTE_AND_ALLOW,
            ),
            signs_in=True,
            note=own,
        ),
    )


def _le_chat(target: Target) -> tuple[Method, ...]:
    add = Step(
        "In Le Chat, select Intelligence → Connectors → Add connector → Custom MCP connector. Name it hoursmith, and "
        "enter the address.",
        _address(target, "Connection server"),
    )
    token = Step(
        "As authentication method choose the bearer token, and paste it. Select Connect.",
        (value_to_enter("Token", SLOT),),
    )
    return (
        Method(WITH_HEADER, (add, token), note=f"If the form offers no such choice, sign in instead. {_SHARED}"),
        Method(BY_SIGN_IN, (add, Step("Select Connect."), PASTE_AND_ALLOW), signs_in=True),
    )


def _gemini(target: Target) -> tuple[Method, ...]:
    register = Link("Register Gemini Enterprise", f"{target.origin}/connections/authorizations/register/")
    enterprise = (
        Step(
            "As an admin of this workspace, register Gemini Enterprise. The page shows what to enter.",
            (),
            register,
        ),
        Step(
            "In the Google Cloud console, add a data store of the kind Custom MCP server to the Gemini Enterprise app. "
            "Enter those values, with this address.",
            (value_to_enter("MCP server URL", target.shared_address),),
        ),
        Step("Each person who uses it authorizes it once."),
        PASTE_AND_ALLOW,
    )
    spark = (
        Step(
            "At gemini.google.com, select Settings & help → Connected Apps, and under “Custom apps for Spark” add an "
            "app with the address.",
            _address(target, "MCP server URL"),
        ),
        PASTE_AND_ALLOW,
    )
    return (
        Method("Gemini with a personal account, by sign-in", spark, signs_in=True),
        Method("Gemini Enterprise, by sign-in", enterprise, signs_in=True, note=_OTHERS),
    )


CLAUDE = McpClient(
    key="claude",
    title="Claude (claude.ai)",
    family=Family.HOSTED,
    secret=Secret.PROMPT,
    methods=_claude,
    restart="Start a new chat.",
    notes=(
        "It works on the web, in Claude Desktop, in Cowork and on phones; it is added on the web.",
        "Disconnecting in Claude deletes Claude’s copy. End the sign-in here as well, or revoke the token.",
    ),
    aliases=("anthropic", "claude-user"),
)

CHATGPT = McpClient(
    key="chatgpt",
    title="ChatGPT",
    family=Family.HOSTED,
    secret=Secret.PROMPT,
    methods=_chatgpt,
    restart="Start a new chat, and select + → More → Developer mode → Hoursmith.",
    notes=("ChatGPT takes no header: sign-in is the only way.", "Developer mode may have to be allowed by an admin."),
    aliases=("openai-mcp", "chatgpt", "chatgpt-user"),
)

COPILOT_STUDIO = McpClient(
    key="copilot-studio",
    title="Copilot Studio",
    family=Family.HOSTED,
    secret=Secret.PROMPT,
    methods=_copilot_studio,
    restart="Test the agent, then publish it.",
    problems=("The value is the word Bearer, a space, and the token.",),
    aliases=("copilot-studio", "mcs"),
)

LE_CHAT = McpClient(
    key="le-chat",
    title="Le Chat",
    family=Family.HOSTED,
    secret=Secret.PROMPT,
    methods=_le_chat,
    restart="In a chat, enable the connector under Tools.",
    notes=("Connectors are added by an admin; on a personal plan that is you.",),
    aliases=("le-chat", "mistral"),
)

GEMINI = McpClient(
    key="gemini",
    title="Gemini",
    family=Family.HOSTED,
    secret=Secret.PROMPT,
    methods=_gemini,
    restart="Start a new chat.",
    problems=(
        "With Gemini Enterprise, a policy of the organization blocks custom MCP servers until an admin overrides it.",
    ),
    notes=("Custom apps of personal accounts need Gemini Spark, for now in the US and in English.",),
    aliases=("gemini-enterprise", "gemini"),
)

MCP_CLIENTS = (CLAUDE, CHATGPT, COPILOT_STUDIO, LE_CHAT, GEMINI)
