"""What the tests of watchers share."""

from collections.abc import Iterator

import pytest

from hoursmith_console.audit.watchers.access import FAILURES, READS


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    """Each test begins without requests of another one."""
    for limit in (FAILURES, READS):
        limit.forget()
    yield
    for limit in (FAILURES, READS):
        limit.forget()
