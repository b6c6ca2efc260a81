"use strict";
// Says on the page what allauth's passkey script would only tell the browser's console.
{
    const words = {
        NotAllowedError: "The browser did not go on: it was cancelled, or took too long.",
        InvalidStateError: "This device already has a passkey for this account.",
        SecurityError: "The browser makes no passkeys for this address.",
        NotSupportedError: "This device cannot make such a passkey. Try without “alone”.",
    };
    document.addEventListener("allauth.error", (event) => {
        event.preventDefault();
        const place = document.getElementById("passkey-fault");
        const fault = event.detail.exception;
        place.textContent = words[fault.name] || `That did not work: ${fault.message}`;
        place.hidden = false;
    });
}
