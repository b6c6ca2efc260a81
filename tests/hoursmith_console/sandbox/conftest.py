"""The cast of the sandbox tests, and clocks that stand still."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.urls import include, path

from hoursmith_console.sandbox.api.dispatch import Api
from hoursmith_console.sandbox.api.resources import OPERATIONS
from tests.hoursmith_console.sandbox.fixtures import World


class Clock:
    """Unix seconds that only a test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world() -> World:
    return World("Acme")


@pytest.fixture
def outside() -> World:
    """Another workspace, of which nobody in `world` may learn anything."""
    return World("Umbrella")


@pytest.fixture
def serve_at(settings: Any) -> Callable[[float], Clock]:
    """Serve the API by a clock that stands at the given Unix second until it is moved."""

    def serve(now: float) -> Clock:
        clock = Clock(now)
        module = ModuleType("urls")
        module.urlpatterns = [path("sandbox/api/", include(Api(OPERATIONS, clock=clock).urls()))]  # type: ignore[attr-defined]
        settings.ROOT_URLCONF = module
        return clock

    return serve


@pytest.fixture
def no_limits(settings: Any) -> None:
    settings.SANDBOX_RATE_LIMITS = False
