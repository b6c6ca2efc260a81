"""Asks for an export as somebody who has just shown who they are."""

from typing import Any

from asgiref.sync import async_to_sync
from django.test import AsyncClient

from tests.hoursmith_console.conftest import Cast, account_of
from tests.reauthentication import password_given


def export(cast: Cast, person: str, address: str, format_name: str) -> tuple[int, bytes]:
    """Status and body of what a person gets who has just given their password."""
    user = account_of(cast.people[person])

    async def post() -> tuple[int, bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        session = await client.asession()
        await session.aupdate(password_given(user))
        await session.asave()
        answer = await client.post(address, {"format": format_name})
        if not answer.streaming:
            return answer.status_code, answer.content
        stream: Any = answer
        return answer.status_code, b"".join([part async for part in stream.streaming_content])

    return async_to_sync(post)()
