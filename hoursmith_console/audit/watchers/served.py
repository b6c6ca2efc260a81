"""Serve the signed tree of an audit log to watchers and other readers of C2SP tlog-tiles.

The watch key in the Authorization header is the only authority; session cookies are never read. A missing or wrong key
is 401 whatever the address names, and with a right key every log but those of its workspace is 404.
"""

import json
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from hoursmith_console.audit.models import WatchKey
from hoursmith_console.audit.watchers.access import FAILURES, READS, watch_key_of
from hoursmith_console.audit.watchers.cosignatures import CosignatureRefusedError, keep_cosignature
from hoursmith_console.audit.watchers.logs import ServedLog, served_log
from mcpbridge.audit.tree.errors import TreeError
from mcpbridge.audit.tree.tiles import parse_tile_path

_SEEN_EVERY = timedelta(minutes=1)
_LARGEST_COSIGNATURE = 16 * 1024
# For the caches of the reader alone: what a tile of this width holds never changes.
_FOREVER = "private, max-age=31536000, immutable"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def log_file(request: HttpRequest, log: str, path: str) -> HttpResponse:
    """Return one file of the log whose origin has the SHA-256 `log`, or take a cosignature."""
    if (key := watch_key_of(request)) is None:
        # A right key is never counted, so that no stranger keeps a watcher out.
        address = _address(request)
        if FAILURES.is_reached(address):
            return _too_many()
        FAILURES.count(address)
        return HttpResponse("401\n", status=401, content_type="text/plain", headers={"WWW-Authenticate": "Bearer"})
    if READS.is_reached(key.slug):
        return _too_many()
    READS.count(key.slug)
    if (found := served_log(key.org_id, log)) is None:
        return _not_found()
    if request.method == "POST":
        return _cosigned(request, key, found) if path == "cosignature" else _not_found()
    if path == "checkpoint":
        _note_reading(key, found.size)
        return _text(found.note())
    if path == "checkpoint.json":
        return HttpResponse(found.dated(), content_type="application/json")
    return _tile(found, path)


def _tile(log: ServedLog, path: str) -> HttpResponse:
    try:
        tile, number, width = parse_tile_path(path)
        body = log.entries(number, width) if tile is None else log.tile(tile, width)
    except TreeError:
        return _not_found()
    return HttpResponse(body, content_type="application/octet-stream", headers={"Cache-Control": _FOREVER})


def _cosigned(request: HttpRequest, key: WatchKey, log: ServedLog) -> HttpResponse:
    """Keep the cosignature of the watcher."""
    try:
        body = request.body if int(request.headers.get("Content-Length") or 0) <= _LARGEST_COSIGNATURE else b""
        value: Any = json.loads(body)
        keep_cosignature(key=key, log=log, vkey=value["vkey"], note=value["note"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return HttpResponse("The body is not a cosignature.\n", status=400, content_type="text/plain")
    except CosignatureRefusedError as error:
        return HttpResponse(f"{error}\n", status=409, content_type="text/plain")
    return HttpResponse(status=204)


def _note_reading(key: WatchKey, size: int) -> None:
    """Note when and how far the watcher read; once a minute unless the log grew."""
    now = timezone.now()
    if key.seen_at is None or now - key.seen_at >= _SEEN_EVERY or key.seen_size != size:
        WatchKey.objects.filter(pk=key.pk).update(seen_at=now, seen_size=size)


def _text(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def _not_found() -> HttpResponse:
    return HttpResponse("404\n", status=404, content_type="text/plain")


def _too_many() -> HttpResponse:
    return HttpResponse("429\n", status=429, content_type="text/plain", headers={"Retry-After": "60"})


def _address(request: HttpRequest) -> str:
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""
