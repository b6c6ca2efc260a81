// Reads JSON with comments and trailing commas, as editors allow them, with the place of every part. Only the objects
// that are asked for are taken apart; the rest is checked and passed over, so that a large file stays cheap.

import { fault } from "./common.js";

// More than any configuration has, and less than what readers can bear.
const DEEPEST = 200;
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPES = new Set('"\\/bfnrt');
const HEX = /^[0-9a-fA-F]{4}$/;

export class JsonReader {
    constructor(text) {
        this.text = text;
        this.at = 0;
        this.depth = 0;
    }

    // The outermost value, as `part` gives it, after checking the whole text.
    document() {
        const root = this.part();
        this.skip();
        if (this.at < this.text.length) {
            throw this.fault("unexpected text after the end");
        }
        return root;
    }

    // The value at `at`: {start, end}; an object or a list has `isObject` and `children` as well. A child is a value
    // with `comma`, the place of the comma after it or null, and in an object `key`, `keyStart` and `keyEnd`.
    part(at = this.at) {
        this.at = at;
        this.skip();
        const node = { start: this.at };
        if (this.text[this.at] === "{" || this.text[this.at] === "[") {
            node.isObject = this.text[this.at] === "{";
            node.children = [];
            this.container(node.children);
        } else {
            this.value();
        }
        node.end = this.at;
        return node;
    }

    // The value at `at` as JavaScript has it; for parts that are small.
    plain(at) {
        const { start, end, isObject, children } = this.part(at);
        if (!children) {
            return JSON.parse(this.text.slice(start, end));
        }
        const values = children.map((child) => [child.key, this.plain(child.start)]);
        return isObject ? Object.fromEntries(values) : values.map(([, value]) => value);
    }

    fault(what, at = this.at) {
        return fault("JSON", this.text, at, what);
    }

    skip() {
        for (;;) {
            const code = this.text.charCodeAt(this.at);
            if (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
                this.at += 1;
            } else if (code === 0x2f) {
                this.comment();
            } else {
                return;
            }
        }
    }

    comment() {
        const kind = this.text[this.at + 1];
        const close = kind === "/" ? "\n" : "*/";
        const found = this.text.indexOf(close, this.at + 2);
        if ((kind !== "/" && kind !== "*") || (found < 0 && kind === "*")) {
            throw this.fault(kind === "*" ? "the end of a comment is missing" : "missing or invalid value");
        }
        const end = found < 0 ? this.text.length : found;
        if (kind === "/" && /\r(?!$)|[\u2028\u2029]/.test(this.text.slice(this.at, end))) {
            throw this.fault("a comment contains a line break that programs read differently");
        }
        this.at = kind === "/" ? end : end + 2;
    }

    value() {
        const opened = this.text[this.at];
        if (opened === "{" || opened === "[") {
            this.container(null);
        } else if (opened === '"') {
            this.string();
        } else {
            LITERAL.lastIndex = this.at;
            const word = LITERAL.exec(this.text);
            if (!word) {
                throw this.fault("missing or invalid value");
            }
            this.at += word[0].length;
        }
    }

    string() {
        for (let at = this.at + 1; ;) {
            const code = this.text.charCodeAt(at);
            if (code === 0x22) {
                this.at = at + 1;
                return;
            }
            // Past the end of the text, too: there the code is not a number.
            if (!(code >= 0x20)) {
                throw this.fault("unterminated string");
            }
            if (code !== 0x5c) {
                at += 1;
            } else if (this.text[at + 1] === "u" ? HEX.test(this.text.slice(at + 2, at + 6)) : ESCAPES.has(this.text[at + 1])) {
                at += this.text[at + 1] === "u" ? 6 : 2;
            } else {
                throw this.fault("invalid escape sequence", at);
            }
        }
    }

    // Goes past an object or a list, and notes its children where a list for them is given.
    container(children) {
        const isObject = this.text[this.at] === "{";
        const closing = isObject ? "}" : "]";
        this.depth += 1;
        if (this.depth > DEEPEST) {
            throw this.fault(`objects are nested more than ${DEEPEST} deep`);
        }
        this.at += 1;
        for (let mayFollow = true; ;) {
            this.skip();
            if (this.text[this.at] === closing) {
                this.at += 1;
                this.depth -= 1;
                return;
            }
            if (!mayFollow) {
                throw this.fault("missing comma or bracket");
            }
            const child = this.child(isObject, children !== null);
            mayFollow = child.comma !== null;
            children?.push(child);
        }
    }

    child(isObject, isKept) {
        const child = { comma: null };
        if (isObject) {
            child.keyStart = this.at;
            if (this.text[this.at] !== '"') {
                throw this.fault("missing name in double quotes");
            }
            this.string();
            child.keyEnd = this.at;
            child.key = isKept ? JSON.parse(this.text.slice(child.keyStart, child.keyEnd)) : "";
            this.skip();
            if (this.text[this.at] !== ":") {
                throw this.fault("missing colon");
            }
            this.at += 1;
            this.skip();
        }
        child.start = this.at;
        this.value();
        child.end = this.at;
        this.skip();
        if (this.text[this.at] === ",") {
            child.comma = this.at;
            this.at += 1;
        }
        return child;
    }
}
