"""Fetch the metadata document of an unknown assistant (CIMD, draft-ietf-oauth-client-id-metadata-document).

Only with OAUTH_CLIENTS=any. The address comes from the link to the page (SSRF), so the connection goes to an address
that the checks of log destinations accept, to port 443, without redirects, and within small limits of size and time.
Documents are cached as long as they ask for, between five minutes and a day; errors are not.
"""

import asyncio
import re
import ssl
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from asgiref.sync import async_to_sync

from mcpbridge.audit.destinations.targets import RefusedTargetError, Target, checked_addresses
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.grants import config

PORT = 443
MAX_BYTES = 5 * 1024
LIMIT_S = 5.0
_KEPT_AT_LEAST_S, _KEPT_AT_MOST_S = 300, 86_400
_CAPACITY = 200
_AT_ONCE = 4
_MAX_REDIRECTS = 20
_ADDRESS = re.compile(
    r"https://(?P<host>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])"
    r"(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+)",
    re.ASCII,
)
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE | re.ASCII)


class DocumentError(Exception):
    """The document cannot be used. The text says why, for the user."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a metadata document says of its assistant."""

    name: str
    host: str
    redirects: tuple[str, ...]


_slots = threading.BoundedSemaphore(_AT_ONCE)
_cached: OrderedDict[str, tuple[Document, float]] = OrderedDict()


def document_at(client_id: str) -> Document:
    """Return the document at `client_id`, from the cache or fetched now. Raises DocumentError."""
    known = _cached.get(client_id)
    if known is not None and time.monotonic() < known[1]:
        return known[0]
    address = _ADDRESS.fullmatch(client_id)
    if address is None or address["host"] == urlsplit(config.issuer()).hostname:
        raise DocumentError("The assistant's id is not the address of a metadata document.")
    if not _slots.acquire(blocking=False):
        raise DocumentError("Too many unknown assistants are connecting now. Try again in a moment.")
    try:
        body, kept_s = async_to_sync(_fetched)(address["host"], address["path"])
    finally:
        _slots.release()
    document = _parsed(body, client_id=client_id, host=address["host"])
    _cached[client_id] = (document, time.monotonic() + kept_s)
    while len(_cached) > _CAPACITY:
        _cached.popitem(last=False)
    return document


def forget_documents() -> None:
    """Empty the cache."""
    _cached.clear()


async def _fetched(host: str, path: str) -> tuple[bytes, int]:
    """Return the body, and for how many seconds it may be kept. Raises DocumentError."""
    try:
        async with asyncio.timeout(LIMIT_S):
            target = Target(host, PORT, is_tls=True, path=path)
            return await _ask(host, path, (await asyncio.to_thread(checked_addresses, target))[0])
    except RefusedTargetError:
        raise DocumentError(f"{host} is not on the public internet.") from None
    except (httpx.HTTPError, TimeoutError, ssl.SSLError) as error:
        raise DocumentError(f"The metadata document at {host} cannot be read ({type(error).__name__}).") from None


async def _ask(host: str, path: str, address: str) -> tuple[bytes, int]:
    # To the address that was checked; the certificate is checked for the host.
    place = f"[{address}]" if ":" in address else address
    headers = {"Host": host, "Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=LIMIT_S) as client,
        client.stream(
            "GET", f"https://{place}:{PORT}{path}", headers=headers, extensions={"sni_hostname": host}
        ) as answer,
    ):
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = kind == "application/json" or kind.endswith("+json")
        if answer.status_code != 200 or not is_json or answer.headers.get("content-encoding", "identity") != "identity":
            raise DocumentError(f"{host} does not answer with a metadata document.")
        body = b""
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MAX_BYTES:
                raise DocumentError(f"The metadata document at {host} is larger than {MAX_BYTES} bytes.")
        return body, _kept_s(answer.headers.get("cache-control", ""))


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _kept_s(cache_control: str) -> int:
    found = _MAX_AGE.search(cache_control)
    return min(max(int(found[1]) if found else 0, _KEPT_AT_LEAST_S), _KEPT_AT_MOST_S)


def _parsed(body: bytes, *, client_id: str, host: str) -> Document:
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict) or said.get("client_id") != client_id:
        raise DocumentError(f"The metadata document at {host} is of another assistant, or is none.")
    redirects = said.get("redirect_uris")
    if not isinstance(redirects, list) or not all(isinstance(each, str) for each in redirects):
        raise DocumentError(f"The metadata document at {host} has no redirect_uris.")
    if not _needs_no_key(said):
        raise DocumentError(
            f"The assistant at {host} offers only private_key_jwt to prove who it is, which is not supported here."
        )
    name = said.get("client_name")
    shown = sanitize_text(" ".join(name.split()), 120) if isinstance(name, str) else ""
    return Document(shown or host, host, tuple(redirects[:_MAX_REDIRECTS]))


def _needs_no_key(said: dict[str, Any]) -> bool:
    """Return whether the assistant may come without a key: it prefers that, or offers it."""
    offered = said.get("token_endpoint_auth_methods_supported")
    is_offered = isinstance(offered, list) and "none" in offered
    return said.get("token_endpoint_auth_method", "none") == "none" or is_offered
