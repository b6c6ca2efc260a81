"""`make run` and `hoursmith-console serve`: prepare the database and the sandbox, print the sign-ins, then serve.

`--demo`, as in `make demo`: play two weeks of work in the sandbox instead.
"""

import json
import os
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from hoursmith_console.paths import data_dir, env_file, manage_command
from hoursmith_console.secret_settings import generate_secrets, read_env_file
from hoursmith_console.server import json_output

EXAMPLE_TOKEN_NAME = "First assistant"  # noqa: S105 – its name


def main(arguments: Sequence[str]) -> None:
    """Become the server, or play the demo where the first of `arguments` is `--demo`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoursmith_console.settings")
    # Whatever the umask of the service: only its own user may read these files.
    os.umask(0o077)
    json_output.print_json_lines()
    try:
        read_env_file(env_file())
        json_output.print_json_lines()
        generate_secrets(Path(os.environ.get("VAR_DIR") or data_dir() / "var"), os.environ)
        if arguments[:1] == ["--demo"]:
            _manage("play_demo", *arguments[1:])
            return
        _prepare()
    except ImproperlyConfigured as error:
        sys.exit(f"Not started: {error}")
    os.execv(  # noqa: S606 – this process becomes the server, so that signals reach it
        sys.executable,
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:hoursmith_console.server.gunicorn_conf",
            "hoursmith_console.asgi:application",
        ],
    )


def _manage(*arguments: str) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *arguments])


def _prepare() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from hoursmith_console.server.database import prepare_databases

    print("Preparing the database …", flush=True)
    is_there = prepare_databases(lambda line: print(line, flush=True))
    call_command("collectstatic", interactive=False, verbosity=0)
    if settings.SANDBOX_MODE and is_there:
        prepare_sandbox()
    print(f"\nConsole  {settings.PUBLIC_URL}/\nMCP      {settings.PUBLIC_URL}/mcp\nStop with Ctrl-C.\n", flush=True)


def prepare_sandbox() -> None:
    """Create the sandbox workspace if there is none, and print how to sign in to it."""
    from django.core.management import call_command

    from hoursmith_console.connections.catalogue import MCP_CLIENTS

    print("Preparing the sandbox workspace …", flush=True)
    answer = StringIO()
    call_command("sandbox_seed", json=True, stdout=answer)
    seed = json.loads(answer.getvalue())
    members = [member for member in seed["members"] if member["password"]]
    if not members:
        return
    if json_output.is_wanted():
        # Such lines go to a log, where no password belongs.
        print(
            f"The sandbox workspace has members. `{manage_command()} console_password_reset --email"
            f" {members[0]['email']}` prints a link to sign in, `{manage_command()} sandbox_mint` a token."
        )
        return
    print(f"\nSandbox workspace “{seed['workspace']}” (plan {seed['plan']}). Credentials (shown once):\n")
    for member in members:
        print(f"  {member['role']:<8} {member['email']:<34} {member['password']}")
    owner = next(member for member in members if member["role"].upper() == "OWNER")
    token = StringIO()
    call_command("sandbox_mint", email=owner["email"], name=EXAMPLE_TOKEN_NAME, stdout=token)
    print(f"\nExample token of {owner['name']} ({owner['role']}):\n\n  {token.getvalue().strip()}\n")
    print("Use it with an assistant, for example:\n")
    print(f"  export HOURSMITH_API_TOKEN='{token.getvalue().strip()}'")
    print(f"  {MCP_CLIENTS['claude-code'].command_line(url=seed['mcp_url'])}")


if __name__ == "__main__":
    main(sys.argv[1:])
