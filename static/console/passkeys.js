"use strict";
// Show errors of allauth's passkey script on the page.
{
    const words = {
        NotAllowedError: "The request was cancelled or timed out.",
        InvalidStateError: "This device already has a passkey for this account.",
        SecurityError: "The browser doesn’t allow passkeys for this address.",
        NotSupportedError: "This device can’t create this kind of passkey. Try without passwordless sign-in.",
    };
    document.addEventListener("allauth.error", (event) => {
        event.preventDefault();
        const place = document.getElementById("passkey-fault");
        const fault = event.detail.exception;
        place.textContent = words[fault.name] || `Something went wrong: ${fault.message}`;
        place.hidden = false;
    });
}
