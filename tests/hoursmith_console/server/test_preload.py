"""What the server's master loads for its workers: libraries alone, and nearly all that there are."""

import json
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT
from tests.prepared import console_environment

_LOOK = """
import json, sys
import hoursmith_console.server.preload
early = sorted(sys.modules)
from django.conf import settings
is_configured = settings.configured
import hoursmith_console.asgi
print(json.dumps({"early": early, "late": sorted(sys.modules), "is_configured": is_configured}))
"""
_OWN = {"hoursmith_console", "mcpbridge"}


def test_they_are_loaded_without_the_product_its_settings_and_its_counters(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _LOOK],
        env=console_environment(tmp_path, 0, 1, {}, None),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    told = json.loads(found.stdout)
    early = {module for module in told["early"] if module.split(".")[0] not in sys.stdlib_module_names}
    late = {module for module in told["late"] if module.split(".")[0] not in sys.stdlib_module_names}
    assert {module for module in early if module.split(".")[0] in _OWN} == {
        "hoursmith_console",
        "hoursmith_console.server",
        "hoursmith_console.server.preload",
    }
    assert not told["is_configured"]
    assert "prometheus_client" not in early
    libraries = {module for module in late if module.split(".")[0] not in _OWN}
    # Of the rest, most belong to the sign-in library, which reads settings as it loads.
    assert len(libraries & early) > 0.75 * len(libraries)
