from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Calls that wait for an approval."""

    name = "hoursmith_console.approvals"

    def ready(self) -> None:
        from hoursmith_console.approvals.attention import waiting_approvals
        from hoursmith_console.core.attention import register_attention

        register_attention(40, waiting_approvals)
