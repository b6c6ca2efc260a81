"""Which key may sign: the first, and whom a known key announced. A key that just turns up signs nothing."""

from dataclasses import replace
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from mcpbridge.audit.keyring import UnannouncedKeyError, announce_key, key_fault, published_keys, signing_key
from mcpbridge.audit.rows import append_rows, event_row
from mcpbridge.audit.signing import SigningKeyPair, is_signed, key_message, key_pair
from mcpbridge.models import AuditEvent, CallKind, Result, SigningKey
from tests.call_records import OWNER, a_call

pytestmark = pytest.mark.usefixtures("database")


def signs() -> SigningKeyPair:
    with transaction.atomic():
        return signing_key("default")


def a_row_in(*org_ids: str) -> None:
    rows = [a_call(kind=CallKind.CONSOLE, identity=replace(OWNER, org_id=org_id)) for org_id in org_ids]
    with transaction.atomic():
        append_rows("default", [event_row(row, actor="", note="", result=Result.SUCCEEDED) for row in rows])


def is_announced(key: dict[str, str], announcer: dict[str, str]) -> bool:
    message = key_message(
        key_id=key["key_id"],
        public_key=key["public_key"],
        since=datetime.fromisoformat(key["since"]),
        announced_by=key["announced_by"],
    )
    return is_signed(announcer["public_key"], message, key["signature"])


def test_the_first_key_registers_itself(settings: Any) -> None:
    assert published_keys() == {"keys": [], "current": ""}
    assert key_fault() == ""
    assert signs() == signs() == key_pair(settings.AUDIT_SIGNING_KEY)
    published = published_keys()
    (key,) = published["keys"]
    assert (key["announced_by"], published["current"]) == ("", signs().key_id)
    assert is_announced(key, key)


def test_a_key_that_nobody_announced_signs_nothing(settings: Any) -> None:
    first = signs()
    settings.AUDIT_SIGNING_KEY = "somebody else's"
    with pytest.raises(UnannouncedKeyError, match="changed without announcement"):
        signs()
    assert "changed without announcement" in key_fault()
    with pytest.raises(UnannouncedKeyError):
        announce_key(text="another", actor="Ana")
    assert [key["key_id"] for key in published_keys()["keys"]] == [first.key_id]


def test_an_announced_key_signs_and_announces_the_next(settings: Any) -> None:
    a_row_in("org-1", "org-2")
    announce_key(text="the second", actor="Ana")
    # Until it restarts with the new key, a process uses the old one.
    assert signs() == key_pair(settings.AUDIT_SIGNING_KEY)
    settings.AUDIT_SIGNING_KEY = "the second"
    assert (signs(), key_fault()) == (key_pair("the second"), "")
    announce_key(text="the third", actor="Ana")
    first, second, third = published_keys()["keys"]
    assert published_keys()["current"] == third["key_id"] == key_pair("the third").key_id
    assert is_announced(second, first)
    assert is_announced(third, second)
    assert not is_announced(third, first)
    told = AuditEvent.objects.filter(tool="console.key_rotate", target_id=second["key_id"])
    assert sorted(told.values_list("org_id", "actor")) == [("org-1", "Ana"), ("org-2", "Ana")]


def test_a_key_is_announced_once(settings: Any) -> None:
    with pytest.raises(ValueError, match="already known"):
        announce_key(text=settings.AUDIT_SIGNING_KEY, actor="Ana")
    assert SigningKey.objects.count() == 0


def test_a_key_id_alone_makes_no_key(settings: Any) -> None:
    signs()
    mine, forged = key_pair("mine"), key_pair("forged")
    SigningKey.objects.create(
        key_id=mine.key_id, public_key=forged.public_key, since=datetime.fromisoformat("2026-01-01T00:00:00Z")
    )
    settings.AUDIT_SIGNING_KEY = "mine"
    with pytest.raises(UnannouncedKeyError):
        signs()


def test_keygen_prints_a_fresh_key_alone() -> None:
    def printed() -> str:
        out = StringIO()
        call_command("audit_keygen", stdout=out)
        return out.getvalue()

    one, other = printed(), printed()
    assert one != other
    assert len(one.strip()) >= 64
    assert one.count("\n") == 1
    assert SigningKey.objects.count() == 0


def test_keygen_rotates_to_a_key_that_it_prints(settings: Any) -> None:
    out, err = StringIO(), StringIO()
    call_command("audit_keygen", rotate=True, stdout=out, stderr=err)
    made = key_pair(out.getvalue().strip())
    assert published_keys()["current"] == made.key_id
    assert made.key_id in err.getvalue()
    assert out.getvalue().strip() not in err.getvalue()


def test_keygen_rotates_to_a_key_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_SIGNING_KEY_NEW", "given")
    out = StringIO()
    call_command("audit_keygen", rotate=True, stdout=out, stderr=StringIO())
    assert published_keys()["current"] == key_pair("given").key_id
    assert out.getvalue() == ""


def test_keygen_says_why_it_cannot_rotate(settings: Any) -> None:
    signs()
    settings.AUDIT_SIGNING_KEY = "somebody else's"
    with pytest.raises(CommandError, match=r"Nothing was announced.*changed without announcement"):
        call_command("audit_keygen", rotate=True, stdout=StringIO())


def test_a_fault_while_announcing_leaves_neither_key_nor_event() -> None:
    a_row_in("org-1")
    with transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute("ALTER TABLE mcpbridge_auditevent RENAME TO elsewhere")
    with pytest.raises(Exception, match="mcpbridge_auditevent"):
        announce_key(text="the second", actor="Ana")
    assert SigningKey.objects.count() == 0
