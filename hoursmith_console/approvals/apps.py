from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Calls that wait for an approval."""

    name = "hoursmith_console.approvals"

    def ready(self) -> None:
        from hoursmith_console.approvals.alerts import waiting_approvals
        from hoursmith_console.core.alerts import register_alerts

        register_alerts(40, waiting_approvals)
