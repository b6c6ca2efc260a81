// TOML: split into statements with their place, changed as text.

import { MergeFault, WAYS, endOfLineIn, fault } from "./common.js";

const TOML_KEY = /(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')/y;

class TomlReader {
    constructor(text) {
        this.text = text;
        this.at = 0;
    }

    // The statements with their place: {kind: "space" | "table" | "pair", path, start, end}; paths are whole.
    statements() {
        const found = [];
        let table = [];
        while (this.at < this.text.length) {
            const start = this.at;
            let kind = "space";
            let path = [];
            this.match(/[ \t]*/y);
            if (this.text[this.at] === "[") {
                kind = "table";
                table = path = this.header();
            } else if (!/[#\r\n]|$/y.test(this.text[this.at] ?? "")) {
                kind = "pair";
                path = [...table, ...this.keys()];
                this.valueOf();
            }
            this.rest();
            found.push({ kind, path, start, end: this.at });
        }
        return found;
    }

    fault(what) {
        return fault("TOML", this.text, this.at, what);
    }

    match(pattern) {
        pattern.lastIndex = this.at;
        const found = pattern.exec(this.text);
        this.at += found ? found[0].length : 0;
        return found && found[0];
    }

    header() {
        const opened = this.match(/\[\[?/y);
        const path = this.keys();
        if (this.match(opened === "[" ? /\]/y : /\]\]/y) === null) {
            throw this.fault("a closing bracket is missing");
        }
        return path;
    }

    keys() {
        const path = [];
        do {
            this.match(/[ \t]*/y);
            const key = this.match(TOML_KEY);
            if (key === null) {
                throw this.fault("a key is missing or misspelt");
            }
            path.push(/^["']/.test(key) ? key.slice(1, -1) : key);
            this.match(/[ \t]*/y);
        } while (this.match(/\./y));
        return path;
    }

    valueOf() {
        if (this.match(/=[ \t]*/y) === null) {
            throw this.fault("an equals sign is missing");
        }
        const start = this.at;
        let depth = 0;
        for (;;) {
            this.match(/[^"'#[\]{}\r\n]+/y);
            const next = this.text[this.at];
            if (next === undefined || ((next === "\n" || next === "\r" || next === "#") && depth === 0)) {
                break;
            }
            if (next === '"' || next === "'") {
                this.string();
                continue;
            }
            if (this.match(/#[^\n]*/y) === null) {
                depth += { "[": 1, "{": 1, "]": -1, "}": -1 }[next] ?? 0;
                this.at += 1;
            }
            if (depth < 0) {
                throw this.fault("there is a bracket too many");
            }
        }
        if (depth !== 0 || this.text.slice(start, this.at).trim() === "") {
            throw this.fault(depth ? "a closing bracket is missing" : "a value is missing");
        }
    }

    string() {
        if (this.match(/"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?!"")(?:[^"\\\n]|\\.)*"|'(?!'')[^'\n]*'/y) === null) {
            throw this.fault("the end of a text is missing");
        }
    }

    rest() {
        this.match(/[ \t]*(?:#[^\n]*)?/y);
        if (this.at < this.text.length && this.match(/\r?\n/y) === null) {
            throw this.fault("something stands after a value");
        }
    }
}

const startsWith = (path, start) => start.every((key, place) => path[place] === key);

export function mergeToml(text, { text: ours, pieces: [{ path }] }) {
    const newline = endOfLineIn(text);
    const statements = new TomlReader(text).statements();
    const own = new TomlReader(ours).statements().filter((each) => each.kind === "pair");
    const wanted = new Map(own.map((each) => [each.path.at(-1), ours.slice(each.start, each.end).trim()]));
    const regions = regionsOf(statements, path);
    if (!regions.length) {
        const body = text.replace(/\s*$/, "");
        return { text: body + newline + newline + ours.replaceAll("\n", newline), state: "added" };
    }
    let state = "same";
    for (const { table, body } of regions.toReversed()) {
        const made = table.path.length === path.length
            ? tomlTable(text, table, body, wanted, newline)
            : WAYS.has(table.path[path.length]) ? "" : null;
        const end = body.at(-1)?.end ?? table.end;
        if (made !== null && made !== text.slice(table.start, end)) {
            text = text.slice(0, table.start) + made + text.slice(end);
            state = "replaced";
        }
    }
    return { text, state };
}

// Our table and those below it, each with the statements in it. Comments right before the next table are that table's.
function regionsOf(statements, path) {
    const regions = [];
    let region = null;
    for (const each of statements) {
        if (each.kind === "table") {
            region = startsWith(each.path, path) ? { table: each, body: [] } : null;
            if (region) {
                regions.push(region);
            }
        } else if (region) {
            region.body.push(each);
        } else if (each.kind === "pair" && (startsWith(each.path, path) || (each.path.length < path.length && startsWith(path, each.path)))) {
            throw new MergeFault(`“${each.path.join(".")}” is written in a way that this page does not change. Replace it by hand with the entry above.`);
        }
    }
    for (const { body } of regions) {
        while (body.length && body.at(-1).kind === "space") {
            body.pop();
        }
    }
    if (regions.length && !regions.some(({ table }) => table.path.length === path.length)) {
        throw new MergeFault(`There are tables below “${path.join(".")}” and none of that name. Put the entry above before them by hand.`);
    }
    return regions;
}

function tomlTable(text, table, body, wanted, newline) {
    const raw = (each) => text.slice(each.start, each.end);
    const key = (each) => each.path[table.path.length];
    const kept = body.filter((each) => each.kind === "space" || !(wanted.has(key(each)) || WAYS.has(key(each))));
    const gone = body.filter((each) => !kept.includes(each)).map((each) => raw(each).trim()).sort();
    if (gone.join("\n") === [...wanted.values()].sort().join("\n")) {
        return raw(table) + body.map(raw).join("");
    }
    const head = raw(table).endsWith("\n") ? raw(table) : raw(table) + newline;
    return head + [...wanted.values()].map((line) => line + newline).join("") + kept.map(raw).join("");
}
