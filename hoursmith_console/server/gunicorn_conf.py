"""gunicorn's configuration, for `make run` and for production.

gunicorn --config python:hoursmith_console.server.gunicorn_conf hoursmith_console.asgi:application
"""

import gc
import os
import resource
import sys
from pathlib import Path
from typing import Any

from hoursmith_console.server import json_output

# Before anything that can fail: it applies to the settings as well.
json_output.print_json_lines()

from django.conf import settings  # noqa: E402
from gunicorn.glogging import Logger  # noqa: E402

import hoursmith_console.server.preload  # noqa: E402, F401 – for the workers, which are forked from here
from hoursmith_console.backends.postgresql.pooling import find_pooling_fault  # noqa: E402
from hoursmith_console.secret_settings import make_file_private, make_private  # noqa: E402
from hoursmith_console.server.prometheus import discard_gauges, reserve_counters, share_counters  # noqa: E402
from hoursmith_console.server.reload import rolling_reload  # noqa: E402
from hoursmith_console.server.worker import end_on_signals  # noqa: E402

# Whatever the umask of the service: only its own user may read these files.
os.umask(0o077)
# Again, for a format that the file of settings asks for.
json_output.print_json_lines()
# What an earlier release, a copy or a restore left readable for others.
make_private(settings.VAR_DIR)
if settings.AUDIT_ANCHOR_DIR:
    make_private(Path(settings.AUDIT_ANCHOR_DIR))
for database in settings.DATABASES.values():
    if database["ENGINE"] == "django.db.backends.sqlite3":
        for ending in ("", "-wal", "-shm"):
            make_file_private(Path(f"{database['NAME']}{ending}"))
share_counters(settings.VAR_DIR / "metrics")

# The usual limit of 1024 open files is below a worker's connection limit.
_FILES = 16_384
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if resource.RLIM_INFINITY != _soft < _FILES:
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (_FILES if _hard == resource.RLIM_INFINITY else min(_FILES, _hard), _hard)
    )


class QuietLogger(Logger):
    """No access log: the bridge records activity, and gunicorn would format each line even if it is not printed."""

    access_log_enabled = False


logger_class = QuietLogger

bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
worker_class = "hoursmith_console.server.worker.Worker"
asgi_lifespan = "on"
# Each takes 8 kB; idle connections are closed in favour of new ones.
worker_connections = 4000
# Longer than clients and proxies keep an idle connection (httpx 5 s, nginx and load balancers 60 s, Caddy 120 s): who
# closes first must not be the side that a request is on its way to.
keepalive = 150
graceful_timeout = 30
timeout = 60
# gunicorn would open a control socket in the home directory.
control_socket_disable = True
forwarded_allow_ips = ""
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}


def on_starting(server: Any) -> None:
    """Refuse to start with a database pooler in transaction mode."""
    if settings.DATABASES["default"]["ENGINE"] == "hoursmith_console.backends.postgresql" and (
        fault := find_pooling_fault(settings.DATABASES["default"], settings.DATABASE_DIRECT_URL)
    ):
        sys.exit(f"Not started: {fault}")


def when_ready(server: Any) -> None:
    """Keep the garbage collector off what is loaded so far, so that workers share that memory with the master."""
    gc.collect()
    gc.freeze()


def on_reload(server: Any) -> None:
    """Keep the old workers serving until the new ones are ready."""
    rolling_reload.begin(server)


def pre_fork(server: Any, worker: Any) -> None:
    """Tell the worker which old workers it replaces."""
    rolling_reload.assign(server, worker)


def post_fork(server: Any, worker: Any) -> None:
    """Reset the worker's signal handlers and reserve its counter files."""
    end_on_signals()
    reserve_counters(worker.pid)


def child_exit(server: Any, worker: Any) -> None:
    """Update the reload state and remove the gauges of a worker that exited."""
    rolling_reload.end_worker(server, worker)
    discard_gauges(worker.pid)
