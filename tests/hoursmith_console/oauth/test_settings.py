"""The settings of OAuth: where it is on without being asked for, and what is refused at the start."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.declarations.reading import Environment
from hoursmith_console.oauth.settings import OAuthSettings, read_settings

KEY = "k3y" * 20
PUBLIC = "https://console.example.com"
LOCAL = "http://127.0.0.1:8000"


def read(var: Path, *, public_url: str = PUBLIC, is_sandbox: bool = False, **values: str) -> OAuthSettings:
    env = Environment(values)
    return read_settings(env, var, public_url=public_url, is_sandbox=is_sandbox)


@pytest.mark.parametrize(
    ("more", "values", "is_on", "sign_in"),
    [
        ({}, {}, False, "required"),
        ({}, {"OAUTH": "on"}, True, "required"),
        ({}, {"OAUTH": "on", "OAUTH_SIGN_IN": "optional"}, True, "optional"),
        ({"is_sandbox": True}, {}, True, "optional"),
        ({"is_sandbox": True}, {"OAUTH": "off"}, False, "optional"),
        ({"is_sandbox": True, "public_url": "http://console.example.com"}, {}, False, "optional"),
        ({"public_url": LOCAL}, {}, True, "optional"),
        ({"public_url": LOCAL}, {"OAUTH_SIGN_IN": "required"}, True, "required"),
    ],
)
def test_it_is_on_by_itself_only_in_the_sandbox_and_on_loopback(
    tmp_path: Path, more: dict[str, Any], values: dict[str, str], is_on: bool, sign_in: str
) -> None:
    found = read(tmp_path, **more, OAUTH_SEALING_KEY=KEY, **values)
    assert (found.is_on, found.sign_in) == (is_on, sign_in)


def test_without_a_key_it_is_off_or_refused(tmp_path: Path) -> None:
    assert not read(tmp_path, is_sandbox=True).is_on
    with pytest.raises(ImproperlyConfigured, match="OAUTH_SEALING_KEY is not set"):
        read(tmp_path, OAUTH="on")
    (tmp_path / "oauth_sealing_key").write_text(f"{KEY}\n", encoding="utf-8")
    assert read(tmp_path, OAUTH="on").sealing_key == KEY


def test_old_keys_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text(f"{'a' * 32}, {'b' * 32},\n", encoding="utf-8")
    found = read(tmp_path, OAUTH_SEALING_KEY=KEY, OAUTH_SEALING_KEYS_OLD_FILE=str(old))
    assert found.old_keys == ["a" * 32, "b" * 32]
    assert read(tmp_path, OAUTH_SEALING_KEY=KEY).old_keys == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"OAUTH_SEALING_KEY": "short"}, "OAUTH_SEALING_KEY"),
        ({"OAUTH_SEALING_KEYS_OLD": "short"}, "OAUTH_SEALING_KEYS_OLD"),
        ({"OAUTH_CLIENTS": "all"}, "OAUTH_CLIENTS"),
        ({"OAUTH_SIGN_IN": "no"}, "OAUTH_SIGN_IN"),
        ({"OAUTH_ACCESS_HOURS": "0"}, "OAUTH_ACCESS_HOURS"),
        ({"OAUTH_ACCESS_HOURS": "25"}, "OAUTH_ACCESS_HOURS"),
        ({"OAUTH_GRANT_DAYS": "-1"}, "OAUTH_GRANT_DAYS"),
        ({"OAUTH_GRANT_DAYS": "91"}, "OAUTH_GRANT_DAYS"),
        *(
            ({"OAUTH_REDIRECTS": f"https://a.example/cb,{each}"}, "OAUTH_REDIRECTS")
            for each in (
                "http://a.example/cb",
                "javascript:alert(1)",
                "data:text/html",
                "https://user@a.example/cb",
                "https://a.example/cb#x",
                "/cb",
                "https://[a/cb",
                "https://ä.example/cb",
            )
        ),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, values: dict[str, str], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{named} "):
        read(tmp_path, **{"OAUTH_SEALING_KEY": KEY, **values})


def test_assistants_never_sign_in_over_plain_http(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="only over https"):
        read(tmp_path, public_url="http://console.example.com", OAUTH="on", OAUTH_SEALING_KEY=KEY)
