import asyncio
import contextlib
import gc
from collections import deque
from collections.abc import Callable

import pytest

from mcpbridge.auth.credentials import credential_from_text
from mcpbridge.auth.identity import STALE_S, IdentityCache, IdentityUnavailableError
from mcpbridge.auth.rate_limit import TooManyAttemptsError
from mcpbridge.auth.rejected_tokens import MAX_SLOTS_PER_ADDRESS, REJECTED_FOR_S, RejectedTokens
from mcpbridge.core.credential import CredentialError, CredentialErrorCode
from mcpbridge.upstream import ApiResponse, UpstreamError, UpstreamTimeoutError
from tests.token_shapes import assembled_token

ME = {
    "orgId": "org-1",
    "orgName": "Northwind",
    "plan": "agency",
    "role": "manager",
    "tokenName": "Laptop",
    "scopes": ["read"],
}
GOOD = ApiResponse(200, {"data": ME})
REFUSED = ApiResponse(401, {"error": {"code": "unauthenticated"}})


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Hoursmith:
    """Answers `/me` as told and counts the questions."""

    def __init__(self, answer: Callable[[], ApiResponse]):
        self.answer = answer
        self.asked = 0

    async def send(self, call, credential):
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer()


def identities(answer, clock, *, accepted=(), path=None, workers=1):
    """A process's identities; `accepted` are the digests that the database knows."""

    async def was_accepted(credential):
        return credential.digests[0] in accepted

    hoursmith = Hoursmith(answer)
    refusals = RejectedTokens(path, workers=workers, clock=clock)
    return IdentityCache(hoursmith, refusals, was_accepted=was_accepted, ttl_s=30, clock=clock), hoursmith


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
        with pytest.raises(CredentialError) as caught:
            await known.of(credential(), address="a", fresh=True)
        assert caught.value.code is CredentialErrorCode.REJECTED
        with pytest.raises(CredentialError):
            await known.of(credential(), address="a")

    asyncio.run(story())


def test_a_refused_token_is_not_asked_about_again_for_a_while():
    clock = Clock()
    known, hoursmith = identities(lambda: REFUSED, clock)

    async def story():
        for _ in range(50):
            with pytest.raises(CredentialError):
                await known.of(credential(), address="a")
        assert hoursmith.asked == 1
        clock.now += REJECTED_FOR_S + 1
        with pytest.raises(CredentialError):
            await known.of(credential(), address="a")
        assert hoursmith.asked == 2

    asyncio.run(story())


def test_bad_tokens_never_spend_hoursmiths_budget_of_ten_a_minute():
    clock = Clock()
    known, hoursmith = identities(lambda: REFUSED, clock)

    async def attempt(number, address):
        try:
            await known.of(credential(number), address=address)
        except CredentialError:
            return "refused"
        except TooManyAttemptsError as error:
            return "limited" if 1 <= error.retry_after <= 60 else "limited for too long"

    async def story():
        at_once = await asyncio.gather(*(attempt(number, "one") for number in range(30)))
        assert at_once.count("refused") == MAX_SLOTS_PER_ADDRESS
        assert at_once.count("limited") == 30 - MAX_SLOTS_PER_ADDRESS
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
            with pytest.raises((CredentialError, TooManyAttemptsError)):
                await known.of(credential(number), address=f"{number}")

    asyncio.run(story())
    assert hoursmith.asked == 1


PREFIX = "4f8a2c1bdedf"


def wrong_secret(number, prefix=PREFIX):
    """The known prefix with a made-up secret."""
    return credential_from_text(assembled_token(prefix, secret=f"wrong{number:03}"))


def outcomes(known, *asked):
    """How each of the questions, a credential and an address, ended."""

    async def one(token, address):
        try:
            await known.of(token, address=address)
        except CredentialError:
            return 401
        except TooManyAttemptsError:
            return 429
        return 200

    async def story():
        return [await one(*each) for each in asked]

    return asyncio.run(story())


def hoursmith_knows(*good):
    """A Hoursmith that accepts the tokens `good`."""

    def of(known, hoursmith):
        async def send(call, token):
            hoursmith.asked += 1
            return GOOD if token in good else REFUSED

        hoursmith.send = send
        return known, hoursmith

    return of


def test_strangers_with_the_prefix_at_the_same_address_never_lock_the_token_out(tmp_path):
    clock = Clock()
    real = credential_from_text(assembled_token(PREFIX))
    answers = []
    # Each minute a reload: nothing is remembered but what the file and the database hold.
    for minute in range(4):
        clock.now = 1000.0 + 61 * minute
        known, hoursmith = hoursmith_knows(real)(
            *identities(None, clock, accepted={real.digests[0]}, path=tmp_path / "refusals")
        )
        outcomes(known, *((wrong_secret(100 * minute + number), "office") for number in range(16)))
        assert hoursmith.asked <= 6
        answers += outcomes(known, *[(real, "office")] * 9)
        clock.now += 1
    assert answers == [200] * 36


def test_ten_revoked_tokens_do_not_starve_the_others(tmp_path):
    clock = Clock()
    revoked = [credential(number) for number in range(10)]
    good, new = credential(77), credential(78)
    accepted = {each.digests[0] for each in (*revoked, good)}
    known, hoursmith = hoursmith_knows(good, new)(
        *identities(None, clock, accepted=accepted, path=tmp_path / "refusals")
    )
    assert outcomes(known, *((each, "office") for each in revoked)) == [401] * 10
    asked = []
    for _ in range(20):
        clock.now += 61
        before = hoursmith.asked
        # Not one of them is told that others tried too much: each is told that it is refused.
        assert outcomes(known, *((each, "office") for each in revoked * 3)) == [401] * 30
        asked.append(hoursmith.asked - before)
        assert outcomes(known, (good, "office")) == [200]
    assert max(asked) <= 2
    clock.now += 61
    assert outcomes(known, *((each, "office") for each in revoked), (new, "office")) == [401] * 10 + [200]


