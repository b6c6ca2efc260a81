"""Which tokens may more than they did, as the bridge's counts tell."""

import itertools
from datetime import timedelta

from django.utils import timezone

from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_policy.privilege_hints import over_privileged, privilege_hints
from mcpbridge.models import ObservedToken, TokenTool
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_token

NOW = timezone.now()


def _called(token: ObservedToken, tool: str, times: int = 20, *, days_ago: int = 5) -> None:
    at = NOW - timedelta(days=days_ago)
    TokenTool.objects.create(token=token, tool=tool, calls=times, first_at=at, last_at=at)


def _old(cast: Cast, prefix: str, role: str = "ADMIN", **more: object) -> ObservedToken:
    return make_token(cast.org_id, prefix, role=role, first_used_at=NOW - timedelta(days=90), **more)


def test_a_hint_counts_the_tools_of_the_window_alone(cast: Cast) -> None:
    token = _old(cast, "aaaaaaaaaaaa")
    _called(token, "list_tasks")
    _called(token, "delete_client", days_ago=61)
    (hint,) = privilege_hints([token], now=NOW).values()
    assert (hint.least_role, hint.is_reading, hint.days) == ("MEMBER", True, 60)
    TokenTool.objects.filter(tool="delete_client").update(last_at=NOW)
    assert privilege_hints([token], now=NOW) == {}


def test_the_filter_finds_exactly_the_tokens_that_have_a_hint(cast: Cast) -> None:
    """Every role with every kind of scopes, tools, age and number of calls."""
    tools = [("list_tasks",), ("create_time_entry",), ("list_clients",), ("list_tasks", "delete_client"), ()]
    cases = itertools.product(
        ("OWNER", "ADMIN", "MANAGER", "MEMBER", ""),
        (["read"], ["read", "write"], ["write"], []),
        tools,
        (5, 20),
        (10, 90),
    )
    for number, (role, scopes, called, times, days) in enumerate(cases):
        first = NOW - timedelta(days=days)
        token = make_token(cast.org_id, f"{number:012d}", role=role, scopes=scopes, first_used_at=first)
        for tool in called:
            _called(token, tool, times)
    tokens = ObservedToken.objects.all()
    found = set(over_privileged(tokens, now=NOW).values_list("pk", flat=True))
    assert found == set(privilege_hints(tokens, now=NOW))
    assert len(found) > 30


def test_a_revoked_token_needs_no_hint(cast: Cast) -> None:
    token = _old(cast, "aaaaaaaaaaaa")
    _called(token, "get_me")
    assert list(over_privileged(ObservedToken.objects.all(), now=NOW)) == [token]
    rotation = start_rotation(env="live", prefix=token.prefix, workspace=cast.workspace, kind="planned", actor="Ana")
    rotation.revoked_at = timezone.now()
    rotation.save()
    assert not over_privileged(ObservedToken.objects.all(), now=NOW).exists()
