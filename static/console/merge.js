// Merges our entry into a file that the person picks. The file is read, changed and handed back in this page:
// it is never sent anywhere. Without this file the page still shows what to put where.

import { MergeFault } from "./merge/common.js";
import { difference } from "./merge/difference.js";
import { merged } from "./merge/entry.js";

const LARGEST = 20_000_000;
const OUTCOMES = {
    fresh: "The file was empty: this is all it needs.",
    added: "The entry is added; everything else stays as it is.",
    replaced: "There was an entry of that name, or a part of it; this changes.",
    same: "The file already says this. Nothing has to change.",
};
const WORDS = { "+": "added", "−": "removed" };

class Merge {
    constructor(section) {
        this.contract = JSON.parse(section.querySelector("script[type='application/json']").textContent);
        this.picker = section.querySelector("input[type=file]");
        this.zone = section.querySelector(".drop");
        this.status = section.querySelector(".merge-status");
        this.result = section.querySelector(".merge-result");
        this.rows = section.querySelector(".diff");
        this.link = section.querySelector("a[download]");
        this.picker.addEventListener("change", () => this.take(this.picker.files));
        this.zone.addEventListener("dragover", (event) => event.preventDefault());
        this.zone.addEventListener("drop", (event) => {
            event.preventDefault();
            this.take(event.dataTransfer.files);
        });
        // A page that comes back from the browser's memory must not hand out an older file.
        addEventListener("pageshow", (event) => event.persisted && this.clear());
    }

    async take([file]) {
        this.clear();
        if (!file) {
            return;
        }
        try {
            this.show(file.name, await read(file));
        } catch (error) {
            if (!(error instanceof MergeFault)) {
                this.say("This file could not be read.", false);
                throw error;
            }
            this.say(error.message, false);
        } finally {
            // So that the same file, mended, can be picked again.
            this.picker.value = "";
        }
    }

    show(name, before) {
        const { text, state } = merged(before, this.contract);
        this.say(`${name}: ${OUTCOMES[state]}`, true);
        if (state === "same") {
            return;
        }
        this.rows.replaceChildren(...difference(before, text).map(row));
        this.link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
        this.link.download = name;
        this.link.textContent = `Download ${name}`;
        this.result.hidden = false;
    }

    say(text, isGood) {
        this.status.textContent = text;
        this.status.classList.toggle("is-fault", !isGood);
    }

    clear() {
        if (this.link.href) {
            URL.revokeObjectURL(this.link.href);
            this.link.removeAttribute("href");
        }
        this.result.hidden = true;
        this.rows.replaceChildren();
        this.say("", true);
    }
}

async function read(file) {
    if (file.size > LARGEST) {
        throw new MergeFault("The file is far too large for a configuration.");
    }
    try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
    } catch (error) {
        throw error instanceof TypeError ? new MergeFault("The file is not text in UTF-8.") : error;
    }
}

function row([mark, line]) {
    const kind = { "+": "ins", "−": "del" }[mark] ?? "span";
    const element = document.createElement(kind);
    const sign = document.createElement("span");
    sign.className = "diff-mark";
    sign.setAttribute("aria-hidden", "true");
    sign.textContent = mark;
    element.append(sign);
    if (WORDS[mark]) {
        const word = document.createElement("span");
        word.className = "visually-hidden";
        word.textContent = `${WORDS[mark]}: `;
        element.append(word);
    }
    element.append(`${line}\n`);
    return element;
}

const prepared = new WeakSet();

function prepare(root) {
    for (const section of root.querySelectorAll("[data-merge]")) {
        if (!prepared.has(section)) {
            prepared.add(section);
            new Merge(section);
        }
    }
}

document.addEventListener("htmx:load", (event) => prepare(event.target.parentElement ?? document));
prepare(document);
