"""Addresses below `/rotations/` that are about many tokens at once."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.campaigns import views as campaign_views
from hoursmith_console.core.permissions import after_asking_again, for_deciders, for_members, for_reviewers
from hoursmith_console.leaked_tokens import views as leak_views
from hoursmith_console.rotations.notices import views as ask_views
from hoursmith_console.token_policy import views as policy_views

_form = require_http_methods(["GET", "HEAD", "POST"])

leaks: list[URLPattern] = [
    path("", for_members(_form(leak_views.desk)), name="report"),
    path("contain/", for_members(require_POST(after_asking_again(leak_views.contain))), name="contain"),
    path("rotate/", for_members(require_POST(after_asking_again(leak_views.rotate))), name="rotate"),
    path("<int:key>/settle/", for_reviewers(require_POST(leak_views.settle)), name="settle"),
]
policy: list[URLPattern] = [path("", for_reviewers(_form(policy_views.policy)), name="change")]
campaigns: list[URLPattern] = [
    path("", for_reviewers(require_safe(campaign_views.campaigns)), name="list"),
    path("new/", for_deciders(_form(campaign_views.new)), name="new"),
    path("<int:key>/", for_reviewers(require_safe(campaign_views.board)), name="detail"),
    path("<int:key>/remind/", for_reviewers(require_POST(campaign_views.remind)), name="remind"),
    path("<int:key>/close/", for_reviewers(require_POST(campaign_views.close)), name="close"),
]
asks: list[URLPattern] = [path("later/", for_members(require_POST(ask_views.later)), name="later")]

urlpatterns: list[URLPattern | URLResolver] = [
    path("leaks/", include((leaks, "leaks"))),
    path("asks/", include((asks, "asks"))),
    path("campaigns/", include((campaigns, "campaigns"))),
    path("policy/", include((policy, "policy"))),
]
