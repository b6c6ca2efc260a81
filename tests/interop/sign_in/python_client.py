"""The official Python client of either major version, which signs in; run by the Python that has it.

It reads a line of JSON that says where to connect to, then a tool call a line. It answers with `open`, an address that
its user must visit, to which the next line gives the `callback`; else with what came of the call, and its tokens.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qs, urlsplit

IS_FIRST = version("mcp").startswith("1.")


def say(**value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def heard() -> Any:
    return json.loads(await asyncio.to_thread(sys.stdin.readline) or "null")


class Storage:
    """Keeps what the client would write to disk."""

    tokens: Any = None
    client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info

    def shown(self) -> dict[str, str]:
        return {} if self.tokens is None else {"access": self.tokens.access_token, "refresh": self.tokens.refresh_token}


class User:
    """Visits what the client asks for, and comes back with the answer."""

    asked = ""

    async def visit(self, address: str) -> None:
        self.asked = address

    async def come_back(self) -> Any:
        say(open=self.asked)
        query = parse_qs(urlsplit((await heard())["callback"]).query)
        said = {name: values[0] for name, values in query.items()}
        if "error" in said:
            raise RuntimeError(f"{said['error']}: {said.get('error_description', '')}")
        if IS_FIRST:
            return said["code"], said.get("state")
        from mcp.shared.auth import AuthorizationCodeResult

        return AuthorizationCodeResult(code=said["code"], state=said.get("state"), iss=said.get("iss"))


async def connect(stack: AsyncExitStack, job: dict[str, Any], provider: Any) -> Any:
    """Return what lists and calls tools."""
    if IS_FIRST:
        from mcp import ClientSession
        from mcp.client.streamable_http import streamablehttp_client  # type: ignore[attr-defined]

        read, write, _ = await stack.enter_async_context(streamablehttp_client(job["url"], auth=provider))
        session = await stack.enter_async_context(ClientSession(read, write))
        await session.initialize()
        return session
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    http = await stack.enter_async_context(httpx2.AsyncClient(auth=provider, timeout=30))
    return await stack.enter_async_context(Client(streamable_http_client(job["url"], http_client=http)))


async def talk(job: dict[str, Any], storage: Storage) -> None:
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import OAuthClientMetadata

    user = User()
    provider: Any = OAuthClientProvider(
        server_url=job["url"],
        client_metadata=OAuthClientMetadata(client_name=job["name"], redirect_uris=[job["redirect"]]),
        storage=storage,
        redirect_handler=user.visit,
        callback_handler=user.come_back,
        client_metadata_url=job["document"],
    )
    async with AsyncExitStack() as stack:
        client = await connect(stack, job, provider)
        tools = [tool.name for tool in (await client.list_tools()).tools]
        client_id, secret = storage.client.client_id, storage.client.client_secret
        say(tools=tools, client=client_id, secret=secret, **storage.shown())
        while (call := await heard()) is not None:
            result = await client.call_tool(call["name"], call["arguments"])
            say(is_error=bool(result.is_error if not IS_FIRST else result.isError), **storage.shown())


def causes(error: BaseException) -> str:
    """Return the text of the errors behind a group of them."""
    if isinstance(error, BaseExceptionGroup):
        return " ".join(causes(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"


async def main() -> None:
    storage = Storage()
    try:
        await talk(await heard(), storage)
    except Exception as error:
        say(fault=causes(error), **storage.shown())


if __name__ == "__main__":
    asyncio.run(main())
