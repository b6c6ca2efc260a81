// Puts our entry into a configuration file as text. Nothing here touches the page or the network.

import { MergeFault, edited, notReadBack } from "./common.js";
import { mergeJson } from "./json.js";
import { checkJson } from "./json_check.js";
import { checkToml, mergeToml } from "./toml.js";

const LANGUAGES = { json: [mergeJson, checkJson], toml: [mergeToml, checkToml] };

// {text, state, edits}: the merged text, what happened ("fresh", "added", "replaced" or "same") and the edits of
// `before` that make it. Raises MergeFault where the rest of the file cannot be promised to stay as it is.
export function merged(before, contract) {
    const mark = before.startsWith("\ufeff") ? "\ufeff" : "";
    const text = before.slice(mark.length);
    if (/^[ \t\r\n]*$/.test(text)) {
        const edits = [{ start: mark.length, end: before.length, text: contract.text }];
        return { text: mark + contract.text, state: "fresh", edits };
    }
    const [merge, check] = LANGUAGES[contract.language];
    const made = merge(text, contract);
    const after = edited(text, made.edits);
    check(text, after, contract, made);
    const edits = made.edits.map(({ start, end, text: put }) => ({ start: start + mark.length, end: end + mark.length, text: put }));
    checkBytes(before, mark + after, edits);
    return { text: mark + after, state: edits.length === 0 ? "same" : made.hasOld ? "replaced" : "added", edits };
}

// What lies between the edits is there in the same order, and nothing else is.
function checkBytes(before, after, edits) {
    let [from, to] = [0, 0];
    for (const { start, end, text } of [...edits, { start: before.length, end: before.length, text: "" }]) {
        const kept = before.slice(from, start) + text;
        if (start < from || !after.startsWith(kept, to)) {
            throw notReadBack();
        }
        [from, to] = [end, to + kept.length];
    }
    if (to !== after.length) {
        throw notReadBack();
    }
}

export { MergeFault };
