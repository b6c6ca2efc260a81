"""The exact statements of restores, lost keys and recovery keys, as other implementations must read them."""

import json
from dataclasses import replace

import pytest

from mcpbridge.audit.signing import is_signed, key_pair
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import ChainHead, EpochStatement, LostKey
from mcpbridge.audit.tree.statements import key_statement

# ruff: noqa: E501
KEY = key_pair("hoursmith evidence example")
RECOVERY_KEY = key_pair("hoursmith recovery example")
NEXT = key_pair("hoursmith evidence example, next")
RESTORE = '{"at":"2026-11-23T12:00:00.000000Z","format":"hoursmith-restore-1","from":{"hash":"b8294ab8ff25376c32e34bf1a27feb2f2b68b7314e1592a21a0c64c9c46d185c","origin":"audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1","root":"d79d2f71d9ada6ad0196935a8a759cc193fadc9ba50c2bb248f72fd1394123b7","sequence":3},"kept":{"hash":"fbb10d0eb997c4735c85c82d515cbd55acbde3fa9148608c1eff8b2f990c1647","root":"b097db556c8fe40df82845a2b89bb000f8e62704a687bda7b494b4e3075181b8","sequence":2},"reason":"Restored the backup of 11:00.","to":"audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/2","workspace":"0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11"}'
RESTORE_SIGNATURE = "4w6jTG3w03Wctt+MTb9aroaWAd/sWePq9XGhXhntWfMRvskjiKdaMO6hu+Wy583xj9M/g3LsqHk762bJNWFhAg=="
BREAK = '{"at":"2026-11-23T12:00:00.000000Z","format":"hoursmith-break-1","from":{"hash":"b8294ab8ff25376c32e34bf1a27feb2f2b68b7314e1592a21a0c64c9c46d185c","origin":"audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1","root":"d79d2f71d9ada6ad0196935a8a759cc193fadc9ba50c2bb248f72fd1394123b7","sequence":3},"kept":{"hash":"b8294ab8ff25376c32e34bf1a27feb2f2b68b7314e1592a21a0c64c9c46d185c","root":"d79d2f71d9ada6ad0196935a8a759cc193fadc9ba50c2bb248f72fd1394123b7","sequence":3},"lost":"fQK1B3NaT81DeA+oRO1PoOCh1vNwRmteNsmZs78tewg=","public_key":"/uPQ046QydjZrhj2UkHRHtdizCTFF1HdGTGCMn1nXVA=","reason":"The disk with the key failed.","to":"audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/2","workspace":"0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11"}'
BREAK_SIGNATURE = "ZuP8sXJwNnJgiBhtQIyQwd2mB0cxi9ZbpFA/PzlBWaVar5Bu0sKh/HjM8IqHMJa4VM6qoxdtOdzscuyQze7VAg=="
RECOVERY = '{"format":"hoursmith-key-2","predecessor":"fQK1B3NaT81DeA+oRO1PoOCh1vNwRmteNsmZs78tewg=","public_key":"XMo11pVJhOBfhpZupy76EuAblQ496bhF5I5RC0mURlE=","since":"2026-11-23T11:30:00.000000Z","use":"recovery"}'
RECOVERY_SIGNATURE = "JFTlF5m8jgDT4ipDMqgsf0vB5qeYOgAPHUKRNHxN6kRZfJhZj5RXzJlisWrMuoaGmlYFZOYbQ+O3Hq5EgNcuDA=="
RECOVERY_COUNTERSIGNATURE = "YuX9fUnFxac2shCKgtDssZtw0TJMT2Nr2MX9SEkcLg6NUXELAW5WD4/FHA7ug/9ZqZpGUllGZ8o3KdPhoGyeCQ=="
RECOVERED = '{"format":"hoursmith-key-2","predecessor":"XMo11pVJhOBfhpZupy76EuAblQ496bhF5I5RC0mURlE=","public_key":"/uPQ046QydjZrhj2UkHRHtdizCTFF1HdGTGCMn1nXVA=","since":"2026-11-23T11:30:00.000000Z","use":"signing"}'
RECOVERED_SIGNATURE = "LslO/Dy/OPVGs56SO7RfbF3cI20ujOp8HeJ0JfgHjEIj2pFyMSUtFB8FYh0v4hNmFgr57kGmi8gJd/t+y+q2Aw=="
RECOVERED_COUNTERSIGNATURE = "vZELQBEM/zbswfcbzMC4hiDiqiYQUtlWjbarKwl7iJ0IgPeOpn5IAv0ZyiF7z01xaXzBhOr9c1ub1CbYxe77Cw=="

SAID = json.loads(RESTORE)


def head(said: dict[str, object]) -> ChainHead:
    return ChainHead(int(str(said["sequence"])), str(said["hash"]), str(said["root"]))


STATEMENT = EpochStatement(
    Origin.parse(SAID["from"]["origin"]),
    head(SAID["from"]),
    head(SAID["kept"]),
    "2026-11-23T12:00:00.000000Z",
    "Restored the backup of 11:00.",
)


def test_the_statement_of_a_restore_has_the_published_bytes() -> None:
    assert STATEMENT.message.decode() == RESTORE
    assert KEY.sign(STATEMENT.message) == RESTORE_SIGNATURE


def test_the_statement_of_a_lost_key_is_signed_by_the_new_one_alone() -> None:
    lost = replace(
        STATEMENT,
        kept=STATEMENT.given_up,
        reason="The disk with the key failed.",
        lost_key=LostKey(KEY.public_key, NEXT.public_key),
    )
    assert lost.message.decode() == BREAK
    assert NEXT.sign(lost.message) == BREAK_SIGNATURE
    assert not is_signed(KEY.public_key, lost.message, BREAK_SIGNATURE)


@pytest.mark.parametrize(
    ("line", "signature", "countersignature"),
    [
        (RECOVERY, RECOVERY_SIGNATURE, RECOVERY_COUNTERSIGNATURE),
        (RECOVERED, RECOVERED_SIGNATURE, RECOVERED_COUNTERSIGNATURE),
    ],
    ids=["recovery key", "key after it"],
)
def test_announcements_of_and_by_a_recovery_key_have_the_published_bytes(
    line: str, signature: str, countersignature: str
) -> None:
    said = json.loads(line)
    message = key_statement(**{name: said[name] for name in ("public_key", "predecessor", "since", "use")})
    assert message.decode() == line
    assert is_signed(said["predecessor"], message, signature)
    assert is_signed(said["public_key"], message, countersignature)


def test_no_log_keeps_more_than_it_had() -> None:
    with pytest.raises(FormatError):
        replace(STATEMENT, kept=replace(STATEMENT.kept, sequence=4))
    with pytest.raises(FormatError):
        replace(STATEMENT, kept=replace(STATEMENT.kept, sequence=-1))
