"use strict";
// Pages work without this file. It copies text, updates relative times, closes menus, and removes the secret of a
// pasted token from search fields.
{
    const status = document.createElement("div");
    status.className = "visually-hidden";
    status.setAttribute("role", "status");
    document.body.append(status);

    const copied = (button) => {
        button.classList.add("is-copied");
        status.textContent = "Copied";
        setTimeout(() => {
            button.classList.remove("is-copied");
            status.textContent = "";
        }, 1500);
    };

    const copyWithoutClipboard = (text) => {
        // The clipboard API exists only over https and on loopback.
        const field = document.createElement("textarea");
        field.className = "visually-hidden";
        field.value = text;
        document.body.append(field);
        field.select();
        const done = document.execCommand("copy");
        field.remove();
        return done;
    };

    document.addEventListener("click", async (event) => {
        const button = event.target.closest("[data-copy]");
        if (button) {
            const text = button.dataset.copy;
            try {
                await navigator.clipboard.writeText(text);
                copied(button);
            } catch {
                if (copyWithoutClipboard(text)) {
                    copied(button);
                }
            }
        }
        const reveal = event.target.closest("[data-reveal]");
        if (reveal) {
            const field = document.getElementById(reveal.dataset.reveal);
            const isHidden = field.type === "password";
            field.type = isHidden ? "text" : "password";
            reveal.textContent = isHidden ? "Hide" : "Show";
            reveal.setAttribute("aria-pressed", String(isHidden));
        }
        for (const menu of document.querySelectorAll("details.menu[open]")) {
            if (!menu.contains(event.target)) {
                menu.open = false;
            }
        }
    });

    document.addEventListener("keydown", (event) => {
        const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
        if (menu) {
            menu.open = false;
            menu.querySelector("summary").focus();
        }
    });

    const relative = (instant) => {
        const seconds = (Date.now() - instant) / 1000;
        if (seconds < 1) {
            return "just now";
        }
        if (seconds < 60) {
            return `${Math.floor(seconds)} s ago`;
        }
        if (seconds < 2700) {
            return `${Math.max(1, Math.round(seconds / 60))} min ago`;
        }
        if (seconds < 84600) {
            return `${Math.max(1, Math.round(seconds / 3600))} h ago`;
        }
        const days = Math.max(1, Math.round(seconds / 86400));
        return days === 1 ? "1 day ago" : `${days} days ago`;
    };

    // Screen readers must not announce each update of a relative time.
    const quieten = () => {
        for (const element of document.querySelectorAll("time.ago:not([aria-live])")) {
            element.setAttribute("aria-live", "off");
        }
    };
    quieten();
    // Content that htmx swaps in has new times.
    document.addEventListener("htmx:afterSettle", quieten);
    // Show a 503 response that has a target, although it is an error.
    document.addEventListener("htmx:beforeSwap", (event) => {
        if (event.detail.xhr.status === 503 && event.detail.xhr.getResponseHeader("HX-Retarget")) event.detail.shouldSwap = true;
    });
    setInterval(() => {
        for (const element of document.querySelectorAll("time.ago")) {
            const instant = Date.parse(element.dateTime);
            const words = element.firstElementChild;
            // Older ones are shown as dates.
            if (Date.now() - instant < 30 * 86400000 && words.textContent !== relative(instant)) {
                words.textContent = relative(instant);
            }
        }
    }, 5000);

    for (const field of document.querySelectorAll("[data-public-only]")) {
        const shorten = () => {
            field.value = field.value.replace(/(hsk_(?:live|test)_[0-9A-Za-z]{12})_\S*/g, "$1");
        };
        field.addEventListener("input", shorten);
        field.form.addEventListener("submit", shorten);
    }

    // Leave empty filters out of the address.
    for (const form of document.querySelectorAll("form.filters")) {
        form.addEventListener("formdata", (event) => {
            for (const [name, value] of [...event.formData]) {
                if (value === "") {
                    event.formData.delete(name);
                }
            }
            if (!event.formData.has("since") && !event.formData.has("until")) {
                event.formData.delete("tz");
            }
        });
    }
}
