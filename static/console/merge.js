// Merge our entry into a file that the user picks. The file never leaves the browser.
// Without this file, the page still shows the entry.

const OUTCOMES = {
    fresh: "The file was empty. This is the complete file.",
    added: "Entry added. Everything else is unchanged.",
    replaced: "Existing entry updated. Everything else is unchanged.",
    same: "The file is already up to date.",
};
const WORDS = { "+": "added", "−": "removed" };

class Merge {
    constructor(section) {
        this.contract = JSON.parse(section.querySelector("script[type='application/json']").textContent);
        this.script = section.dataset.merge;
        this.picker = section.querySelector("input[type=file]");
        this.status = section.querySelector(".merge-status");
        this.running = section.querySelector(".merge-running");
        this.bar = section.querySelector("progress");
        this.result = section.querySelector(".merge-result");
        this.refusal = section.querySelector(".merge-refusal");
        this.rows = section.querySelector(".diff");
        this.link = section.querySelector("a[download]");
        this.picker.addEventListener("change", () => this.take(this.picker.files));
        section.querySelector(".merge-cancel").addEventListener("click", () => this.cancel());
        const zone = section.querySelector(".drop");
        zone.addEventListener("dragover", (event) => event.preventDefault());
        zone.addEventListener("drop", (event) => {
            event.preventDefault();
            this.take(event.dataTransfer.files);
        });
        // A page restored from the browser's cache must not offer an older file.
        addEventListener("pageshow", (event) => event.persisted && this.clear());
    }

    take([file]) {
        this.clear();
        if (file) {
            this.start(file);
        }
        // Allow the same file to be picked again after a fix.
        this.picker.value = "";
    }

    start(file) {
        this.worker = new Worker(this.script, { type: "module" });
        this.worker.addEventListener("message", ({ data }) => this.hear(file.name, data));
        this.worker.addEventListener("error", () => this.refuse("This browser could not merge the file."));
        this.bar.value = 0;
        this.running.hidden = false;
        this.worker.postMessage({ file, contract: this.contract });
    }

    hear(name, { progress, result, refusal }) {
        if (progress) {
            this.bar.value = progress;
        } else if (refusal) {
            this.refuse(refusal);
        } else {
            this.stop();
            this.show(name, result);
        }
    }

    show(name, { state, blob, rows }) {
        this.say(`${name}: ${OUTCOMES[state]}`, true);
        if (state === "same") {
            return;
        }
        this.rows.replaceChildren(...rows.map(row));
        this.link.href = URL.createObjectURL(blob);
        this.link.download = name;
        this.link.textContent = `Download ${name}`;
        this.result.hidden = false;
    }

    refuse(reason) {
        this.stop();
        this.say(`${reason} Nothing was changed.`, false);
        this.refusal.querySelector("pre").textContent = this.contract.text;
        this.refusal.hidden = false;
    }

    cancel() {
        this.clear();
        this.say("Cancelled. Nothing was changed.", true);
        this.picker.focus();
    }

    say(text, isGood) {
        this.status.textContent = text;
        this.status.classList.toggle("is-fault", !isGood);
    }

    stop() {
        this.worker?.terminate();
        this.worker = null;
        this.running.hidden = true;
    }

    clear() {
        this.stop();
        if (this.link.href) {
            URL.revokeObjectURL(this.link.href);
            this.link.removeAttribute("href");
        }
        this.result.hidden = true;
        this.refusal.hidden = true;
        this.rows.replaceChildren();
        this.say("", true);
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