def test_what_was_refused_stays_so_through_restarts_and_for_longer_each_time(tmp_path):
    clock = Clock()
    token = credential(1)
    asked = []
    for _ in range(12):
        known, hoursmith = identities(lambda: REFUSED, clock, accepted={token.digests[0]}, path=tmp_path / "refusals")
        assert outcomes(known, (token, "a")) == [401]
        asked.append(hoursmith.asked)
        clock.now += 61
    # At the first, after one minute, after two more, after four more …
    assert asked == [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]


def test_a_token_that_hoursmith_accepts_again_is_forgotten_as_refused(tmp_path):
    clock = Clock()
    answers = [REFUSED, REFUSED, GOOD]
    known, _ = identities(lambda: answers.pop(0), clock, accepted={credential().digests[0]}, path=tmp_path / "refusals")
    assert outcomes(known, (credential(), "a")) == [401]
    clock.now += 61
    assert outcomes(known, (credential(), "a")) == [401]
    clock.now += 121
    assert outcomes(known, (credential(), "a")) == [200]
    assert known._rejected.refused(credential().digests[0]) is None


def test_workers_count_together(tmp_path):
    clock = Clock()
    workers = [identities(lambda: REFUSED, clock, path=tmp_path / "refusals", workers=4) for _ in range(4)]
    for number in range(40):
        outcomes(workers[number % 4][0], (credential(number), f"{number}"))
    assert sum(hoursmith.asked for _, hoursmith in workers) == 6


def test_while_the_database_is_away_unknown_tokens_are_held_up_by_refusals_alone(tmp_path):
    clock = Clock()
    people = [credential(number) for number in range(200)]
    known, _ = hoursmith_knows(*people)(*identities(None, clock, path=tmp_path / "refusals"))
    # Nobody can say whether they were accepted before, and all of them get in, at once and one after the other.
    assert outcomes(known, *((each, "office") for each in people[:50])) == [200] * 50

    async def at_once():
        return await asyncio.gather(*(known.of(each, address="office") for each in people))

    assert len(asyncio.run(at_once())) == 200


def test_a_known_token_does_not_wait_while_hoursmith_lets_strangers_wait(tmp_path):
    real = credential_from_text(assembled_token(PREFIX))
    known, hoursmith = identities(None, Clock(), accepted={real.digests[0]}, path=tmp_path / "refusals")
    full = asyncio.Event()

    async def send(call, token):
        hoursmith.asked += 1
        if hoursmith.asked == 6:
            full.set()
        if token != real:
            await asyncio.Event().wait()
        return GOOD

    hoursmith.send = send

    async def story():
        strangers = [asyncio.create_task(known.of(wrong_secret(n), address=f"{n}")) for n in range(20)]
        await full.wait()
        # The clock stands still, so whoever waits here waits for ever.
        assert (await known.of(real, address="0")).org_id == "org-1"
        for each in (*strangers, *known._asking.values()):
            each.cancel()
        await asyncio.gather(*strangers, *known._asking.values(), return_exceptions=True)

    asyncio.run(asyncio.wait_for(story(), 30))


def test_the_memory_stays_small_while_hoursmith_is_down_and_addresses_pour_in():
    def down():
        raise UpstreamTimeoutError

    known, _ = identities(down, Clock())

    async def story():
        for number in range(20_000):
            with contextlib.suppress(UpstreamError, TooManyAttemptsError):
                await known.of(credential(number), address=f"2001:db8:{number % 65_536:x}:{number >> 16:x}::1")

    asyncio.run(story())
    gc.collect()
    assert held_by(known) < 5_000


def held_by(thing):
    """How many things can be reached from `thing` through containers and our own objects."""
    seen, waiting = {}, [thing]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        is_ours = type(each).__module__.startswith(("mcpbridge", "asyncio"))
        if is_ours or isinstance(each, dict | list | tuple | set | frozenset | deque):
            waiting += gc.get_referents(each)
    return len(seen)


def test_without_a_file_each_process_has_its_share(tmp_path):
    (tmp_path / "file").touch()
    known, hoursmith = identities(lambda: REFUSED, Clock(), path=tmp_path / "file" / "refusals", workers=3)
    outcomes(known, *((credential(number), f"{number}") for number in range(30)))
    assert hoursmith.asked == 2


@pytest.mark.parametrize(
    "trouble", [UpstreamTimeoutError(), ApiResponse(503, {}), ApiResponse(429, {}, 7), ApiResponse(500, {})]
)
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
    answers = [GOOD, ApiResponse(402, {"error": {"code": "forbidden_plan", "requiredPlan": "studio"}})]
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
    known, _ = identities(lambda: ApiResponse(200, payload), Clock())
    with pytest.raises(UpstreamError):
        asyncio.run(known.of(credential(), address="a"))


def test_the_memory_holds_no_token(tmp_path):
    known, _ = identities(lambda: GOOD, Clock(), path=tmp_path / "refusals")
    other, _ = identities(lambda: REFUSED, Clock(), path=tmp_path / "refusals")
    outcomes(known, (credential(), "a"))
    outcomes(other, (credential(1), "a"))
    assert credential().secret not in repr(vars(known)) + repr(vars(other))
    assert credential().secret.encode() not in (tmp_path / "refusals").read_bytes()
    assert credential(1).digests[0] in (tmp_path / "refusals").read_bytes()
    assert (tmp_path / "refusals").stat().st_mode & 0o777 == 0o600
