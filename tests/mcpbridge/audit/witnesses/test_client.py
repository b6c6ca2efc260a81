"""Asking a witness: what it answers, and what each answer means of our log."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpbridge.audit.signing import SigningKeyPair, key_pair
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.merkle import leaf_hash, root_of
from mcpbridge.audit.tree.notes import key_named
from mcpbridge.audit.tree.proofs import consistency_proof, nodes_of
from mcpbridge.audit.witnesses.client import Cosigned, cosign, last_cosigned
from mcpbridge.audit.witnesses.config import Witness, check_witnesses, parse_witnesses
from mcpbridge.audit.witnesses.errors import NotCosignedError, RefusalKind
from tests.witness_server import HANG, WitnessServer

ORIGIN = "audit.example.com/0b6f1c52-9a3e-4a0f-8f1d-2d6f0f9c7a11/1"


@dataclass
class Log:
    """A log in memory."""

    leaves: list[bytes] = field(default_factory=list)
    key: SigningKeyPair = field(default_factory=lambda: key_pair("hoursmith evidence example"))

    def grow(self, size: int, history: str = "") -> None:
        self.leaves += [
            leaf_hash(hashlib.sha256(f"{history}{number}".encode()).digest())
            for number in range(len(self.leaves), size)
        ]

    def newest(self) -> tuple[TreeHead, str]:
        head = TreeHead(ORIGIN, len(self.leaves), root_of(self.leaves))
        return head, head.signed(self.key)

    def proof(self, older: int, newer: TreeHead) -> Sequence[bytes]:
        return consistency_proof(nodes_of(self.leaves), older, newer.size) if older else []


@pytest.fixture
def log(settings) -> Log:  # type: ignore[no-untyped-def]
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    log = Log()
    log.grow(5)
    return log


@pytest.fixture
def server(log: Log) -> Iterator[WitnessServer]:
    with WitnessServer(key_named(ORIGIN, log.key)) as server:
        yield server


def ask(server: WitnessServer, log: Log, known: int = 0, limit_s: float = 5.0) -> Cosigned:
    return cosign(Witness(server.vkey, server.url), log, known=known, limit_s=limit_s)


def refusal(server: WitnessServer, log: Log, known: int = 0, limit_s: float = 5.0) -> NotCosignedError:
    with pytest.raises(NotCosignedError) as refused:
        ask(server, log, known, limit_s)
    return refused.value


def test_each_checkpoint_is_cosigned(log: Log, server: WitnessServer) -> None:
    known = 0
    for size in (5, 5, 6, 13, 300):
        log.grow(size)
        found = ask(server, log, known)
        assert (found.head.size, found.line.name) == (size, "witness.example.com")
        assert abs(found.at - server.now()) < 60
        known = size
    assert len(server.requests) == 5


def test_a_witness_that_names_a_smaller_size_is_asked_again_with_it(log: Log, server: WitnessServer) -> None:
    ask(server, log)
    log.grow(9)
    assert ask(server, log, known=7).head.size == 9
    assert [body.split(b"\n")[0] for body in server.requests] == [b"old 0", b"old 7", b"old 5"]


def test_a_witness_that_was_forgotten_is_asked_again(log: Log, server: WitnessServer) -> None:
    ask(server, log)
    log.grow(9)
    assert ask(server, log).head.size == 9


def test_a_witness_that_knows_more_finds_us_behind(log: Log, server: WitnessServer) -> None:
    log.grow(9)
    ask(server, log)
    del log.leaves[7:]
    for known in (0, 5, 9):
        found = refusal(server, log, known)
        assert found.kind is RefusalKind.BEHIND
        assert str(found) == "The witness witness.example.com has cosigned 9 entries, but the log has 7."


def test_a_larger_size_that_another_process_signed_meanwhile_is_none(log: Log, server: WitnessServer) -> None:
    log.grow(9)
    ask(server, log)
    real, stale = log.newest, [Log(log.leaves[:7]).newest()]
    log.newest = lambda: stale.pop() if stale else real()  # type: ignore[method-assign]
    assert ask(server, log, known=5).head.size == 9


def test_another_history_is_changed(log: Log, server: WitnessServer) -> None:
    ask(server, log)
    log.leaves[2] = leaf_hash(b"forged")
    for size in (5, 8):
        log.grow(size)
        found = refusal(server, log, known=5)
        assert found.kind is RefusalKind.CHANGED
        assert "other entries" in str(found)


def test_an_unknown_log_or_key_is_for_the_operator(log: Log, server: WitnessServer) -> None:
    log.key = key_pair("another key")
    assert refusal(server, log).kind is RefusalKind.CONFIGURATION
    server.trusts.clear()
    assert refusal(server, log).kind is RefusalKind.CONFIGURATION


def test_a_cosignature_by_another_key_is_for_the_operator(log: Log, server: WitnessServer) -> None:
    other = Witness(WitnessServer(name="other.example.com").vkey, server.url)
    with pytest.raises(NotCosignedError, match=r"without a valid cosignature") as refused:
        cosign(other, log, known=0, limit_s=5.0)
    assert refused.value.kind is RefusalKind.CONFIGURATION


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (302, b""), (409, b"many\n"), (409, b"05\n"), (400, b"")],
)
def test_other_answers_pass(log: Log, server: WitnessServer, answer: tuple[int, bytes]) -> None:
    server.answers = [answer]
    assert refusal(server, log).kind is RefusalKind.UNAVAILABLE
    assert ask(server, log).head.size == 5


@pytest.mark.parametrize("body", [b"", b"ok\n", b"\xff\xfe", b"\xe2\x80\x94 witness.example.com AAAA\n" * 20])
def test_garbage_is_no_cosignature(log: Log, server: WitnessServer, body: bytes) -> None:
    server.answers = [(200, body)]
    assert refusal(server, log).kind is RefusalKind.CONFIGURATION


def test_a_size_that_changes_each_time_ends(log: Log, server: WitnessServer) -> None:
    server.answers = [(409, b"1\n"), (409, b"2\n"), (409, b"3\n"), (409, b"4\n")]
    assert refusal(server, log).kind is RefusalKind.UNAVAILABLE
    assert len(server.requests) == 3


def test_a_witness_that_hangs_or_is_gone_passes(log: Log, server: WitnessServer) -> None:
    server.answers = [HANG]
    assert refusal(server, log, limit_s=0.2).kind is RefusalKind.UNAVAILABLE
    gone = Witness(server.vkey, "http://127.0.0.1:9")
    with pytest.raises(NotCosignedError) as refused:
        cosign(gone, log, known=0, limit_s=5.0)
    assert refused.value.kind is RefusalKind.UNAVAILABLE


def test_an_address_that_must_not_be_called_is_not(log: Log, server: WitnessServer, settings) -> None:  # type: ignore[no-untyped-def]
    settings.LOG_DESTINATION_PRIVATE_NETWORKS = []
    assert "LOG_DESTINATION_PRIVATE_NETWORKS" in str(refusal(server, log))
    assert server.requests == []


def test_the_last_cosigned_checkpoint_is_read_back(log: Log, server: WitnessServer) -> None:
    witness, key = Witness(server.vkey, server.url), key_named(ORIGIN, log.key)
    assert last_cosigned(witness, [key], limit_s=5.0) is None
    ask(server, log)
    found = last_cosigned(witness, [key], limit_s=5.0)
    assert found is not None
    assert (found.head, list(found.cosigned)) == (log.newest()[0], [server.vkey])


@pytest.mark.parametrize("wrong", ["another key of ours", "no line of the witness", "garbage", "500"])
def test_what_does_not_verify_is_not_read_back(log: Log, server: WitnessServer, wrong: str) -> None:
    ask(server, log)
    head, note = server.latest[ORIGIN]
    key = key_pair("another") if wrong == "another key of ours" else log.key
    if wrong == "no line of the witness":
        server.latest[ORIGIN] = head, head.signed(log.key)
    elif wrong == "garbage":
        server.latest[ORIGIN] = head, note.replace("\n5\n", "\n6\n")
    elif wrong == "500":
        server.answers = [(500, b"")]
    with pytest.raises(NotCosignedError):
        last_cosigned(Witness(server.vkey, server.url), [key_named(ORIGIN, key)], limit_s=5.0)


def test_witnesses_are_parsed() -> None:
    one, other = WitnessServer(name="one.example.com"), WitnessServer(name="two.example.com")
    text = f"{one.vkey} https://one.example.com/w/ , {other.vkey} https://two.example.com"
    assert [(each.name, each.url) for each in parse_witnesses(text)] == [
        ("one.example.com", "https://one.example.com/w"),
        ("two.example.com", "https://two.example.com"),
    ]
    assert parse_witnesses("") == []


@pytest.mark.parametrize(
    "text",
    [
        "https://one.example.com",
        "nonsense https://one.example.com",
        f"{key_named(ORIGIN, key_pair('x'))} https://one.example.com",
        f"{WitnessServer().vkey} http://one.example.com",
        f"{WitnessServer().vkey} https://one.example.com?key=1",
        f"{WitnessServer().vkey} https://a.example.com, {WitnessServer().vkey} https://b.example.com",
    ],
)
def test_witnesses_that_cannot_be_used_are_named(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="AUDIT_WITNESSES"):
        check_witnesses(text)
