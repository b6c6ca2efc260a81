"""`hoursmith-console serve | manage | mcp | settings`, as a wheel installs it; in a checkout `manage.py`."""

import gc
import os
import sys
from collections.abc import Sequence

from mcpbridge import __version__

_USAGE = """Usage: hoursmith-console COMMAND

  serve [--demo]   serve the console and its MCP endpoint; --demo plays two weeks of work in the sandbox instead
  manage …         run a management command, such as audit_verify; without one, list them
  mcp […]          serve MCP over standard input and output with the token in HOURSMITH_API_TOKEN
  settings         print all settings with their defaults, as a file to begin with (.env.example)
  version          print the version

Settings are read from the environment, then from the file ENV_FILE or .env in the data folder; see docs/operating.md.
"""


def main() -> None:
    """Run one of the commands; exit with 2 where there is none of that name."""
    command, arguments = (sys.argv[1] if len(sys.argv) > 1 else "help"), sys.argv[2:]
    if command == "serve":
        from hoursmith_console.server.run import main as serve

        serve(arguments)
    elif command == "manage":
        manage(["hoursmith-console manage", *arguments])
    elif command == "mcp":
        manage(["hoursmith-console manage", "mcp_stdio", *arguments])
    elif command == "settings":
        from hoursmith_console.declarations.all_settings import example_file

        sys.stdout.write(example_file())
    elif command in ("version", "--version"):
        sys.stdout.write(f"{__version__}\n")
    elif command in ("help", "--help", "-h"):
        sys.stdout.write(_USAGE)
    else:
        sys.stderr.write(f"There is no command {command!r}.\n\n{_USAGE}")
        sys.exit(2)


def manage(arguments: Sequence[str]) -> None:
    """Run a management command: its name stands second in `arguments`, behind the program's."""
    settings = "hoursmith_console.settings"
    if arguments[1:2] == ["mcp_stdio"]:
        # A client waits for it: nothing that only pages need, and nothing is thrown away while it loads.
        settings = "hoursmith_console.stdio_settings"
        gc.disable()
    # Only this user may read what a command writes into the data folder.
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(list(arguments))
    except ImproperlyConfigured as error:
        # A wrong setting is the operator's to correct: one sentence, not a traceback.
        sys.exit(f"Not started: {error}")
    except OperationalError as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        sys.exit(f"Not done: the database does not respond as it should: {reason}")


if __name__ == "__main__":
    main()
