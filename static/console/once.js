"use strict";
// Remove a token from its page when the user leaves it, so that going back does not show it again.
{
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
