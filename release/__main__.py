"""`make release`: build the version that the last commit states into `dist/<version>/`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release.versions import RefusedError, check_releasable, git

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build a release, or exit with the reasons against it."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder of the version's folder")
    out: Path = parser.parse_args().out
    try:
        version = check_releasable(ROOT)
        epoch = int(git(ROOT, "log", "-1", "--format=%ct"))
    except RefusedError as error:
        sys.exit(f"Not released:\n{error}")
    _set_up_django()
    from release.artefacts import build

    folder = out.resolve() / version
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as exported:
        # What git ignores, such as compiled files, is no part of a release.
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "--extract", "--directory", exported], input=archive, check=True)
        names = build(Path(exported), folder, version=version, epoch=epoch)
    print(f"{folder}\n" + "\n".join(f"  {name}" for name in names))


def _set_up_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoursmith_console.settings")
    # Nothing is signed: the settings only have to be complete.
    os.environ.update({"SECRET_KEY": "release", "AUDIT_SIGNING_KEY": "release"})
    import django

    django.setup()


if __name__ == "__main__":
    main()
