// Puts our table into TOML by edits of its own lines; every other line stays as it is.

import { MergeFault, WAYS, isSame, newlineAt, notReadBack, sorted, twice, unescaped, widened } from "./common.js";
import { TomlReader, decoded } from "./toml_reader.js";

// They may carry what the user put there, beside the token; what does not name it stays.
const HEADERS = new Set(["http_headers", "env_http_headers"]);

const begins = (path, start) => start.length <= path.length && start.every((key, place) => path[place] === key);
const keyText = (key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));
const byHand = (path) => new MergeFault(
    `“${path.join(".")}” is in a format that this page can’t merge. Add the entry to the file manually.`);

export function mergeToml(text, { pieces: [{ path, value }] }) {
    const own = ownIn(new TomlReader(text).statements(), path);
    const lines = new Map(Object.entries(value).map(([key, each]) => [key, JSON.stringify(each)]));
    return own.table ? changed(text, own, path, lines) : { edits: [appended(text, path, lines)], hasOld: false };
}

// Our table with its pairs, and the tables below it, each with its statements.
function ownIn(statements, path) {
    const own = { table: null, pairs: [], below: [] };
    let body = null;
    for (const each of statements.filter(({ kind }) => kind !== "space")) {
        if (each.kind === "pair") {
            if (body) {
                body.push(each);
            } else if (begins(each.path, path) || begins(path, each.path) || isDottedTo(each, statements, path)) {
                throw byHand(each.path.slice(0, path.length));
            }
            continue;
        }
        body = null;
        if (each.kind === "array" && begins(path, each.path)) {
            throw byHand(each.path);
        } else if (isSame(each.path, path)) {
            if (own.table) {
                throw twice(path.join("."));
            }
            own.table = each;
            body = own.pairs;
        } else if (begins(each.path, path)) {
            body = [each];
            own.below.push(body);
        }
    }
    if (own.below.length && !own.table) {
        throw new MergeFault(`There are tables below “${path.join(".")}” and none of that name. Add the entry before them manually.`);
    }
    return own;
}

// Whether a dotted key at the top makes the table that ours would go into: programs differ on what may follow.
const isDottedTo = ({ path, keyStart }, statements, [section]) =>
    path[0] === section && keyStart < (statements.find(({ kind }) => kind === "table" || kind === "array")?.start ?? Infinity);

function appended(text, path, lines) {
    const newline = newlineAt(text, text.length);
    const isEnded = text.endsWith("\n");
    const gap = /\n[ \t]*\r?\n$/.test(text) ? "" : newline;
    const made = [`[${path.map(keyText).join(".")}]`, ...[...lines].map(([key, value]) => `${keyText(key)} = ${value}`)].join(newline);
    return { start: text.length, end: text.length, text: (isEnded ? "" : newline) + gap + made + (isEnded ? newline : "") };
}

function changed(text, { table, pairs, below }, path, lines) {
    const edits = [];
    const keyOf = (statement) => statement.path[path.length];
    const lacking = [];
    for (const [key, value] of lines) {
        const found = pairs.filter((pair) => keyOf(pair) === key);
        if (found.length > 1 || found[0]?.path.length > path.length + 1 || below.some(([head]) => keyOf(head) === key)) {
            throw byHand([...path, key]);
        } else if (!found.length) {
            lacking.push([key, value]);
        } else if (!says(text, found[0], value)) {
            edits.push({ start: found[0].valueStart, end: found[0].to, text: value });
        }
    }
    const isGone = (statement) => WAYS.has(keyOf(statement)) && !lines.has(keyOf(statement));
    checkHeaders(text, [...pairs, ...below.flat()].filter((statement) => HEADERS.has(keyOf(statement))), path);
    const gone = pairs.filter(isGone);
    // What is new takes the place of what goes, so that comments beside it stay with the entry.
    while (gone.length && lacking.length) {
        const pair = gone.shift();
        const [key, value] = lacking.shift();
        edits.push({ start: pair.keyStart, end: pair.keyEnd, text: keyText(key) }, { start: pair.valueStart, end: pair.to, text: value });
    }
    edits.push(...gone.map(({ from, to }) => widened(text, from, to)));
    edits.push(...below.filter(([head]) => isGone(head)).map((body) => ({ start: body[0].start, end: body.at(-1).end, text: "" })));
    if (lacking.length) {
        const newline = newlineAt(text, table.end);
        const made = lacking.map(([key, value]) => `${keyText(key)} = ${value}`).join(newline);
        const isEnded = text[table.end - 1] === "\n";
        edits.push({ start: table.end, end: table.end, text: isEnded ? made + newline : newline + made });
    }
    return { edits: sorted(edits), hasOld: true };
}

function says(text, { valueStart, to }, value) {
    const raw = text.slice(valueStart, to);
    const isLine = /^["']/.test(raw) && !/^("""|''')/.test(raw);
    return raw === value || (isLine && JSON.stringify(decoded(raw)) === value);
}

function checkHeaders(text, statements, path) {
    if (statements.some(({ from, to }) => /authorization/i.test(unescaped(text.slice(from, to))))) {
        throw new MergeFault(`“${path.join(".")}” sets its own Authorization header, which conflicts with the token. Replace the entry manually.`);
    }
}

// Reads the changed file back: what is not ours has to be there as it was, and ours has to say what it should.
export function checkToml(before, after, { pieces: [{ path, value }] }) {
    const [old, made] = [before, after].map((text) => new TomlReader(text).statements());
    const own = ownIn(made, path);
    const ours = new Map(own.pairs.map((pair) => [pair.path.slice(path.length).join("."), pair]));
    const isThere = Object.entries(value).every(([key, each]) => ours.has(key) && says(after, ours.get(key), JSON.stringify(each)));
    if (!own.table || !isThere || !isSame(othersIn(before, old, path, value), othersIn(after, made, path, value))) {
        throw notReadBack();
    }
}

// Every statement outside our tables, and in them what an older entry keeps.
function othersIn(text, statements, path, value) {
    let isOwn = false;
    return statements.flatMap((each) => {
        isOwn = each.kind === "table" || each.kind === "array" ? begins(each.path, path) : isOwn;
        const key = each.path[path.length];
        const isOurs = isOwn && (key === undefined || WAYS.has(key) || Object.hasOwn(value, key));
        return isOurs || each.kind === "space" ? [] : [text.slice(each.from, each.to)];
    });
}
