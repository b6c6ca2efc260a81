"""Names that mean something to the language of the script are names like any other in somebody's file."""

import json

from tests.browser.catalogue.bench import Bench


def test_a_member_called_proto_stays_a_member(bench: Bench) -> None:
    names = ("__proto__", "constructor", "prototype", "hasOwnProperty", "toString")
    texts = [
        f'{{"mcpServers": {{"{name}": {{"command": "x", "polluted": true}}}}, "{name}": {{"polluted": true}}}}'
        for name in names
    ]
    for name, made in zip(names, bench.batch("cursor", texts), strict=True):
        found = json.loads(made)
        assert found[name] == {"polluted": True}
        assert found["mcpServers"][name] == {"command": "x", "polluted": True}
        assert set(found["mcpServers"]) == {name, "hoursmith"}
        assert "polluted" not in found["mcpServers"]["hoursmith"]
    assert bench.page.evaluate("({}).polluted") is None
    bench.requests.clear()
