"use strict";
// A token is on its page as long as somebody looks at it: whoever comes back to the page finds it empty.
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
