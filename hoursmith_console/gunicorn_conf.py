"""How gunicorn serves the console, with `make run` and in production alike.

gunicorn --config python:hoursmith_console.gunicorn_conf hoursmith_console.asgi:application
"""

from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from hoursmith_console.shared_counters import counters_share, process_ended

counters_share(settings.VAR_DIR / "metrics")


class QuietLogger(Logger):
    """Keeps no access log: the bridge keeps the activity, and gunicorn would prepare each line it does not print."""

    access_log_enabled = False


logger_class = QuietLogger

bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
# gunicorn's own ASGI worker: uvicorn's is a little faster on nothing, but hangs on SIGQUIT and outlives its master.
worker_class = "asgi"
asgi_loop = "uvloop"
asgi_lifespan = "on"
# Below the graceful time-out, or each restart would wait for idle connections.
keepalive = 5
graceful_timeout = 30
timeout = 60
# A client that goes away must not cut a call short whose outcome is still to be recorded.
asgi_disconnect_grace_period = 30
# It would open a control socket in the home directory.
control_socket_disable = True
forwarded_allow_ips = ""
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a worker that is gone had waiting."""
    process_ended(worker.pid)
