"""The extension for Claude Desktop: an MCP bundle (`.mcpb`) that connects to this console.

It holds a manifest and a small program, and no token: Claude Desktop asks for the token and keeps it in the operating
system's keychain. Source: MCPB manifest 0.3 (modelcontextprotocol/mcpb, MANIFEST.md).
"""

import hashlib
import io
import json
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from django.utils.http import quote_etag
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from hoursmith_console.connections.catalogue.mcp_client import BUNDLE
from mcpbridge import __version__
from mcpbridge.activity.connections import ID_PATTERN

# Part of the archive's bytes, which must not change with the time at which it is built.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644


def manifest(address: str) -> dict[str, Any]:
    """Return the manifest of a bundle that connects to the bridge at `address`, or asks for it where that is empty."""
    found: dict[str, Any] = json.loads(_template("manifest.json"))
    if not address:
        return found
    found["user_config"]["url"]["default"] = address
    help_pages = f"{settings.PUBLIC_URL}/help"
    more = {"documentation": f"{help_pages}/connections/", "privacy_policies": [f"{help_pages}/privacy/"]}
    return {**found, **more}


@lru_cache(maxsize=64)
def bundle(address: str) -> bytes:
    """Return the bundle of this release that connects to `address`, or asks for it; the same bytes each time."""
    files = {
        "manifest.json": json.dumps(manifest(address), indent=2, ensure_ascii=False) + "\n",
        "server/index.js": _template("server.js"),
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            # Stored: compressed bytes differ between builds of zlib. As from a POSIX system, whatever this one is.
            entry.create_system, entry.external_attr = 3, _REGULAR_FILE << 16
            made.writestr(entry, text, zipfile.ZIP_STORED)
    return archive.getvalue()


def _etag(request: HttpRequest, path: str) -> str:
    return quote_etag(hashlib.sha256(bundle(_address(path))).hexdigest()[:32])


@require_safe
@cache_control(public=True, max_age=3600)
@condition(etag_func=_etag)
def download(request: HttpRequest, path: str) -> HttpResponse:
    """Return the bundle for the bridge's address with the same `path`; it holds no secret, so anyone may have it."""
    return HttpResponse(
        bundle(_address(path)),
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{BUNDLE}"'},
    )


def _address(path: str) -> str:
    return f"{settings.PUBLIC_URL}/mcp{path}"


def _template(name: str) -> str:
    text = (Path(settings.BASE_DIR) / "templates/connections/mcpb" / name).read_text(encoding="utf-8")
    return text.replace("{{ version }}", __version__)


urlpatterns: list[URLPattern] = [
    re_path(rf"^connect(?P<path>(?:/c/{ID_PATTERN})?(?:/readonly)?)/{BUNDLE}$", download, name="bundle"),
]
