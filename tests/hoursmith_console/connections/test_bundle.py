"""The extension for Claude Desktop: what is in it, and how it is served."""

import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from hoursmith_console.connections.bundle import bundle
from hoursmith_console.connections.catalogue.mcp_client import Target

ADDRESS = "/connect/hoursmith.mcpb"
PATHS = ("", "/readonly", "/c/9d2f61", "/c/9d2f61/readonly")


def served(path: str = "") -> Any:
    return Client().get(f"/connect{path}/hoursmith.mcpb")


def files_in(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}


@pytest.mark.parametrize("path", PATHS)
def test_it_connects_to_the_address_of_the_same_path(path: str) -> None:
    found = files_in(served(path).content)
    manifest = json.loads(found["manifest.json"])

    assert set(found) == {"manifest.json", "server/index.js"}
    address = f"{settings.PUBLIC_URL}/mcp{path}"
    assert manifest["user_config"]["url"]["default"] == address
    assert Target(address).bundle_address == f"{settings.PUBLIC_URL}/connect{path}/hoursmith.mcpb"


def test_the_app_asks_for_the_token_and_keeps_it() -> None:
    found = files_in(served().content)
    manifest = json.loads(found["manifest.json"])
    token = manifest["user_config"]["token"]

    assert (token["sensitive"], token["required"]) == (True, True)
    assert "default" not in token
    assert manifest["server"]["mcp_config"]["env"]["HOURSMITH_API_TOKEN"] == "${user_config.token}"
    assert not re.search("hsk_|hse_", "".join(found.values()))


def test_anyone_may_have_it_and_may_keep_it() -> None:
    answer = served()

    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="hoursmith.mcpb"'
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    # Nothing of it depends on who asks.
    assert "Vary" not in answer.headers
    assert not answer.cookies
    again = Client().get(ADDRESS, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_its_bytes_are_the_same_each_time_it_is_built() -> None:
    first = bundle("https://console.example/mcp")
    bundle.cache_clear()

    assert bundle("https://console.example/mcp") == first


@pytest.mark.parametrize("path", ["/c", "/c/", "/c/a/b", "/c/..", "/c/a%0A", "/x", f"/c/{'a' * 41}", "/readonly/c/a"])
def test_no_other_path_has_one(path: str) -> None:
    assert served(path).status_code == 404


def test_it_is_only_read() -> None:
    assert Client().post(ADDRESS).status_code == 405
    assert Client().head(ADDRESS).status_code == 200
