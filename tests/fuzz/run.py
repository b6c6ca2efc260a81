"""Fuzzes the targets with atheris (libFuzzer), each for as long as it is given, and keeps what breaks one as a seed."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"


def main() -> int:
    """0 where every target held; 1 where one broke, whose input now lies among its seeds."""
    from tests.fuzz.targets import TARGETS

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=60, help="For each target.")
    arguments.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="Where what was learnt is kept.")
    arguments.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    given = arguments.parse_args()
    broken = []
    for target in given.targets or TARGETS:
        corpus = given.corpus / target
        corpus.mkdir(parents=True, exist_ok=True)
        print(f"== {target}, {given.seconds} s", flush=True)
        limits = [f"-max_total_time={given.seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]
        quiet = ["-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={SEEDS / target}/"]
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", target, str(corpus), str(SEEDS / target)]
        if subprocess.run([*command, *limits, *quiet]).returncode:
            broken.append(target)
    print(f"broken: {', '.join(broken)}" if broken else "every promise held")
    return 1 if broken else 0


def one(target: str, options: list[str]) -> None:
    """Fuzz one target until libFuzzer ends the process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import atheris

    with atheris.instrument_imports(include=["mcpbridge", "hoursmith_console"]):
        import django

        django.setup()
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3:])
    else:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        import django

        django.setup()
        sys.exit(main())
