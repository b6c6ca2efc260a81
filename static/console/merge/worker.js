// Merges one file beside the page, so that a large one does not freeze it. Posts {progress}, then {result} or {refusal}.

import { difference } from "./difference.js";
import { MergeFault, merged } from "./entry.js";

const LARGEST_MB = 20;

addEventListener("message", async ({ data: { file, contract } }) => {
    try {
        postMessage({ progress: 0.1 });
        const before = await read(file);
        postMessage({ progress: 0.4 });
        const { text, state, edits } = merged(before, contract);
        postMessage({ progress: 0.9 });
        postMessage({ result: { state, blob: new Blob([text], { type: "application/octet-stream" }), rows: difference(before, edits) } });
    } catch (error) {
        const isKnown = error instanceof MergeFault;
        postMessage({ refusal: isKnown ? error.message : "This browser could not read the file." });
    }
});

async function read(file) {
    const size = file.size / 1_000_000;
    if (size > LARGEST_MB) {
        throw new MergeFault(`The file has ${Math.ceil(size)} MB, and this page merges files of up to ${LARGEST_MB} MB.`);
    }
    try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
    } catch (error) {
        throw error instanceof TypeError ? new MergeFault("The file is not UTF-8 text.") : error;
    }
}
