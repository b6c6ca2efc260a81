"""Let assistants sign in: OAuth 2.1 for MCP clients, with sealed Hoursmith tokens as its tokens.

An OAuth token of this console is the Hoursmith token, encrypted (`envelopes`). The assistant holds the ciphertext, the
console the key, and the token is not stored. A row for each grant, without any secret, ends it.

Sources: OAuth 2.1 draft 13, RFC 7591, 7009, 8414, 8707, 9207, 9728, MCP authorization (2025-11-25 and 2026-07-28).
"""
