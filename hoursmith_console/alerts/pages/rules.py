"""Pages of rules and deliveries."""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.alerts.channels import can_mail
from hoursmith_console.alerts.kinds import KINDS, AlertKind
from hoursmith_console.alerts.models import AlertChannel, AlertPause, AlertRule, ChannelKind
from hoursmith_console.alerts.pages.forms import AlertRuleForm
from hoursmith_console.alerts.pages.queries import RuleRow, delivery_rows, rule_rows, visible_alerts
from hoursmith_console.alerts.recommended import add_recommended, recommended_titles
from hoursmith_console.alerts.services import (
    MOST_CHANNELS,
    MOST_RULES,
    AlertError,
    change_rule,
    create_rule,
    delete_rule,
    pause_alerts,
    resume_alerts,
    send_test,
    switch_rule,
)
from hoursmith_console.core.keys import key_from
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.core.times.zones import zone_names
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest

T = TypeVar("T")
_SHOWN, _A_PAGE = 10, 50


def overview(request: ConsoleRequest) -> HttpResponse:
    """Show rules, channels and the latest deliveries."""
    viewer = request.viewer
    rules = rule_rows(viewer)
    channels = list(visible_alerts(viewer, AlertChannel.objects.all()))
    return render_page(
        request,
        "alerts/list.html",
        rules=rules,
        channels=channels,
        channel_kinds=ChannelKind.choices,
        deliveries=delivery_rows(viewer, _SHOWN),
        pause=AlertPause.objects.filter(workspace_id=viewer.member.workspace_id).first(),
        recommended=recommended_titles(),
        can_mail=can_mail(),
        most_rules=MOST_RULES,
        most_channels=MOST_CHANNELS,
    )


def deliveries(request: ConsoleRequest) -> HttpResponse:
    """Show all deliveries that are kept, page by page."""
    is_failed = request.GET.get("state") == "failed"
    rows = delivery_rows(request.viewer, _A_PAGE + 1, before=key_from(request.GET.get("before", "")), failed=is_failed)
    older = rows[_A_PAGE - 1].delivery.pk if len(rows) > _A_PAGE else None
    return render_page(
        request,
        "alerts/deliveries.html",
        title="Alert deliveries",
        deliveries=rows[:_A_PAGE],
        is_failed=is_failed,
        older=older,
    )


def recommended(request: ConsoleRequest) -> HttpResponse:
    """Add the recommended rules."""
    count = _attempt(request, lambda: add_recommended(member=request.viewer.member))
    if count is not None:
        messages.success(request, f"{count} alert rule{'' if count == 1 else 's'} added.")
    return _to_list()


def pause(request: ConsoleRequest) -> HttpResponse:
    """Pause or resume all alerts."""
    member = request.viewer.member
    change = resume_alerts if request.POST.get("do") == "resume" else pause_alerts
    change(workspace=member.workspace, actor=member.display_identity)
    return _to_list()


def new_rule(request: ConsoleRequest) -> HttpResponseBase:
    """Show the kinds of rules as cards; with a `kind`, GET shows its form and POST creates the rule."""
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    if kind in AlertKind.values:
        return _new_rule(request, AlertKind(kind))
    kinds = [(each.value, each.label, KINDS[each].explanation) for each in AlertKind]
    return render_page(request, "alerts/kinds.html", title="New alert rule", kinds=kinds)


@recent_auth_required
def _new_rule(request: ConsoleRequest, kind: AlertKind) -> HttpResponse:
    viewer = request.viewer
    form = AlertRuleForm(viewer, kind, request.POST if request.method == "POST" else None, name=kind.label)
    actor, workspace = viewer.member.display_identity, viewer.member.workspace
    status, rule = attempt(
        form, lambda: create_rule(workspace=workspace, kind=kind, settings=form.settings(), actor=actor)
    )
    if rule is None:
        return _rule_form(request, form, kind, status=status)
    messages.success(request, f"Alert rule {rule.name} added.")
    return _to_rule(rule)


