"""Sign-in, sign-out and the password. Nobody signs up: members are imported or invited."""

from allauth.account import views
from django.conf import settings
from django.urls import URLPattern, path, re_path

from hoursmith_console.workspaces.invitations import InvitationView

urlpatterns: list[URLPattern] = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("invitation/<uidb64>/<token>/", InvitationView.as_view(), name="account_invitation"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
]

password_reset_urlpatterns: list[URLPattern] = [
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
_LOCAL_MAIL = ("console", "dummy", "locmem", "filebased")
# A reset link is offered only where mail really leaves; otherwise the page would promise what never comes.
if settings.EMAIL_BACKEND.split(".")[-2] not in _LOCAL_MAIL:
    urlpatterns += password_reset_urlpatterns
