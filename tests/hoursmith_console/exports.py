"""Asks for an export as somebody who has just shown who they are."""

import time
from typing import Any

from asgiref.sync import async_to_sync
from django.test import AsyncClient

from tests.hoursmith_console.conftest import Cast


def export(cast: Cast, person: str, address: str, format_name: str) -> tuple[int, bytes]:
    """Status and body of what a person gets who has just given their password."""
    user = cast.people[person].user
    assert user is not None

    async def post() -> tuple[int, bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        session = await client.asession()
        given = {"method": "password", "at": time.time(), "reauthenticated": True, "email": user.email}
        await session.aset("account_authentication_methods", [given])
        await session.aset("account_authentication_methods_user", str(user.pk))
        await session.asave()
        answer = await client.post(address, {"format": format_name})
        if not answer.streaming:
            return answer.status_code, answer.content
        stream: Any = answer
        return answer.status_code, b"".join([part async for part in stream.streaming_content])

    return async_to_sync(post)()