def rule(request: ConsoleRequest, key: int) -> HttpResponse:
    """Show one rule with its deliveries."""
    row = _row(request, key)
    return render_page(
        request,
        "alerts/rule.html",
        title=row.rule.name,
        row=row,
        rule=row.rule,
        deliveries=delivery_rows(request.viewer, _SHOWN, rule=row.rule.pk),
    )


def edit_rule(request: ConsoleRequest, key: int) -> HttpResponseBase:
    """GET shows the form, POST changes the rule."""
    return _edit_rule(request, _row(request, key).rule)


@recent_auth_required
def _edit_rule(request: ConsoleRequest, found: AlertRule) -> HttpResponse:
    viewer, kind = request.viewer, AlertKind(found.kind)
    form = AlertRuleForm(viewer, kind, request.POST if request.method == "POST" else None, rule=found)

    def change() -> bool:
        change_rule(rule=found, settings=form.settings(), actor=viewer.member.display_identity)
        return True

    status, is_changed = attempt(form, change)
    if not is_changed:
        return _rule_form(request, form, kind, status=status, rule=found)
    messages.success(request, "Alert rule saved.")
    return _to_rule(found)


def test_rule(request: ConsoleRequest, key: int) -> HttpResponse:
    """Send a test to each channel of the rule, and say how each ended."""
    row = _row(request, key)
    for channel in row.channels:
        fault = send_test(rule=row.rule, channel=channel, actor=request.viewer.member.display_identity)
        if fault:
            messages.error(request, f"The test was not delivered to {channel.name}. {fault}")
        else:
            messages.success(request, f"Test delivered to {channel.name}.")
    return _to_rule(row.rule)


def turn_rule(request: ConsoleRequest, key: int) -> HttpResponse:
    """Turn the rule on or off."""
    found = _row(request, key).rule
    switch_rule(rule=found, is_on=request.POST.get("do") == "on", actor=request.viewer.member.display_identity)
    return _to_rule(found)


def remove_rule(request: ConsoleRequest, key: int) -> HttpResponse:
    """Delete the rule."""
    found = _row(request, key).rule
    delete_rule(rule=found, actor=request.viewer.member.display_identity)
    messages.success(request, f"Alert rule {found.name} deleted.")
    return _to_list()


def attempt(form: Form, work: Callable[[], T]) -> tuple[int, T | None]:
    """Return 200 and the result of `work` if `form` was sent and is valid; else None, with the errors in the form."""
    if not form.is_bound:
        return 200, None
    if not form.is_valid():
        return 400, None
    try:
        return 200, work()
    except AlertError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return 400, None


def _attempt(request: ConsoleRequest, work: Callable[[], T]) -> T | None:
    """Return the result of `work`; on failure None, with a message on the next page."""
    try:
        return work()
    except AlertError as error:
        messages.error(request, str(error))
        return None


def _row(request: ConsoleRequest, key: int) -> RuleRow:
    found = rule_rows(request.viewer, key)
    if not found:
        raise Http404("No such alert rule.")
    return found[0]


def _rule_form(
    request: ConsoleRequest, form: AlertRuleForm, kind: AlertKind, *, status: int, rule: AlertRule | None = None
) -> HttpResponse:
    return render_page(
        request,
        "alerts/rule_form.html",
        title=f"Edit {rule.name}" if rule else f"New alert rule: {kind.label}",
        status=status,
        form=form,
        kind=kind,
        rule=rule,
        explanation=KINDS[kind].explanation,
        zones=zone_names(),
        channel_kinds=ChannelKind.choices,
        has_channels=visible_alerts(request.viewer, AlertChannel.objects.all()).exists(),
    )


def _to_rule(rule: AlertRule) -> HttpResponse:
    return HttpResponseRedirect(reverse("console:alerts:rule", args=[rule.pk]))


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("console:alerts:list"))
