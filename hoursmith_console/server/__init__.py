"""The server process: `make run`, gunicorn's configuration and its worker."""
