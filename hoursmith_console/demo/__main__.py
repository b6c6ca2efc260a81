"""Play the demo in this process: `python -m hoursmith_console.demo`, as `manage.py play_demo` and the page start it.

The clock is replaced before Django loads the models, and only in this process.
"""

import asyncio
import logging
import os
import sys

from hoursmith_console.demo.clock import DemoClock


def main() -> None:
    clock = DemoClock()
    clock.install()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoursmith_console.settings")
    import django

    django.setup()
    # Refused calls are part of the demo; Django would log each.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    from hoursmith_console.demo.player import play_here
    from hoursmith_console.demo.services import BRIEF

    asyncio.run(play_here(clock, sys.stdout, is_brief=BRIEF in sys.argv))


if __name__ == "__main__":
    main()
