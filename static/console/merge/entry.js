// Puts our entry into somebody's configuration file as text, so that comments, order and formatting of
// everything else stay as they are. Nothing here touches the page or the network; merge.js does the rest.

import { mergeJson } from "./json.js";
import { mergeToml } from "./toml.js";
import { mergeYaml } from "./yaml.js";

const LANGUAGES = { json: mergeJson, toml: mergeToml, yaml: mergeYaml };

// The merged text and what happened: "fresh", "added", "replaced" or "same". Raises MergeFault.
export function merged(before, contract) {
    const text = before.startsWith("\ufeff") ? before.slice(1) : before;
    const mark = before.slice(0, before.length - text.length);
    if (text.trim() === "") {
        return { text: mark + contract.text, state: "fresh" };
    }
    const made = LANGUAGES[contract.language](text, contract);
    return { text: mark + made.text, state: made.state };
}
