"""The two sentences about each page of connections and authorized assistants; see `page_texts`."""

from hoursmith_console.help.page_help import PageHelp

CONNECTION_TEXTS = {
    "connections:list": PageHelp(
        "One row for each assistant on each machine, with its status as observed here. "
        "Each connection has an address of its own.",
        "connections",
    ),
    "connections:grants": PageHelp(
        "Every assistant that signed in with a token through this console, until when it may work, and its last call. "
        "End an authorization to reject the assistant's next request.",
        "connections#assistants-that-sign-in",
    ),
    "connections:grant": PageHelp(
        "One assistant's authorization: the token it uses, its permissions and its calls. "
        "The assistant holds the token encrypted; the console stores neither.",
        "connections#assistants-that-sign-in",
    ),
    "connections:end_grant": PageHelp(
        "Ending rejects the assistant's next request and cannot be undone; the assistant can be authorized again. "
        "It does not revoke the token.",
        "connections#end-an-authorization",
    ),
    "connections:register": PageHelp(
        "Makes a client ID and secret for an assistant that cannot register itself. They are shown once.",
        "connections#register-an-assistant-by-hand",
    ),
    "connections:new": PageHelp(
        "Choose the assistant that you want to connect. The next pages give the exact configuration for it.",
        "connections#connect-an-assistant",
    ),
    "connections:details": PageHelp(
        "Name the machine, and choose what the assistant may do. It never gets more than your own role allows.",
        "connections#read-only-or-full-access",
    ),
    "connections:token": PageHelp(
        "The assistant calls with a token of its own. "
        "A token for each assistant can be revoked without touching the others.",
        "connections#connect-an-assistant",
    ),
    "connections:setup": PageHelp(
        "Put this configuration into the assistant and restart it. "
        "The page shows its first call as soon as it arrives.",
        "connections#connect-an-assistant",
    ),
    "connections:ask": PageHelp(
        "The assistant is connected: try one of these prompts. Each call appears here and in the activity log.",
        "connections#connect-an-assistant",
    ),
    "connections:detail": PageHelp(
        "What was observed of this assistant, and how it is set up. The status follows its real calls.",
        "connections#what-the-status-means",
    ),
    "connections:troubleshoot": PageHelp(
        "Checks what usually goes wrong between an assistant and this console, from what was observed. "
        "Fix what is marked, then restart the assistant.",
        "connections#when-it-does-not-work",
    ),
    "connections:change": PageHelp(
        "Rename the connection, or change what the assistant may do. With other permissions its address changes.",
        "connections#read-only-or-full-access",
    ),
    "connections:remove": PageHelp(
        "Removes the connection from lists and keeps its activity. The token is not revoked by this.",
        "connections#remove-a-connection",
    ),
}
