"""What the demo is played with: the gateway's parts that calls need, the members, their assistants, and the clock."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler

from hoursmith_console.connections.services import connect_with_token
from hoursmith_console.demo.assistant import LEGACY, MODERN, Assistant
from hoursmith_console.demo.clock import DemoClock
from hoursmith_console.demo.progress import DemoState
from hoursmith_console.token_issuer.minting import mint_token, new_form_id
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.app import Bridge
from mcpbridge.audit.console_events import set_audit_writer
from mcpbridge.upstream.config import upstream_from_settings

T = TypeVar("T")
DAYS = 14
# The recorder writes four times a second.
_WRITTEN_AFTER_S = 0.4
_LOOKS = 25
# Addresses for documentation (RFC 5737).
OFFICE, HOME, ELSEWHERE = "198.51.100.20", "203.0.113.40", "192.0.2.77"


@dataclass(slots=True)
class Stage:
    """The state of one run. `end` is the present, when the two weeks end; `chance` always draws the same."""

    bridge: Bridge
    clock: DemoClock
    workspace: Workspace
    members: dict[str, Member]
    end: datetime
    state: DemoState
    chance: random.Random = field(default_factory=lambda: random.Random(14))  # noqa: S311 - not a secret
    assistants: dict[str, Assistant] = field(default_factory=dict)

    def at(self, day: int, hour: int, minute: int = 0) -> datetime:
        """Return an instant of a day of the two weeks; day 13 is yesterday."""
        first = (self.end - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
        return first + timedelta(days=day, hours=hour, minutes=minute)

    def pause(self, least: float = 4, most: float = 40) -> None:
        """Let the time pass that an assistant takes between two calls."""
        self.clock.pass_(self.chance.uniform(least, most))

    async def settle(self) -> None:
        """Wait until what was observed is written, while the clock is near the time at which it happened."""
        for _ in range(_LOOKS):
            await asyncio.sleep(_WRITTEN_AFTER_S)
            if not self.bridge.activity.waiting:
                return

    async def connect(self, key: str, member: str, client: str, label: str, **about: Any) -> Assistant:
        """Create a connection with a token for a member, and return their assistant."""
        access = about.pop("access", "full")
        owner = self.members[member]
        connection, minted = await console(
            connect_with_token, owner=owner, client=client, label=label, access=access, form=new_form_id()
        )
        path = f"/mcp/c/{connection.slug}"
        return self._add(
            key, minted.plaintext, label=label, path=f"{path}/readonly" if access == "readonly" else path, **about
        )

    async def equip(self, key: str, member: str, label: str, **about: Any) -> Assistant:
        """Create a token for a member, without a connection, and return their assistant."""
        owner = self.members[member]
        scopes = about.pop("scopes", ("read", "write"))
        minted = await console(
            mint_token,
            member=owner,
            name=label,
            scopes=scopes,
            form=new_form_id(),
            actor=owner.display_identity,
        )
        return self._add(key, minted.plaintext, label=label, **about)

    def _add(self, key: str, token: str, *, name: str, version: str, is_old: bool = False, **more: Any) -> Assistant:
        more.setdefault("address", OFFICE)
        protocol = LEGACY if is_old else MODERN
        made = Assistant(self.bridge.http, name, version, token=token, protocol=protocol, **more)
        self.assistants[key] = made
        return made

    @property
    def calls(self) -> int:
        """The tool calls made so far."""
        return sum(assistant.calls for assistant in self.assistants.values())


async def console(act: Callable[..., T], **named: Any) -> T:
    """Do what a member does in the console, with the service that its page uses."""
    return await sync_to_async(act)(**named)


@asynccontextmanager
async def gateway() -> AsyncIterator[Bridge]:
    """Run the parts of the gateway that calls need. Maintenance and log destinations are left to the server."""
    bridge = Bridge(upstream_from_settings(ASGIHandler()))
    await bridge.restrictions.start()
    bridge.audit.start()
    set_audit_writer(bridge.audit)
    bridge.activity.start()
    try:
        yield bridge
    finally:
        await bridge.calls.drain()
        set_audit_writer(None)
        await bridge.audit.stop()
        await bridge.activity.stop()
        await bridge.restrictions.stop()
        bridge.approvals.close()
        bridge.accepted.close()
        bridge.rejected_tokens.close()
        await bridge.upstream.aclose()
