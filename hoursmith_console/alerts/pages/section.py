"""The addresses of alerts: reviewers read, Owners and Admins change after re-authentication."""

from django.urls import URLPattern, path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.alerts.pages import channels, rules
from hoursmith_console.core.permissions import View, admin_required, recent_auth_required, reviewer_required
from hoursmith_console.core.section import ConsoleSection


class AlertSection(ConsoleSection):
    """Rules, channels and deliveries of alerts."""

    area, title, menu_order, is_for_reviewers = "alerts", "Alerts", 7, True

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view

        def read(view: View) -> View:
            return guard(require_safe(reviewer_required(view)))

        def form(view: View) -> View:
            # The view finds what the address names and then asks for re-authentication.
            return guard(require_http_methods(("GET", "HEAD", "POST"))(admin_required(view)))

        def change(view: View) -> View:
            return guard(require_POST(admin_required(recent_auth_required(view))))

        return [
            path("", read(rules.overview), name="list"),
            path("deliveries/", read(rules.deliveries), name="deliveries"),
            path("recommended/", change(rules.recommended), name="recommended"),
            path("pause/", change(rules.pause), name="pause"),
            path("rules/new/", form(rules.new_rule), name="rule_new"),
            path("rules/<int:key>/", read(rules.rule), name="rule"),
            path("rules/<int:key>/edit/", form(rules.edit_rule), name="rule_edit"),
            path("rules/<int:key>/test/", change(rules.test_rule), name="rule_test"),
            path("rules/<int:key>/switch/", change(rules.turn_rule), name="rule_switch"),
            path("rules/<int:key>/delete/", change(rules.remove_rule), name="rule_delete"),
            path("channels/new/", form(channels.new_channel), name="channel_new"),
            path("channels/<int:key>/", form(channels.edit_channel), name="channel"),
            path("channels/<int:key>/delete/", change(channels.remove_channel), name="channel_delete"),
        ]
