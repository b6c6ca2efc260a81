"use strict";
// Keyboard shortcuts. The dialog with the list of them also turns them off, for this browser.
// A key does nothing while somebody types, with a modifier, or while the dialog is open.
{
    const OFF = "shortcuts-off";
    const dialog = document.getElementById("shortcuts");

    const focusSearch = () => {
        const field = document.querySelector("input[name=q][data-global-search]");
        field?.focus();
        field?.select();
        return Boolean(field);
    };

    const rowLinks = () => [...document.querySelectorAll(".rows tbody tr")]
        .map((row) => row.querySelector(".what a[href], a[href]"))
        .filter((link) => link?.checkVisibility());

    const move = (step) => {
        const links = rowLinks();
        const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
        const place = here < 0 ? (step > 0 ? 0 : -1) : here + step;
        const next = links[place];
        next?.focus();
        next?.closest("tr").scrollIntoView({ block: "nearest" });
        return Boolean(next);
    };

    const open = () => {
        dialog.querySelector("[type=checkbox]").checked = !localStorage.getItem(OFF);
        dialog.showModal();
        return true;
    };

    const actions = { "/": focusSearch, j: () => move(1), k: () => move(-1), "?": open };

    document.addEventListener("keydown", (event) => {
        const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
        if (isTyping || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) {
            return;
        }
        if (!dialog.open && !localStorage.getItem(OFF) && Object.hasOwn(actions, event.key) && actions[event.key]()) {
            event.preventDefault();
        }
    });

    document.addEventListener("click", (event) => {
        // A click beside the dialog hits the dialog itself; all that it shows is in its form.
        if (event.target === dialog) {
            dialog.close();
        } else if (event.target.closest("[data-shortcuts]")) {
            open();
        }
    });

    dialog.querySelector("[type=checkbox]").addEventListener("change", (event) => {
        if (event.target.checked) {
            localStorage.removeItem(OFF);
        } else {
            localStorage.setItem(OFF, "1");
        }
    });
}
