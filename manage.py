#!/usr/bin/env python
"""Run the console's management commands."""

import gc
import os
import sys


def main() -> None:
    settings = "hoursmith_console.settings"
    if sys.argv[1:2] == ["mcp_stdio"]:
        # A client waits for it: nothing that only pages need, and nothing is thrown away while it loads.
        settings = "hoursmith_console.stdio_settings"
        gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A wrong setting is the operator's to mend: one sentence, not a traceback.
        sys.exit(f"Not started: {error}")


if __name__ == "__main__":
    main()
