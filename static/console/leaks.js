"use strict";
// Leaked tokens: finds tokens in pasted text and adds their prefixes to the form. The text field has no name, is
// outside the form, and is cleared before anything is sent and whenever the page is left.
{
    const MAX_TOKENS = 50;
    // A text field is very slow with megabytes, so longer pastes are searched but not shown.
    const MAX_SHOWN_LENGTH = 20000;
    // The third part is the secret; only its length is used. Logs and URLs may encode "_" as "%5F".
    const TOKEN = /hsk(?:_|%5F)(live|test)(?:_|%5F)([0-9A-Za-z]{12})(?:_|%5F)([0-9A-Za-z]+)/gi;
    const SECRET_LENGTH = 32;

    const field = document.getElementById("leak-text");
    const form = document.getElementById("leak-form");
    const status = document.getElementById("leak-found");
    // Prefixes, each with whether a whole token was found; nothing else of long pastes is kept.
    let ofPastes = new Map();
    let pasted = 0;

    const search = (text, found) => {
        for (const [, env, prefix, secret] of text.matchAll(TOKEN)) {
            const key = `${env.toLowerCase()}_${prefix}`;
            found.set(key, Boolean(found.get(key)) || secret.length >= SECRET_LENGTH);
        }
        return found;
    };

    const allFound = () => search(field.value, new Map(ofPastes));

    const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

    const tell = () => {
        const found = allFound();
        const looked = pasted ? `${pasted.toLocaleString("en-GB")} characters searched. ` : "";
        if (!found.size) {
            status.textContent = field.value || pasted ? `${looked}No Hoursmith token found.` : "";
            return;
        }
        const whole = [...found.values()].filter(Boolean).length;
        const cut = found.size - whole;
        const parts = whole ? [counted(whole, "token")] : [];
        if (cut) {
            parts.push(`${counted(cut, "token")} cut short`);
        }
        const named = [...found.keys()].slice(0, 5).map((key) => `hsk_${key}`).join(", ");
        const more = found.size > 5 ? " …" : ".";
        const most = found.size > MAX_TOKENS ? ` Only the first ${MAX_TOKENS} are sent; report the others afterwards.` : "";
        status.textContent = `${looked}Found ${parts.join(" and ")}. Only prefixes are sent: ${named}${more}${most}`;
    };

    const wipe = () => {
        field.value = "";
        ofPastes = new Map();
        pasted = 0;
        tell();
    };

    field.addEventListener("paste", (event) => {
        const text = event.clipboardData.getData("text/plain");
        if (text.length > MAX_SHOWN_LENGTH) {
            event.preventDefault();
            pasted += text.length;
            search(text, ofPastes);
            tell();
        }
    });

    let waiting;
    field.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(tell, 50);
    });

    form.addEventListener("submit", (event) => {
        clearTimeout(waiting);
        const found = allFound();
        if (!found.size && (field.value || pasted)) {
            event.preventDefault();
            tell();
            return;
        }
        for (const hidden of form.querySelectorAll("input[data-found]")) {
            hidden.remove();
        }
        for (const key of [...found.keys()].slice(0, MAX_TOKENS)) {
            const hidden = document.createElement("input");
            hidden.type = "hidden";
            hidden.name = "prefix";
            hidden.value = key;
            hidden.dataset.found = "";
            form.append(hidden);
        }
        wipe();
    });

    addEventListener("pagehide", wipe);
}
