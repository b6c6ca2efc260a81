// Merges many files by the page's own modules and judges each with the parsers that editors use. Reads
// {contracts, count, seed, files} as JSON from standard input and prints {found, merged, refused, faults, results}.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

import * as jsonc from "jsonc-parser";
import { parse as parseToml } from "smol-toml";

import { WAYS } from "../../../static/console/merge/common.js";
import { MergeFault, merged } from "../../../static/console/merge/entry.js";
import { Chance } from "./chance.mjs";
import { generatedJson } from "./generated_json.mjs";
import { generatedToml } from "./generated_toml.mjs";

const { contracts, count, seed, files } = JSON.parse(readFileSync(0, "utf8"));
const results = [];

for (const { name, contract, text } of files) {
    judge({ name, contract, text, mayRefuse: true });
}
for (let place = 0; place < count; place += 1) {
    const chance = new Chance(seed + place);
    // Every third asks a question, where a client does.
    const asking = contracts.filter(({ pieces }) => pieces.length > 1);
    const contract = chance.of(place % 3 === 0 && asking.length ? asking : contracts);
    const made = (contract.language === "json" ? generatedJson : generatedToml)(chance, contract);
    const isSlip = chance.is(0.15);
    const text = isSlip ? chance.slip(made.text) : made.text;
    judge({ name: `generated ${place}`, contract, text, mayRefuse: made.mayRefuse || isSlip });
}
process.stdout.write(JSON.stringify(results));

function judge({ name, contract, text, mayRefuse }) {
    const result = { name, before: text };
    results.push(result);
    const parse = contract.language === "json" ? readJson : readToml;
    const old = parse(text);
    try {
        const made = merged(text, contract);
        Object.assign(result, { after: made.text, state: made.state, entry: contract.pieces.find((piece) => !piece.family).value });
        result.fault = old === undefined
            ? contract.language === "json" && made.state !== "fresh" ? "the parser refuses the file, and it was merged" : null
            : broken({ contract, text, old, made, parse });
        if (!result.fault) {
            const again = merged(made.text, contract);
            result.fault = again.state === "same" && again.text === made.text ? null : "merging twice changed it again";
        }
    } catch (error) {
        result.refusal = error.message;
        if (!(error instanceof MergeFault)) {
            result.fault = error.stack;
        } else if (!mayRefuse) {
            result.fault = `refused: ${error.message}`;
        }
    }
}

function readJson(text) {
    const errors = [];
    const value = jsonc.parse(text.replace(/^\ufeff/, ""), errors, { allowTrailingComma: true });
    return errors.length || typeof value !== "object" || value === null || Array.isArray(value) ? undefined : value;
}

function readToml(text) {
    try {
        return plain(parseToml(text.replace(/^\ufeff/, ""), { integersAsBigInt: "asNeeded" }));
    } catch {
        return undefined;
    }
}

// The parser's own kinds of tables and dates as ordinary ones.
function plain(value) {
    if (value instanceof Date) {
        return `date ${value.toISOString()}`;
    }
    if (typeof value !== "object") {
        return value;
    }
    const entries = Object.entries(value).map(([key, each]) => [key, plain(each)]);
    return Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries);
}

function broken({ contract, text, old, made, parse }) {
    const now = parse(made.text);
    if (now === undefined) {
        return "the parser refuses the result";
    }
    const entry = contract.pieces.find((piece) => !piece.family);
    const [was, is] = [taken(old, entry.path), taken(now, entry.path)];
    if (!isDeepStrictEqual(is, expected(was, entry.value))) {
        return `the entry says ${JSON.stringify(is)}`;
    }
    const item = contract.pieces.find((piece) => piece.family);
    const fault = item ? brokenItem(old, now, item, made.text) : null;
    if (fault) {
        return fault;
    }
    if (!isDeepStrictEqual(old, now)) {
        return "something else changed";
    }
    if (made.state === "fresh") {
        return made.text.endsWith(contract.text) ? null : "an empty file did not become the configuration";
    }
    return contract.language === "json" ? strayJson(contract, text, made.edits) : strayToml(text, made.edits);
}

// Takes the entry out of `root`, and what held nothing but it.
function taken(root, [section, name]) {
    const object = Object.hasOwn(root, section) ? root[section] : {};
    const entry = Object.hasOwn(object, name) ? object[name] : undefined;
    delete object[name];
    if (Object.keys(object).length === 0) {
        delete root[section];
    }
    return entry;
}

function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expected(was, value) {
    const kept = isObject(was) ? Object.entries(was).filter(([key]) => !WAYS.has(key) && !Object.hasOwn(value, key)) : [];
    const ours = Object.entries(value).map(([key, each]) => {
        const old = isObject(was) && Object.hasOwn(was, key) ? was[key] : null;
        const isOlder = (name) => Object.hasOwn(each, name) || (key === "headers" && name.toLowerCase() === "authorization") || (key === "env" && name === "HOURSMITH_API_TOKEN");
        const others = isObject(old) && isObject(each) ? Object.entries(old).filter(([name]) => !isOlder(name)) : [];
        return [key, isObject(each) ? { ...Object.fromEntries(others), ...each } : each];
    });
    return Object.fromEntries([...kept, ...ours]);
}

function brokenItem(old, now, { value, family }, text) {
    const [before, after] = [old.inputs ?? [], now.inputs ?? []];
    const ours = after.filter((item) => item?.id === value.id);
    if (ours.length !== 1) {
        return `there are ${ours.length} inputs with our id`;
    }
    const gone = before.filter((item) => item?.id !== value.id && !after.some((each) => isDeepStrictEqual(each, item)));
    const isOlder = ({ id }) => id === family || new RegExp(`^${family}-[0-9A-Za-z]{12}$`).test(id);
    if (gone.length > 1 || !gone.every(isOlder) || after.length < before.length) {
        return `inputs were lost: ${JSON.stringify(gone)}`;
    }
    if (gone.length && text.includes(`{input:${gone[0].id}}`)) {
        return "an input that is still in use was replaced";
    }
    delete old.inputs;
    delete now.inputs;
    return null;
}

// What is removed or replaced lies within our entry or our item, as the parser sees them.
function strayJson({ pieces }, text, edits) {
    const shift = text.startsWith("\ufeff") ? 1 : 0;
    const root = jsonc.parseTree(text.slice(shift), [], { allowTrailingComma: true });
    const spans = pieces.flatMap(({ path, family }) => {
        const found = jsonc.findNodeAtLocation(root, path);
        return !found ? [] : family ? found.children ?? [] : [found];
    }).map(({ offset, length }) => [offset + shift, offset + length + shift]);
    const stray = edits.find(({ start, end }) => start < end && !spans.some(([from, to]) => from <= start && end <= to));
    return stray ? `an edit lies outside our entry: ${JSON.stringify(stray)}` : null;
}

function lineEnd(text, at) {
    return text.includes("\n", at) ? text.indexOf("\n", at) : text.length;
}

// What is removed or replaced lies below a header that names our entry.
function strayToml(text, edits) {
    const stray = edits.find(({ start, end }) => {
        const lines = text.slice(0, lineEnd(text, start)).split("\n");
        return start < end && !/hours(?:m|\\u006d)ith/.test(lines.findLast((line) => /^\s*\[/.test(line)) ?? "");
    });
    return stray ? `an edit lies outside our table: ${JSON.stringify(stray)}` : null;
}
