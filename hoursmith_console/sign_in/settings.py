"""Which of our forms django-allauth shows in place of its own."""

ACCOUNT_FORMS = {
    "reset_password": "hoursmith_console.sign_in.forms.PasswordResetForm",
    "login": "hoursmith_console.sign_in.library_forms.LoginForm",
    "change_password": "hoursmith_console.sign_in.library_forms.ChangePasswordForm",
    "set_password": "hoursmith_console.sign_in.library_forms.FirstPasswordForm",
    "reset_password_from_key": "hoursmith_console.sign_in.library_forms.ResetFromKeyForm",
    "reauthenticate": "hoursmith_console.sign_in.library_forms.ConfirmPasswordForm",
}

MFA_FORMS = {
    "activate_totp": "hoursmith_console.sign_in.forms.AuthenticatorAppForm",
    "authenticate": "hoursmith_console.sign_in.forms.CodeForm",
    "reauthenticate": "hoursmith_console.sign_in.forms.CodeReauthenticateForm",
    "deactivate_totp": "hoursmith_console.sign_in.library_forms.RemoveAppForm",
    "generate_recovery_codes": "hoursmith_console.sign_in.library_forms.GenerateCodesForm",
    "add_webauthn": "hoursmith_console.sign_in.mfa.passkey_forms.PasskeyForm",
    "authenticate_webauthn": "hoursmith_console.sign_in.mfa.passkey_forms.PasskeyCodeForm",
    "edit_webauthn": "hoursmith_console.sign_in.mfa.passkey_forms.PasskeyNameForm",
    "login_webauthn": "hoursmith_console.sign_in.mfa.passkey_forms.PasskeySignInForm",
    "reauthenticate_webauthn": "hoursmith_console.sign_in.mfa.passkey_forms.PasskeyReauthenticateForm",
}
