import ast
import contextlib
import os
import stat
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from hoursmith_console import env as configuration
from hoursmith_console.declarations.all_settings import DECLARED
from hoursmith_console.declarations.reading import Environment
from hoursmith_console.paths import env_file
from hoursmith_console.secret_settings import GENERATED_SECRETS, generate_secrets, read_env_file, read_secret
from tests.paths import ROOT


def environment(**values):
    return Environment(values)


def test_a_setting_that_names_no_folder_is_refused(tmp_path):
    assert configuration.check_folder("DOCS_DIR", str(tmp_path)) == tmp_path.resolve()
    with pytest.raises(ImproperlyConfigured, match="DOCS_DIR"):
        configuration.check_folder("DOCS_DIR", str(tmp_path / "nothing"))


def test_secrets_are_generated_once_and_readable_by_the_owner_alone(tmp_path):
    var = tmp_path / "var"
    var.mkdir(mode=0o755)
    assert generate_secrets(var, {}) == ["SECRET_KEY", "AUDIT_SIGNING_KEY", "OAUTH_SEALING_KEY"]
    first = (var / "secret_key").read_text()
    assert generate_secrets(var, {}) == []
    assert (var / "secret_key").read_text() == first
    assert stat.S_IMODE((var / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(var.stat().st_mode) == 0o700


def test_no_secret_is_generated_where_one_is_given(tmp_path):
    given = {"SECRET_KEY": "set", "AUDIT_SIGNING_KEY_FILE": "/etc/key", "OAUTH_SEALING_KEY": "set"}
    assert generate_secrets(tmp_path, given) == []
    assert list(tmp_path.iterdir()) == []


def test_in_front_of_hosted_hoursmith_a_missing_secret_is_refused_and_not_made(tmp_path):
    hosted = {"HOURSMITH_API_URL": "https://hoursmith.app/api/v1", "PUBLIC_URL": "https://console.example.com"}
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set.*keep a copy apart from the database"):
        generate_secrets(tmp_path, hosted)
    assert list(tmp_path.iterdir()) == []
    # To try it on one's own machine, one variable is enough.
    made = generate_secrets(tmp_path, {**hosted, "PUBLIC_URL": "http://127.0.0.1:8000"})
    assert made == ["SECRET_KEY", "AUDIT_SIGNING_KEY", "OAUTH_SEALING_KEY"]
    # What was made once is kept.
    assert generate_secrets(tmp_path, hosted) == []


HOSTED = {"HOURSMITH_API_URL": "https://hoursmith.app/api/v1", "PUBLIC_URL": "https://console.example.com"}


@pytest.mark.parametrize("name", GENERATED_SECRETS)
@pytest.mark.parametrize("form", ["", "_FILE"])
@pytest.mark.parametrize("mode", [{}, HOSTED], ids=["sandbox", "hosted"])
def test_no_key_is_made_beside_a_given_one_and_hosted_none_at_all(tmp_path, name, form, mode):
    others = {other: "given" for other in GENERATED_SECRETS if other != name}
    assert generate_secrets(tmp_path, {**mode, **others, f"{name}{form}": "given"}) == []
    assert list(tmp_path.iterdir()) == []
    if mode:
        # That of assistants is needed only where they may sign in, which is off then.
        refused = contextlib.nullcontext() if name == "OAUTH_SEALING_KEY" else pytest.raises(ImproperlyConfigured)
        with refused:
            generate_secrets(tmp_path, {**mode, **others})
        assert list(tmp_path.iterdir()) == []
    else:
        assert generate_secrets(tmp_path, {**mode, **others}) == [name]


def test_every_key_that_must_be_there_is_one_of_them():
    """What the settings read from `var/` without a default is either made at a first start or optional."""
    source = ast.parse((ROOT / "hoursmith_console/settings.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call)]
    needed = {
        call.args[2].value for call in calls if ast.unparse(call.func).endswith("read_secret") and not call.keywords
    }
    assert needed == {"SECRET_KEY", "AUDIT_SIGNING_KEY"}
    assert needed < set(GENERATED_SECRETS)
    assert all(DECLARED[name].is_secret for name in GENERATED_SECRETS)


def test_a_secret_comes_from_the_environment_then_its_file_then_var(tmp_path):
    (tmp_path / "secret_key").write_text("generated\n")
    named = tmp_path / "named"
    named.write_text("from the file\n")
    read = read_secret
    assert read(environment(SECRET_KEY="set"), tmp_path, "SECRET_KEY", default="") == "set"
    assert read(environment(SECRET_KEY_FILE=str(named)), tmp_path, "SECRET_KEY", default="") == "from the file"
    assert read(environment(), tmp_path, "SECRET_KEY", default="") == "generated"


@pytest.mark.parametrize("content", [None, ""])
def test_a_secrets_file_that_is_missing_or_empty_is_named(tmp_path, content):
    path = tmp_path / "named"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ImproperlyConfigured, match=f"SECRET_KEY_FILE: {path}"):
        read_secret(environment(SECRET_KEY_FILE=str(path)), tmp_path, "SECRET_KEY", default="")


@pytest.mark.parametrize(
    "url",
    [
        "http://hoursmith.app/api/v1",
        "ftp://hoursmith.app",
        "hoursmith.app",
        "https://user:pass@hoursmith.app/api/v1",
        "https://hoursmith.app/api/v1?x=1",
        "http://127.0.0.1.evil.example/api/v1",
        "http://127.0.0.1@evil.example/api/v1",
        "http://localhost.evil.example/api/v1",
        "http://2130706433/api/v1",
        "http://0x7f.1/api/v1",
        "http://169.254.169.254/api/v1",
        "http://[::ffff:169.254.169.254]/api/v1",
        "http://[fe80::1%25lo]/api/v1",
        "https://@evil.example/api/v1",
        "https://hoursmith.app\\@evil.example/api/v1",
        "https://hoursmith.app%2f@evil.example/api/v1",
        "https://hoursmith.app%2eevil.example/api/v1",
        "https://hoursmith.app:443@evil.example/api/v1",
        "https://hoursmith.app:99999/api/v1",
        "https://hoursmith.app:0/api/v1",
        "https://[::1/api/v1",
        "https://hoursmith.app\n.evil.example/api/v1",
        "https://hoursmith.app\t/api/v1",
        "https://hoürsmith.app/api/v1",
        "https://hoursmith。app/api/v1",
        "https://hoursmith.app/api/v1#x",
        "https:hoursmith.app",
        "https:///api/v1",
        "",
    ],
)
def test_tokens_travel_only_over_https_or_loopback(url):
    with pytest.raises(ImproperlyConfigured, match="HOURSMITH_API_URL"):
        configuration.check_upstream_url(url)


def test_a_password_in_the_address_is_not_repeated():
    for url in ("https://ana:hunter2@hoursmith.app/", "ftp://ana:hunter2@hoursmith.app/", "//ana:hunter2@x"):
        with pytest.raises(ImproperlyConfigured) as refused:
            configuration.check_upstream_url(url)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://hoursmith.app/api/v1/", "http://127.0.0.1:9000/api/v1", "http://[::1]:9/x"])
def test_https_and_loopback_addresses_are_taken(url):
    assert configuration.check_upstream_url(url) == url.rstrip("/")


def started(**values):
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env={**clean, **values}, capture_output=True, text=True
    )


def test_a_public_sandbox_is_refused_unless_it_is_meant(tmp_path):
    settings = {"VAR_DIR": str(tmp_path), "SECRET_KEY": "x" * 50, "AUDIT_SIGNING_KEY": "y"}
    public = {**settings, "PUBLIC_URL": "https://console.example.com"}
    refused = started(**public)
    assert refused.returncode == 1
    assert "SANDBOX=on" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert started(**public, SANDBOX="on").returncode == 0
    assert started(**settings).returncode == 0


def test_a_missing_secret_is_one_sentence(tmp_path):
    refused = started(VAR_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("Not started: SECRET_KEY is not set.")
    assert len(refused.stderr.splitlines()) == 1


def test_anchors_are_kept_in_files_by_witnesses_or_outright_nowhere():
    for value in ("file", "none"):
        assert configuration.check_anchor(value, witnesses="", log_name="") == value
    assert configuration.check_anchor("witness", witnesses="a key", log_name="a.example") == "witness"
    for value in ("witness", "", "disk"):
        with pytest.raises(ImproperlyConfigured, match="AUDIT_ANCHOR"):
            configuration.check_anchor(value, witnesses=" ", log_name="a.example")
    with pytest.raises(ImproperlyConfigured, match="AUDIT_LOG_NAME is not set"):
        configuration.check_anchor("witness", witnesses="a key", log_name="")
    line = '{"type":"checkpoint","workspace":"org-1","sequence":1,"hash":"ab","signature":"x"}'
    assert configuration.check_anchor_floor(line) == line
    for text in (
        "x",
        "[]",
        "1",
        '{"type":"checkpoint"}',
        line.replace("checkpoint", "cut"),
        line.replace('"ab"', '""'),
    ):
        with pytest.raises(ImproperlyConfigured, match="AUDIT_ANCHOR_FLOOR"):
            configuration.check_anchor_floor(text)


def test_the_fingerprint_of_a_former_key_is_whole():
    digits = "0f" * 32
    assert configuration.check_fingerprint(f" {digits.upper()[:30]}:{digits.upper()[30:]}\n") == digits
    assert configuration.check_fingerprint("") == ""
    for text in ("0f" * 31, "x" * 64, "0f" * 33):
        with pytest.raises(ImproperlyConfigured, match="AUDIT_KEY_FINGERPRINT"):
            configuration.check_fingerprint(text)


def test_the_file_of_settings_sets_what_the_environment_does_not(tmp_path, monkeypatch):
    path = tmp_path / "environment"
    path.write_text("# A comment\nPORT=9000\nPUBLIC_URL=https://console.example.com\n")
    monkeypatch.setenv("ENV_FILE", str(path))
    monkeypatch.setenv("PORT", "8001")
    # Set first, so that it is put back as it was.
    monkeypatch.setenv("PUBLIC_URL", "")
    monkeypatch.delenv("PUBLIC_URL")
    read_env_file(env_file())
    assert (os.environ["PORT"], os.environ["PUBLIC_URL"]) == ("8001", "https://console.example.com")


def test_a_named_file_of_settings_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    read_env_file(tmp_path / "none")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match="ENV_FILE"):
        read_env_file(env_file())
