"""URLs of sign-in, sign-out, passwords and two-factor authentication. There is no sign-up: members are invited."""

from allauth.account import views
from allauth.mfa.recovery_codes.views import download_recovery_codes, view_recovery_codes
from allauth.mfa.webauthn.views import list_webauthn, login_webauthn
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.cache import never_cache

from hoursmith_console.sign_in.invitation_views import (
    InvitationsView,
    NewAccountView,
    RecoveryView,
    follow_invitation,
)
from hoursmith_console.sign_in.mfa import views as factor_views
from hoursmith_console.sign_in.oidc.provider import PROVIDER
from hoursmith_console.sign_in.oidc.views import OidcIdentitiesView, oidc_callback, oidc_login, oidc_reauthenticate
from hoursmith_console.sign_in.passwords import PasswordChangeView, PasswordResetView, PasswordSetView, SignInView
from hoursmith_console.sign_in.session_views import SessionsView, signed_out
from hoursmith_console.sign_in.time_zone import time_zone
from hoursmith_console.workspaces.mail import sends_mail

factor_urlpatterns: list[URLPattern] = [
    path("", never_cache(factor_views.IndexView.as_view()), name="mfa_index"),
    path("authenticate/", factor_views.AuthenticateView.as_view(), name="mfa_authenticate"),
    path("reauthenticate/", never_cache(factor_views.ReauthenticateView.as_view()), name="mfa_reauthenticate"),
    path("app/add/", never_cache(factor_views.ActivateAppView.as_view()), name="mfa_activate_totp"),
    path("app/remove/", never_cache(factor_views.DeactivateAppView.as_view()), name="mfa_deactivate_totp"),
    path("codes/", never_cache(view_recovery_codes), name="mfa_view_recovery_codes"),
    path("codes/new/", never_cache(factor_views.GenerateCodesView.as_view()), name="mfa_generate_recovery_codes"),
    path("codes/download/", download_recovery_codes, name="mfa_download_recovery_codes"),
    path("passkeys/", never_cache(list_webauthn), name="mfa_list_webauthn"),
    path("passkeys/add/", never_cache(factor_views.AddPasskeyView.as_view()), name="mfa_add_webauthn"),
    path("passkeys/login/", never_cache(login_webauthn), name="mfa_login_webauthn"),
    path(
        "passkeys/reauthenticate/",
        never_cache(factor_views.ReauthenticatePasskeyView.as_view()),
        name="mfa_reauthenticate_webauthn",
    ),
    path("passkeys/<int:pk>/end/", never_cache(factor_views.RemovePasskeyView.as_view()), name="mfa_remove_webauthn"),
    path("passkeys/<int:pk>/name/", never_cache(factor_views.RenamePasskeyView.as_view()), name="mfa_edit_webauthn"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", SignInView.as_view(), name="account_login"),
    path("openid/login/", oidc_login, name="openid_connect_login"),
    path("openid/callback/", oidc_callback, {"provider_id": PROVIDER}, name="openid_connect_callback"),
    path("openid/again/", oidc_reauthenticate, name="oidc_reauthenticate"),
    path("openid/", OidcIdentitiesView.as_view(), name="account_oidc"),
    path("logout/", signed_out, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("invitation/", NewAccountView.as_view(), name="account_invitation_new"),
    path("invitation/<secret>/", follow_invitation, name="account_invitation"),
    path("invitations/", InvitationsView.as_view(), name="account_invitations"),
    path("recovery/<uidb64>/<token>/", RecoveryView.as_view(), name="account_recovery"),
    path("password/change/", PasswordChangeView.as_view(), name="account_change_password"),
    path("password/set/", PasswordSetView.as_view(), name="account_set_password"),
    path("sessions/", SessionsView.as_view(), name="account_sessions"),
    path("time-zone/", time_zone, name="account_time_zone"),
    path("2fa/", include(factor_urlpatterns)),
]

password_reset_urlpatterns: list[URLPattern] = [
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        PasswordResetView.as_view(),
        name="account_reset_password_from_key",
    ),
]
# Without a mail server a reset link would never arrive, so the pages do not exist.
if sends_mail():
    urlpatterns += password_reset_urlpatterns
