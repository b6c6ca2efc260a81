"""Find the Node.js and the packages that run the contenders in JavaScript, as `bench/package.json` names them."""

import json
import shutil
import subprocess

from bench.paths import ROOT

MODULES = ROOT / "bench" / "node_modules"
# What undici asks for.
_OLDEST = (22, 19)


def installed_node() -> str | None:
    """Return the path of a Node.js that can run them, or None where it or a package is missing."""
    if not (MODULES / "@modelcontextprotocol" / "server").is_dir():
        return None
    brought = sorted(MODULES.glob("node-*/bin/node"))
    binary = str(brought[0]) if brought else shutil.which("node")
    return binary if binary is not None and _version(binary) >= _OLDEST else None


def installed_versions() -> dict[str, str]:
    """Return the versions of Node.js and of the packages that are a contender's, as far as they are there."""
    node = installed_node()
    if node is None:
        return {}
    found = {"node": ".".join(map(str, _version(node)))}
    for name in ("@modelcontextprotocol/server", "undici"):
        found[name] = json.loads((MODULES / name / "package.json").read_text(encoding="utf-8"))["version"]
    return found


def _version(binary: str) -> tuple[int, ...]:
    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    return tuple(map(int, shown.strip().removeprefix("v").split(".")))
