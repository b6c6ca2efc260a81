from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Two weeks of work for the sandbox."""

    name = "hoursmith_console.demo"
