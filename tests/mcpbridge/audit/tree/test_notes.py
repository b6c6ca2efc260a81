import base64
from dataclasses import replace

import pytest

from mcpbridge.audit.signing import key_pair
from mcpbridge.audit.tree.checkpoints import TreeHead, open_checkpoint
from mcpbridge.audit.tree.errors import FormatError, ProofError, TreeError
from mcpbridge.audit.tree.merkle import EMPTY_ROOT
from mcpbridge.audit.tree.notes import (
    COSIGNATURE,
    VerifierKey,
    cosignature_line,
    cosigned_at,
    key_named,
    open_note,
    parse_note,
    signature_line,
)
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.proof_files import ProofFile
from mcpbridge.audit.tree.statements import CheckpointStatement

LOG, OTHER, WITNESS = (key_pair(text) for text in ("the log", "another log", "a witness"))
NAME = "logs.example.com/org-1/1"
KEY = key_named(NAME, LOG)
COSIGNER = key_named("witness.example.com/w", WITNESS, kind=COSIGNATURE)
HEAD = TreeHead(NAME, 5, bytes(range(32)))
NOTE = HEAD.signed(LOG)
LINE = NOTE.split("\n\n")[1]


def _cosigned(signer=WITNESS, seconds=1_800_000_000) -> str:
    return NOTE + str(cosignature_line(HEAD.text, name=COSIGNER.name, signer=signer, seconds=seconds))


def test_the_key_of_the_specification_is_read():
    text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    assert str(VerifierKey.parse(text)) == text


def test_a_signed_head_opens_with_its_key_only():
    assert open_checkpoint(NOTE, KEY).head == HEAD
    for key in (key_named(NAME, OTHER), key_named("logs.example.com/org-2/1", LOG), COSIGNER):
        with pytest.raises(ProofError):
            open_checkpoint(NOTE, key)


def test_cosignatures_carry_their_time_and_are_verified_when_their_key_is_given():
    opened = open_checkpoint(_cosigned(), KEY, cosigners=[COSIGNER])
    assert opened.cosigned == {COSIGNER: 1_800_000_000}
    assert open_checkpoint(NOTE, KEY, cosigners=[COSIGNER]).cosigned == {}
    (line,) = [line for line in opened.note.lines if line.name == COSIGNER.name]
    assert cosigned_at(line.signature) == 1_800_000_000
    forged = replace(line, signature=(1_700_000_000).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(ProofError):
        open_checkpoint(NOTE + str(forged), KEY, cosigners=[COSIGNER])


def test_a_wrong_line_of_a_known_key_rejects_the_note_beside_a_right_one():
    wrong = str(replace(signature_line(HEAD.text, name=NAME, signer=OTHER), key_id=KEY.key_id))
    for note in (NOTE + wrong, NOTE.replace(LINE, wrong + LINE)):
        with pytest.raises(ProofError):
            open_checkpoint(note, KEY)
    with pytest.raises(ProofError):
        open_checkpoint(
            NOTE
            + str(
                replace(
                    cosignature_line(HEAD.text, name=COSIGNER.name, signer=OTHER, seconds=1), key_id=COSIGNER.key_id
                )
            ),
            KEY,
            cosigners=[COSIGNER],
        )


def test_lines_of_unknown_keys_are_ignored():
    stranger = str(signature_line(HEAD.text, name="stranger", signer=OTHER))
    assert open_checkpoint(stranger.join(NOTE.split(LINE)) + LINE, KEY).head == HEAD
    with pytest.raises(ProofError):
        open_checkpoint(NOTE.replace(LINE, stranger), KEY)


def _spelled_otherwise(line: str) -> str:
    """The same bytes in base64 that is not canonical: the last character before the padding has spare bits."""
    head, _, coded = line.rstrip("\n").rpartition(" ")
    body = coded.rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spare = alphabet[alphabet.index(body[-1]) ^ 1]
    other = body[:-1] + spare + "=" * (len(coded) - len(body))
    assert base64.b64decode(other) == base64.b64decode(coded)
    return f"{head} {other}\n"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "no signature\n",
        HEAD.text,
        HEAD.text + "\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("\u2014", "-"),
        NOTE.rstrip("\n"),
        NOTE + "\n",
        NOTE.replace(LINE, LINE.replace("=", "")),
        NOTE.replace(LINE, _spelled_otherwise(LINE)),
        NOTE.replace(LINE, LINE[:30] + "\n"),
        NOTE.replace(LINE, f"\u2014 {NAME} AAAAAA==\n"),
        NOTE.replace(LINE, LINE.replace(" ", "  ")),
        NOTE + "\u2014 a+b AAAAAAA=\n",
        NOTE.replace("5\n", "5\t\n"),
        NOTE.replace("5\n", "5\x00\n"),
        NOTE.replace(LINE, LINE * 61),
        NOTE + "\u2014 stranger " + "AAAA" * 17_000 + "\n",
        NOTE.encode() + b"\xff\n",
    ],
)
def test_malformed_notes_are_refused(note):
    with pytest.raises(FormatError):
        parse_note(note)


def test_a_note_may_have_sixty_signatures():
    assert len(parse_note(NOTE.replace(LINE, LINE * 60)).lines) == 60


def _note_of(text: str) -> str:
    return f"{text}\n{signature_line(text, name=NAME, signer=LOG)}"


