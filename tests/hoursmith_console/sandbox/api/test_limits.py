"""Both windows of a token, and the one for bad tokens of an address."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from hoursmith_console.sandbox.api import limits
from hoursmith_console.sandbox.api.limits import Window
from hoursmith_console.sandbox.models import RateCounter
from tests.hoursmith_console.sandbox.fixtures import World, code, send

pytestmark = pytest.mark.django_db(databases="__all__")

# The beginning of a minute.
NOW = 1_773_999_960.0
Serve = Callable[[float], Any]


def _said(answer: HttpResponse) -> tuple[int, int, int]:
    return tuple(int(answer[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))  # type: ignore[return-value]


@pytest.mark.parametrize(("plan", "short", "long"), [("studio", 30, 600), ("agency", 60, 1200)])
def test_each_plan_has_its_two_windows(world: World, serve_at: Serve, plan: str, short: int, long: int) -> None:
    world.org.plan = plan
    world.org.save()
    clock = serve_at(NOW)
    subject = f"token:{world.owner.member.tokens.get().pk}"
    assert _said(world.owner.get("/me")) == (short, short - 1, int(NOW) + 10)
    for _ in range(short - 1):
        last = world.owner.get("/me")
    assert _said(last) == (short, 0, int(NOW) + 10)
    refused = world.owner.get("/me")
    assert code(refused) == (429, "rate_limited")
    assert refused["Retry-After"] == "10"
    assert _said(refused) == (short, 0, int(NOW) + 10)
    clock.now = NOW + 9.9
    assert world.owner.get("/me")["Retry-After"] == "1"
    clock.now = NOW + 10
    assert world.owner.get("/me").status_code == 200
    RateCounter.objects.filter(subject=subject).update(long_count=long - 1)
    assert _said(world.owner.get("/me")) == (long, 0, int(NOW) + 60)
    refused = world.owner.get("/me")
    assert (code(refused), refused["Retry-After"]) == ((429, "rate_limited"), "50")
    clock.now = NOW + 60
    assert _said(world.owner.get("/me")) == (short, short - 1, int(NOW) + 70)


def test_a_refused_request_is_not_counted(world: World, serve_at: Serve) -> None:
    serve_at(NOW)
    for _ in range(100):
        world.owner.get("/me")
    counter = RateCounter.objects.get()
    assert (counter.short_count, counter.long_count) == (60, 60)


def test_each_token_has_its_own_budget(world: World, serve_at: Serve) -> None:
    serve_at(NOW)
    for _ in range(61):
        world.owner.get("/me")
    assert code(world.owner.get("/me")) == (429, "rate_limited")
    assert world.narrowed(world.owner, "read").get("/me").status_code == 200
    assert world.admin.get("/me").status_code == 200


def test_bad_tokens_are_counted_by_address_and_good_ones_there_are_not_locked_out(
    world: World, serve_at: Serve
) -> None:
    clock = serve_at(NOW)
    for left in range(9, -1, -1):
        answer = send("GET", "/me", authorization="Bearer nonsense")
        assert (answer.status_code, *_said(answer)) == (401, 10, left, int(NOW) + 60)
    for answer in (send("GET", "/me"), send("POST", "/nowhere", b"{", authorization="Basic x")):
        assert code(answer) == (429, "rate_limited")
        assert answer["Retry-After"] == "60"
        assert "WWW-Authenticate" not in answer.headers
    assert world.owner.get("/me").status_code == 200
    clock.now = NOW + 60
    assert code(send("GET", "/me")) == (401, "unauthenticated")


def test_the_address_is_the_requests_whatever_its_headers_say(world: World, serve_at: Serve) -> None:
    serve_at(NOW)
    for number in range(10):
        send("GET", "/me", **{"x-forwarded-for": f"198.51.100.{number}"})
    assert code(send("GET", "/me", **{"x-forwarded-for": "198.51.100.77"})) == (429, "rate_limited")


def test_the_limits_can_be_switched_off(world: World, serve_at: Serve, no_limits: None) -> None:
    serve_at(NOW)
    answers = [world.owner.get("/me") for _ in range(61)] + [send("GET", "/me") for _ in range(11)]
    assert {answer.status_code for answer in answers} == {200, 401}
    assert _said(answers[60]) == (60, 60, int(NOW) + 10)
    assert not RateCounter.objects.exists()


def test_a_plan_without_an_api_has_nothing_left(world: World, serve_at: Serve) -> None:
    world.org.plan = "free"
    world.org.save()
    serve_at(NOW)
    assert _said(world.owner.get("/me")) == (0, 0, int(NOW))


def test_a_clock_that_runs_behind_does_not_open_a_window_again() -> None:
    windows = (Window(2, 10), Window(5, 60))
    limits.spend("a", windows, NOW + 10)
    assert limits.spend("a", windows, NOW + 9).remaining == 0
    with pytest.raises(limits.OverLimitError):
        limits.spend("a", windows, NOW + 10)


def test_counters_of_those_long_gone_are_forgotten() -> None:
    windows = (Window(2, 10), Window(5, 60))
    limits.spend("old", windows, NOW)
    limits.spend("new", windows, NOW + limits.DAY_S + 120)
    assert list(RateCounter.objects.values_list("subject", flat=True)) == ["new"]
