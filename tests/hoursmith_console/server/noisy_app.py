"""An application that says things in every way in which a process can, each by an address of its own."""

import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any


class _Faulty:
    def __del__(self) -> None:
        raise RuntimeError("raised as it was collected")


def _raise_in_thread() -> None:
    raise RuntimeError("raised in a thread")


def _begin_thread() -> None:
    thread = threading.Thread(target=_raise_in_thread, name="of-its-own")
    thread.start()
    thread.join()


def _collect() -> None:
    _Faulty()
    gc.collect()


def _write() -> None:
    sys.stdout.write("printed\nin two lines, {not JSON}\n")
    sys.stderr.write('{"printed": "JSON"}\n')
    sys.stderr.write("begun ")
    sys.stderr.write("and ended\n")


def _log() -> None:
    try:
        _raise_in_thread()
    except RuntimeError:
        logging.getLogger("noisy").exception("logged %s", "with its traceback")


DOES: dict[str, Callable[[], None]] = {
    "/thread": _begin_thread,
    "/collect": _collect,
    "/write": _write,
    "/log": _log,
    "/warn": lambda: warnings.warn("warned of", stacklevel=1),
}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Do what the address says; raise at `/raise`."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    if scope["path"] == "/raise":
        raise RuntimeError("raised in a request")
    DOES.get(scope["path"], lambda: None)()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
