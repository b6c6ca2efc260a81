"""Whether a token was accepted before, asked of either database, also while it is away."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.auth.accepted_tokens import AcceptedTokens
from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.core.credential import Credential
from mcpbridge.models import ObservedToken
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.usefixtures("database")
REAL = credential_from_text(assembled_token())
Ask = Callable[..., list[bool]]


def guess(number: int, prefix: str = REAL.prefix) -> Credential:
    return credential_from_text(assembled_token(prefix, secret=f"guess{number:05}"))


@pytest.fixture
def accepted(runner: asyncio.Runner) -> Iterator[AcceptedTokens]:
    """The look-up of a process, after Hoursmith has accepted the real token through another one."""
    recorder = ActivityRecorder()
    recorder.start()
    recorder.call(a_call(caller={"prefix": REAL.prefix, "digests": REAL.digests}), SUCCEEDED)
    runner.run(recorder.stop())
    found = AcceptedTokens(limit_s=5)
    yield found
    found.close()


@pytest.fixture
def ask(accepted: AcceptedTokens, runner: asyncio.Runner) -> Ask:
    """Ask about credentials, all at once."""

    async def at_once(credentials: tuple[Credential, ...]) -> list[bool]:
        return await asyncio.gather(*map(accepted.has, credentials))

    return lambda *credentials: runner.run(at_once(credentials))


def test_the_token_is_known_and_its_prefix_is_not_enough(ask: Ask) -> None:
    other_environment = credential_from_text(assembled_token(env="test"))
    assert ask(REAL, guess(1), guess(2, "0123456789ab"), other_environment) == [True, False, False, False]


def test_a_token_of_which_no_digest_is_kept_is_unknown(ask: Ask) -> None:
    ObservedToken.objects.update(token_digest=None)
    assert ask(REAL) == [False]


def test_a_flood_of_made_up_tokens_does_not_hide_a_real_one(ask: Ask) -> None:
    flood = [guess(number, f"{number:012x}") for number in range(1_500)]
    answers = ask(*flood, REAL)
    assert (sum(answers), answers[-1]) == (1, True)


def test_a_database_that_cuts_the_line_is_asked_again(postgres_database: RecordDatabase, ask: Ask) -> None:
    assert ask(REAL) == [True]
    postgres_database.disconnect_everybody()
    assert [ask(REAL) for _ in range(2)][-1] == [True]


def test_while_the_database_does_not_answer_nobody_is_known_and_nobody_waits_for_it(
    database: RecordDatabase, accepted: AcceptedTokens, runner: asyncio.Runner
) -> None:
    accepted.close()
    impatient = AcceptedTokens(limit_s=0.3)
    if database.path is not None:
        database.path.rename(database.folder / "elsewhere")
        answer = runner.run(impatient.has(REAL))
        database.path.unlink()
        (database.folder / "elsewhere").rename(database.path)
    else:
        with database.held():
            answer = runner.run(impatient.has(REAL))
    assert answer is False
    impatient.close()