@pytest.mark.parametrize(
    "text",
    [
        HEAD.text + "an extension line\n",
        HEAD.text.replace("\n5\n", "\n05\n"),
        HEAD.text.replace("\n5\n", "\n+5\n"),
        HEAD.text.replace("\n5\n", "\n-5\n"),
        HEAD.text.replace("\n5\n", "\n0\n"),
        HEAD.text.replace("\n5\n", "\n٥\n"),
        HEAD.text.replace("\n5\n", "\n1000000000000000000000\n"),
        f"{NAME}\n5\n",
        f"{NAME}\n5\nAAAA\n",
        f"{NAME}\n5\n{base64.b64encode(bytes(31)).decode()}\n",
        f"\n5\n{base64.b64encode(bytes(32)).decode()}\n",
    ],
)
def test_signed_texts_that_are_no_checkpoints_are_refused(text):
    open_note(_note_of(text), KEY)
    with pytest.raises(FormatError):
        open_checkpoint(_note_of(text), KEY)


def test_a_checkpoint_of_another_origin_is_refused_although_the_key_signed_it():
    other = TreeHead("logs.example.com/org-1/2", 5, HEAD.root)
    with pytest.raises(ProofError):
        open_checkpoint(_note_of(other.text), KEY)


def test_an_empty_tree_has_the_empty_root():
    assert TreeHead(NAME, 0, EMPTY_ROOT).signed(LOG)
    with pytest.raises(FormatError):
        TreeHead(NAME, 0, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        str(KEY).replace(KEY.key_id.hex(), "00000000"),
        str(KEY).upper(),
        str(KEY) + " ",
        str(KEY)[:-4],
        f"{NAME}+{KEY.key_id.hex()}",
        "a b" + str(KEY),
        "+".join(["a", *str(KEY).split("+")]),
        "",
    ],
)
def test_malformed_verifier_keys_are_refused(text):
    with pytest.raises(FormatError):
        VerifierKey.parse(text)


def test_a_statement_is_never_valid_as_a_note_nor_a_note_as_a_statement():
    statement = CheckpointStatement(NAME, 5, "ab" * 32, HEAD.root.hex(), "2026-11-23T11:15:00.000000Z").message
    assert statement.startswith(b"{")
    assert b"\n" not in statement
    assert not HEAD.text.startswith("{")
    assert HEAD.text.endswith("\n")


def test_origins_name_workspace_epoch_and_first_row():
    for origin, text in (
        (Origin("logs.example.com", "org-1"), "logs.example.com/org-1/1"),
        (Origin("hoursmith-console/eba59a34e37b8724", "a/b ü+", 3, 17), None),
        (Origin("localhost:8000/x", "o", 12, 2), "localhost:8000/x/o/12-from-2"),
    ):
        assert Origin.parse(str(origin)) == origin
        assert text in (None, str(origin))
    assert str(Origin("h", "a/b ü+", 3)) == "h/a%2Fb%20%C3%BC%2B/3"
    assert Origin("h", "o", 1, 5).index_of(5) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h/o",
        "h/o/0",
        "h/o/01",
        "h/o/1-from-1",
        "h/o/1-from-02",
        "h/o/1-from-",
        "h/o/1/",
        "h//1",
        "/o/1",
        ".h/o/1",
        "h h/o/1",
        "h+h/o/1",
        "h/%6f/1",
        "h/ü/1",
        "h/o/1\n",
        "h" * 252 + "/o/1",
    ],
)
def test_other_origins_are_refused(text):
    with pytest.raises(FormatError):
        Origin.parse(text)


def test_a_statement_is_read_only_if_its_origin_agrees():
    made = CheckpointStatement(NAME, 5, "ab" * 32, HEAD.root.hex(), "2026-11-23T11:15:00.000000Z")
    assert CheckpointStatement.from_dict({**made.as_dict(), "type": "checkpoint"}) == made
    made.refuse_other(HEAD)
    for change in (
        {"workspace": "org-2"},
        {"epoch": 2},
        {"epoch": True},
        {"first": 2},
        {"format": "hoursmith-checkpoint-1"},
        {"sequence": "5"},
        {"sequence": -1},
        {"root": "AB" * 32},
        {"hash": "ab"},
        {"at": None},
        {"origin": "x"},
    ):
        with pytest.raises(FormatError):
            CheckpointStatement.from_dict({**made.as_dict(), **change})
    for head in (replace(HEAD, size=6), replace(HEAD, root=bytes(32)), replace(HEAD, origin="h/org-1/2")):
        with pytest.raises(ProofError):
            made.refuse_other(head)


def test_a_proof_file_is_read_as_it_was_written():
    made = ProofFile(3, (bytes(32), HEAD.root), NOTE)
    assert ProofFile.parse(str(made)) == made
    assert ProofFile.parse(str(replace(made, proof=()))) == replace(made, proof=())


@pytest.mark.parametrize(
    "change",
    [
        ("@v1", "@v2"),
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3\n", ""),
        ("index 3\n", "extra AAAA\nindex 3\n"),
        ("A=\n", "\n"),
        ("A=\n", "B=\n"),
        ("\n\n", "\n"),
        ("index 3\n", "index 3\r\n"),
        ("index 3\n", "index 3\n" + base64.b64encode(bytes(32)).decode() * 64),
    ],
)
def test_malformed_proof_files_are_refused(change):
    made = str(ProofFile(3, (bytes(32),), NOTE))
    with pytest.raises(TreeError):
        open_checkpoint(ProofFile.parse(made.replace(*change, 1)).checkpoint, KEY)
