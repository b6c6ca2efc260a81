"""An application for the console's own gunicorn worker, with short limits. Told so, it cannot start or loads slowly."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from hoursmith_console.server import connections, worker

connections.HEAD_S = 1.0
connections.UNREAD_RESPONSE_S = 0.5
worker.NEXT_TRY_S = 0.1
BIG = b"x" * 20_000_000

if Path(os.environ["CANNOT_START"]).exists():
    raise RuntimeError("There is no room.")
if (slowly := Path(os.environ["LOADS_SLOWLY"])).exists():
    (slowly / str(os.getpid())).touch()
    while slowly.exists():
        time.sleep(0.05)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer `X-Echo` or the process id: twenty megabytes at `/big`, nothing at `/never`, late at `/late`."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
            print(f"The application has done its {step}.", file=sys.stderr, flush=True)  # noqa: T201
        return
    if scope["path"] == "/never":
        await asyncio.Event().wait()
    if scope["path"] == "/late":
        await asyncio.sleep(connections.HEAD_S * 1.5)
    echo = dict(scope["headers"]).get(b"x-echo", str(os.getpid()).encode())
    body = BIG if scope["path"] == "/big" else echo
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
