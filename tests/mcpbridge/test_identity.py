import asyncio
from collections.abc import Callable

import pytest

from mcpbridge.credentials import CredentialFaultError, Fault, credential_from_text
from mcpbridge.gate import BAD_TOKENS_PER_ADDRESS, AttemptLimit, TooManyAttemptsError
from mcpbridge.identity import REFUSED_S, STALE_S, Identities, IdentityUnavailableError
from mcpbridge.upstream import Reply, UpstreamError, UpstreamTimeoutError
from tests.conftest import assembled_token

ME = {
    "orgId": "org-1",
    "orgName": "Northwind",
    "plan": "agency",
    "role": "manager",
    "tokenName": "Laptop",
    "scopes": ["read"],
}
GOOD = Reply(200, {"data": ME})
REFUSED = Reply(401, {"error": {"code": "unauthenticated"}})


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Hoursmith:
    """Answers `/me` as told and counts the questions."""

    def __init__(self, answer: Callable[[], Reply]):
        self.answer = answer
        self.asked = 0

    async def send(self, call, credential):
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer()


def identities(answer, clock, *, seen=False, workers=1):
    async def was_seen(credential):
        return seen

    hoursmith = Hoursmith(answer)
    limit = AttemptLimit(workers=workers, clock=clock)
    return Identities(hoursmith, limit, was_seen=was_seen, ttl_s=30, clock=clock), hoursmith


def credential(number=0):
    return credential_from_text(assembled_token(prefix=f"{number:012x}"))


def test_an_identity_is_asked_for_once_and_then_remembered_for_its_time():
    clock = Clock()
    known, hoursmith = identities(lambda: GOOD, clock)

    async def story():
        first = await known.of(credential(), address="a")
        assert (first.org_id, first.role, first.scopes) == ("org-1", "MANAGER", ("read",))
        clock.now += 29
        await known.of(credential(), address="a")
        assert hoursmith.asked == 1
        clock.now += 2
        await known.of(credential(), address="a")
        assert hoursmith.asked == 2

    asyncio.run(story())


def test_many_calls_at_once_ask_one_question():
    known, hoursmith = identities(lambda: GOOD, Clock())

    async def story():
        await asyncio.gather(*(known.of(credential(), address="a") for _ in range(20)))

    asyncio.run(story())
    assert hoursmith.asked == 1


def test_a_caller_who_goes_away_does_not_take_the_answer_from_the_others():
    known, _ = identities(lambda: GOOD, Clock())

    async def story():
        await known.of(credential(), address="a")
        first = asyncio.create_task(known.of(credential(), address="a", fresh=True))
        second = asyncio.create_task(known.of(credential(), address="a", fresh=True))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).org_id == "org-1"

    asyncio.run(story())


def test_a_fresh_look_finds_a_revocation_at_once():
    answers = [GOOD, REFUSED]
    known, _ = identities(lambda: answers.pop(0), Clock())

    async def story():
        await known.of(credential(), address="a")
        with pytest.raises(CredentialFaultError) as caught:
            await known.of(credential(), address="a", fresh=True)
        assert caught.value.fault is Fault.REJECTED
        with pytest.raises(CredentialFaultError):
            await known.of(credential(), address="a")

    asyncio.run(story())


def test_a_refused_token_is_not_asked_about_again_for_a_while():
    clock = Clock()
    known, hoursmith = identities(lambda: REFUSED, clock)

    async def story():
        for _ in range(50):
            with pytest.raises(CredentialFaultError):
                await known.of(credential(), address="a")
        assert hoursmith.asked == 1
        clock.now += REFUSED_S + 1
        with pytest.raises(CredentialFaultError):
            await known.of(credential(), address="a")
        assert hoursmith.asked == 2

    asyncio.run(story())


def test_bad_tokens_never_spend_hoursmiths_budget_of_ten_a_minute():
    clock = Clock()
    known, hoursmith = identities(lambda: REFUSED, clock)

    async def attempt(number, address):
        try:
            await known.of(credential(number), address=address)
        except CredentialFaultError:
            return "refused"
        except TooManyAttemptsError as error:
            return "limited" if 1 <= error.retry_after <= 60 else "limited for too long"

    async def story():
        at_once = await asyncio.gather(*(attempt(number, "one") for number in range(30)))
        assert at_once.count("refused") == BAD_TOKENS_PER_ADDRESS
        assert at_once.count("limited") == 30 - BAD_TOKENS_PER_ADDRESS
        for number in range(100, 130):
            await attempt(number, f"address {number}")
        assert hoursmith.asked < 10
        clock.now += 61
        assert await attempt(500, "one") == "refused"

    asyncio.run(story())


def test_workers_share_the_budget():
    known, hoursmith = identities(lambda: REFUSED, Clock(), workers=4)

    async def story():
        for number in range(30):
            with pytest.raises((CredentialFaultError, TooManyAttemptsError)):
                await known.of(credential(number), address=f"{number}")

    asyncio.run(story())
    assert hoursmith.asked == 2


def test_people_whose_token_was_seen_before_are_not_locked_out_by_strangers():
    clock = Clock()
    answers = [REFUSED] * 8 + [GOOD]
    known, _ = identities(lambda: answers.pop(0), clock, seen=True)

    async def story():
        for number in range(8):
            with pytest.raises(CredentialFaultError):
                await known.of(credential(number), address=f"{number}")
        assert (await known.of(credential(99), address="office")).org_id == "org-1"

    asyncio.run(story())


@pytest.mark.parametrize("trouble", [UpstreamTimeoutError(), Reply(503, {}), Reply(429, {}, 7), Reply(500, {})])
def test_while_hoursmith_cannot_be_asked_a_known_caller_stays_known_for_ten_minutes(trouble):
    clock = Clock()
    answers = [GOOD]

    def answer():
        if answers:
            return answers.pop(0)
        if isinstance(trouble, UpstreamError):
            raise trouble
        return trouble

    known, _ = identities(answer, clock)

    async def story():
        await known.of(credential(), address="a")
        clock.now += STALE_S - 1
        assert (await known.of(credential(), address="a")).org_id == "org-1"
        clock.now += 2
        with pytest.raises((UpstreamError, IdentityUnavailableError)):
            await known.of(credential(), address="a")

    asyncio.run(story())


def test_a_lapsed_plan_is_told_and_not_covered_by_the_memory():
    clock = Clock()
    answers = [GOOD, Reply(402, {"error": {"code": "forbidden_plan", "requiredPlan": "studio"}})]
    known, _ = identities(lambda: answers.pop(0), clock)

    async def story():
        await known.of(credential(), address="a")
        clock.now += 31
        with pytest.raises(IdentityUnavailableError) as caught:
            await known.of(credential(), address="a")
        assert caught.value.reply.status == 402

    asyncio.run(story())


@pytest.mark.parametrize(
    "payload", [{"data": None}, {"data": []}, {"data": {}}, {"data": {"orgId": ""}}, {"data": {"orgId": 7}}]
)
def test_an_answer_without_a_workspace_is_no_identity(payload):
    known, _ = identities(lambda: Reply(200, payload), Clock())
    with pytest.raises(UpstreamError):
        asyncio.run(known.of(credential(), address="a"))


def test_the_memory_holds_no_token_and_no_digest_that_another_process_could_make():
    one, _ = identities(lambda: GOOD, Clock())
    two, _ = identities(lambda: GOOD, Clock())

    async def story():
        await one.of(credential(), address="a")
        await two.of(credential(), address="a")

    asyncio.run(story())
    assert set(one._known).isdisjoint(two._known)
    assert credential().secret not in repr(vars(one))
