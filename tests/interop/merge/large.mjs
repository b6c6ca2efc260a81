// Merges files of five megabytes that each consist of one thing. Reads {json, toml}, a contract each, from standard
// input and prints what became of each file.

import { readFileSync } from "node:fs";

import { difference } from "../../../static/console/merge/difference.js";
import { merged } from "../../../static/console/merge/entry.js";

const { json, toml } = JSON.parse(readFileSync(0, "utf8"));
const FILES = {
    "escapes": [json, `{"a": "${"\\n".repeat(2_500_000)}"}`],
    "numbers": [json, `{"a": [${"1,".repeat(2_500_000)}1]}`],
    "members": [json, `{\n${Array.from({ length: 175_000 }, (_, place) => `"member ${place}": "some text",\n`).join("")}"z": 1\n}\n`],
    "TOML escapes": [toml, `a = "${"\\n".repeat(2_500_000)}"\n`],
    "TOML lines": [toml, `a = 1\n${"# x\n".repeat(1_250_000)}`],
    "TOML lists": [toml, `a = [${"1,".repeat(2_500_000)}]\n`],
};
const outcomes = Object.entries(FILES).map(([name, [contract, before]]) => {
    const { text, state, edits } = merged(before, contract);
    const rows = difference(before, edits);
    return { name, state, size: before.length, added: text.length - before.length, rows: rows.length, longest: Math.max(...rows.map(([, line]) => line.length)) };
});
process.stdout.write(JSON.stringify(outcomes));
