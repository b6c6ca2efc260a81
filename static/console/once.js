"use strict";
// A page that shows a new token once. Leaving it asks once, until the token was copied or “Continue” was chosen.
// Reloading opens the page that says what to do; going back does not show the token again.
{
    const shown = document.querySelector("[data-return]");
    const token = document.getElementById("minted-token").textContent.trim();

    const keep = () => window.removeEventListener("beforeunload", ask);
    const ask = (event) => {
        event.preventDefault();
        // Not at once: Chromium asks nothing if the listener is gone when it looks.
        setTimeout(keep);
    };
    window.addEventListener("beforeunload", ask);

    document.addEventListener("click", (event) => {
        const copy = event.target.closest("[data-copy]");
        if (copy?.dataset.copy.includes(token) || event.target.closest("[data-kept], .setup-link a, a[download]")) {
            keep();
        }
    });
    document.addEventListener("copy", () => {
        if (document.getSelection().toString().includes(token)) {
            keep();
        }
    });

    // The browser would send the form again, which creates nothing and shows nothing.
    history.replaceState(null, "", shown.dataset.return);

    const empty = () => {
        for (const secret of document.querySelectorAll("[data-secret]")) {
            secret.remove();
        }
        for (const gone of document.querySelectorAll("[data-secret-gone]")) {
            gone.hidden = false;
        }
    };

    window.addEventListener("pagehide", empty);
    window.addEventListener("pageshow", (event) => {
        if (event.persisted) {
            empty();
        }
    });
}
