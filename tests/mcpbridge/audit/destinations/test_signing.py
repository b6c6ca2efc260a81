"""A receiver that has only the secret can tell our requests from anybody else's."""

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.secret_box import decrypt, encrypt, new_secret
from mcpbridge.audit.destinations.signing import signed_headers
from tests.mcpbridge.audit.destinations.conftest import AWKWARD, World
from tests.mcpbridge.audit.destinations.receivers import HttpReceiver
from tests.paths import ROOT


def documented() -> Any:
    """The receiver's code of docs/audit-streaming.md, run unchanged."""
    text = (ROOT / "docs" / "audit-streaming.md").read_text(encoding="utf-8")
    snippet = next(found for found in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if "verify.py" in found)
    made: dict[str, Any] = {}
    exec(compile(snippet, "audit-streaming.md", "exec"), made)  # noqa: S102 - that is what readers do with it
    return made["verified"]


def test_the_documented_snippet_verifies_what_arrives_and_nothing_else(world: World) -> None:
    verified = documented()
    world.write(2, target_label=AWKWARD)
    with HttpReceiver() as receiver:
        destination = world.destination(receiver.url)
        world.round()
    (request,) = receiver.requests
    secret, now = world.secrets[destination.pk], world.now.timestamp()
    assert verified(request.headers, request.body, secret, now)
    assert verified(request.headers, request.body, secret, now + 200)
    assert not verified(request.headers, request.body + b" ", secret, now)
    assert not verified(request.headers, request.body, new_secret(), now)
    assert not verified({**request.headers, "webhook-id": "other"}, request.body, secret, now)
    # A replayed request is not accepted either.
    assert not verified(request.headers, request.body, secret, now + 3600)
    assert not verified({}, b"", secret, now)


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    # By the letter of its section on symmetric signatures.
    secret = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ok!").decode()
    headers = signed_headers(secret=secret, message_id="msg_1", timestamp=1674087231, body=b'{"a":1}')
    wanted = hmac.new(b"a secret of thirty-two bytes ok!", b'msg_1.1674087231.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1674087231",
        "webhook-signature": "v1," + base64.b64encode(wanted).decode(),
    }


def test_a_secret_is_encrypted_differently_each_time_and_for_its_workspace_only() -> None:
    secret = new_secret()
    first, second = encrypt(secret, org_id="org-1"), encrypt(secret, org_id="org-1")
    assert first != second
    assert decrypt(first, org_id="org-1") == decrypt(second, org_id="org-1") == secret
    for encrypted, org_id in ((first, "org-2"), (first[:-8], "org-1"), ("", "org-1"), ("not base64!", "org-1")):
        with pytest.raises(UndeliveredError, match="Rotate the secret of this destination"):
            decrypt(encrypted, org_id=org_id)


def test_no_secret_is_in_the_database_file_or_the_log(
    world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with HttpReceiver(500) as receiver:
        destination = world.destination(receiver.url)
        world.round()
    raw = world.secrets[destination.pk].removeprefix("whsec_")
    assert raw not in caplog.text
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert raw.encode() not in written
    assert base64.b64decode(raw) not in written
