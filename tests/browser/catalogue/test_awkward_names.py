"""Names that mean something to the language of the script are names like any other in a user's file."""

import json

import pytest

from tests.browser.catalogue.bench import Bench


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString"])
def test_a_member_called_proto_stays_a_member(bench: Bench, name: str) -> None:
    bench.open("cursor")
    made = bench.merged(
        f'{{"mcpServers": {{"{name}": {{"command": "x", "polluted": true}}}}, "{name}": {{"polluted": true}}}}'
    )

    found = json.loads(made)
    assert found[name] == {"polluted": True}
    assert found["mcpServers"][name] == {"command": "x", "polluted": True}
    assert set(found["mcpServers"]) == {name, "hoursmith"}
    assert "polluted" not in found["mcpServers"]["hoursmith"]
