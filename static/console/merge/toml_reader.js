// Reads TOML 1.0 as statements with the place of every part.

import { fault } from "./common.js";

const BARE = /[A-Za-z0-9_-]+/y;
const TEXT = { '"': /[^"\\\x00-\x08\n-\x1f\x7f]*/y, "'": /[^'\x00-\x08\n-\x1f\x7f]*/y };
const LINES = { '"': /[^"\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*/y, "'": /[^'\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*/y };
const ESCAPE = /\\(?:[btnfre"\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y;
const LINE_ESCAPE = /\\[ \t]*\r?\n/y;
const DIGITS = String.raw`\d(?:_?\d)*`;
const TIME = String.raw`\d\d:\d\d(?::\d\d(?:\.\d+)?)?`;
const SCALAR = new RegExp(
    String.raw`(?:true|false|[+-]?(?:inf|nan)|\d{4}-\d\d-\d\d(?:[Tt ]${TIME}(?:[Zz]|[+-]\d\d:\d\d)?)?|${TIME}`
    + String.raw`|0x[\dA-Fa-f](?:_?[\dA-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*`
    + String.raw`|[+-]?(?:0|[1-9](?:_?\d)*)(?:\.${DIGITS})?(?:[eE][+-]?${DIGITS})?)(?![\w.+:-])`,
    "y",
);
const NAMED = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\x1b" };
const DEEPEST = 200;

// What a quoted text of one line says.
export function decoded(raw) {
    return raw[0] === "'" ? raw.slice(1, -1) : raw.slice(1, -1).replace(/\\(?:[xuU]([0-9a-fA-F]+)|([^xuU]))/g, (_, code, name) =>
        code ? String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff)) : NAMED[name] ?? name);
}

export class TomlReader {
    constructor(text) {
        this.text = text;
        this.at = 0;
        this.depth = 0;
    }

    // The statements: {kind: "space" | "table" | "array" | "pair", path, start, end} with whole paths; `from` and `to`
    // leave out the blanks, the comment and the line end. A pair has keyStart, keyEnd and valueStart as well.
    statements() {
        const bare = this.text.search(/\r(?!\n)/);
        if (bare >= 0) {
            throw fault("TOML", this.text, bare, "a line ends with a carriage return alone");
        }
        const found = [];
        let table = [];
        while (this.at < this.text.length) {
            const each = this.statement(table);
            table = each.kind === "table" || each.kind === "array" ? each.path : table;
            found.push(each);
        }
        return found;
    }

    statement(table) {
        const each = { kind: "space", path: [], start: this.at };
        this.match(/[ \t]*/y);
        each.from = this.at;
        const next = this.text[this.at];
        if (next === "[") {
            const opened = this.match(/\[\[?/y);
            each.kind = opened === "[" ? "table" : "array";
            each.path = this.keys();
            this.expect(opened === "[" ? /\]/y : /\]\]/y, "a closing bracket is missing");
        } else if (next !== undefined && !"#\r\n".includes(next)) {
            each.kind = "pair";
            each.keyStart = this.at;
            each.path = [...table, ...this.keys()];
            each.keyEnd = this.keyEnd;
            this.expect(/=[ \t]*/y, "an equals sign is missing");
            each.valueStart = this.at;
            this.value();
        }
        each.to = this.at;
        this.match(/[ \t]*/y);
        this.comment();
        if (this.at < this.text.length) {
            this.expect(/\r?\n/y, "unexpected text after a value");
        }
        each.end = this.at;
        return each;
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

    expect(pattern, what) {
        if (this.match(pattern) === null) {
            throw this.fault(what);
        }
    }

    comment() {
        this.match(/#[^\x00-\x08\n-\x1f\x7f]*/y);
    }

    // A dotted key as a list; its end, without the blanks behind it, is in `keyEnd`.
    keys() {
        const path = [];
        do {
            this.match(/[ \t]*/y);
            const start = this.at;
            if (this.text[start] === '"' || this.text[start] === "'") {
                this.line(this.text[start]);
                path.push(decoded(this.text.slice(start, this.at)));
            } else {
                this.expect(BARE, "a key is missing or misspelt");
                path.push(this.text.slice(start, this.at));
            }
            this.keyEnd = this.at;
            this.match(/[ \t]*/y);
        } while (this.match(/\./y));
        return path;
    }

    value() {
        const next = this.text[this.at];
        if (next === '"' || next === "'") {
            if (this.text.startsWith(next.repeat(3), this.at)) {
                this.lines(next);
            } else {
                this.line(next);
            }
        } else if (next === "[" || next === "{") {
            this.container(next === "{");
        } else {
            this.expect(SCALAR, "a value is missing or misspelt");
        }
    }

    line(quote) {
        this.at += 1;
        do {
            this.match(TEXT[quote]);
        } while (this.match(ESCAPE) !== null && quote === '"');
        if (this.text[this.at] !== quote) {
            throw this.fault("unterminated string");
        }
        this.at += 1;
    }

    lines(quote) {
        this.at += 3;
        for (;;) {
            this.match(LINES[quote]);
            const quotes = this.match(quote === '"' ? /"+/y : /'+/y)?.length ?? 0;
            if (quotes >= 3 && quotes <= 5) {
                return;
            }
            if (quotes > 5 || (quotes === 0 && (quote === "'" || (this.match(ESCAPE) ?? this.match(LINE_ESCAPE)) === null))) {
                throw this.fault("unterminated string");
            }
        }
    }

    container(isTable) {
        this.depth += 1;
        if (this.depth > DEEPEST) {
            throw this.fault(`values are nested more than ${DEEPEST} deep`);
        }
        this.at += 1;
        for (let mayFollow = true; ;) {
            this.gap();
            if (this.match(isTable ? /\}/y : /\]/y)) {
                this.depth -= 1;
                return;
            }
            if (!mayFollow) {
                throw this.fault("missing comma or bracket");
            }
            if (isTable) {
                this.keys();
                this.expect(/=[ \t]*/y, "an equals sign is missing");
            }
            this.value();
            this.gap();
            mayFollow = this.match(/,/y) !== null;
        }
    }

    // Past blanks, line ends and comments inside brackets.
    gap() {
        while (this.match(/[ \t\r\n]+/y) || this.text[this.at] === "#") {
            this.comment();
        }
    }
}
