// JSON, with comments and trailing commas as editors allow them: read with the place of every part, changed as text.

import { MergeFault, WAYS, endOfLineIn, fault } from "./common.js";

const indentAt = (text, at) => /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", at - 1) + 1))[0];

class JsonReader {
    constructor(text) {
        this.text = text;
        this.at = 0;
    }

    document() {
        const node = this.value();
        this.skip();
        if (this.at < this.text.length) {
            throw this.fault("something stands after the end");
        }
        return node;
    }

    fault(what) {
        return fault("JSON", this.text, this.at, what);
    }

    match(pattern) {
        pattern.lastIndex = this.at;
        const found = pattern.exec(this.text);
        this.at += found ? found[0].length : 0;
        return found && found[0];
    }

    skip() {
        this.match(/(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/y);
    }

    value() {
        this.skip();
        const start = this.at;
        const opened = this.text[this.at];
        if (opened === "{" || opened === "[") {
            return this.container(opened === "{" ? "}" : "]", start);
        }
        return { start, value: this.scalar(), end: this.at };
    }

    scalar() {
        const word = this.match(/"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y);
        if (word === null) {
            throw this.fault("a value is missing or misspelt");
        }
        return JSON.parse(word);
    }

    container(closing, start) {
        const isObject = closing === "}";
        const node = { start, isObject, children: [], value: isObject ? {} : [], comma: null };
        this.at += 1;
        for (;;) {
            this.skip();
            if (this.text[this.at] === closing) {
                this.at += 1;
                node.end = this.at;
                return node;
            }
            if (node.children.length && node.comma === null) {
                throw this.fault("a comma or a bracket is missing");
            }
            this.child(node);
        }
    }

    child(node) {
        const start = this.at;
        let key = node.children.length;
        if (node.isObject) {
            if (this.text[this.at] !== '"') {
                throw this.fault("a name in double quotes is missing");
            }
            key = this.scalar();
            this.skip();
            if (this.match(/:/y) === null) {
                throw this.fault("a colon is missing");
            }
        }
        const child = this.value();
        node.children.push({ key, start, node: child, end: child.end });
        // Not by plain assignment, which a member called __proto__ would escape.
        Object.defineProperty(node.value, key, { value: child.value, enumerable: true, configurable: true, writable: true });
        this.skip();
        node.comma = this.match(/,/y) === null ? null : this.at;
    }
}

export function mergeJson(text, contract) {
    const states = [];
    for (const piece of contract.pieces) {
        const merged = piece.family ? withItem(text, piece) : withEntry(text, piece);
        text = merged.text;
        states.push(merged.state);
    }
    return { text, state: ["replaced", "added", "same"].find((state) => states.includes(state)) };
}

function rootOf(text) {
    const root = new JsonReader(text).document();
    if (!root.isObject) {
        throw new MergeFault("The file is JSON, but not an object: it must begin with a brace.");
    }
    return root;
}

const memberOf = (object, key) => object.children.findLast((child) => child.key === key);

function withEntry(text, { path, value }) {
    let node = rootOf(text);
    for (const [depth, key] of path.entries()) {
        const member = memberOf(node, key);
        if (!member) {
            const nested = path.slice(depth + 1).reduceRight((inner, name) => ({ [name]: inner }), value);
            return { text: inserted(text, node, `${JSON.stringify(key)}: `, nested), state: "added" };
        }
        if (depth < path.length - 1 && !member.node.isObject) {
            throw new MergeFault(`“${key}” is in the file, but is not an object: nothing can be put into it.`);
        }
        node = member.node;
    }
    const merged = node.isObject ? { ...value, ...keptOf(node.value, value) } : value;
    return replaced(text, node, merged);
}

function withItem(text, { path, value, family }) {
    const root = rootOf(text);
    const list = memberOf(root, path[0]);
    if (!list) {
        return { text: inserted(text, root, `${JSON.stringify(path[0])}: `, [value]), state: "added" };
    }
    if (!Array.isArray(list.node.value)) {
        throw new MergeFault(`“${path[0]}” is in the file, but is not a list: nothing can be put into it.`);
    }
    const items = list.node.children.filter((child) => String(child.node.value?.id ?? "").startsWith(family));
    const old = items.find((child) => child.node.value.id === value.id) ?? items[0];
    return old ? replaced(text, old.node, value) : { text: inserted(text, list.node, "", value), state: "added" };
}

function keptOf(old, value) {
    return Object.fromEntries(Object.entries(old).filter(([key]) => !WAYS.has(key) && !Object.hasOwn(value, key)));
}

function isSame(one, other) {
    if (typeof one !== "object" || typeof other !== "object" || !one || !other) {
        return one === other;
    }
    const keys = Object.keys(one);
    return Array.isArray(one) === Array.isArray(other) && keys.length === Object.keys(other).length
        && keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]));
}

function printed(text, value, indent) {
    const unit = /\n([ \t]+)"/.exec(text)?.[1] ?? "  ";
    return JSON.stringify(value, null, unit).replaceAll("\n", endOfLineIn(text) + indent);
}

function replaced(text, node, value) {
    if (isSame(node.value, value)) {
        return { text, state: "same" };
    }
    const made = printed(text, value, indentAt(text, node.start));
    return { text: text.slice(0, node.start) + made + text.slice(node.end), state: "replaced" };
}

function inserted(text, container, name, value) {
    const newline = endOfLineIn(text);
    const outer = indentAt(text, container.start);
    const first = container.children[0];
    const isOnOwnLine = first && /^[ \t]*$/.test(text.slice(text.lastIndexOf("\n", first.start - 1) + 1, first.start));
    const indent = isOnOwnLine ? indentAt(text, first.start) : outer + printed(text, [0], "").match(/[ \t]+/)[0];
    const last = container.children.at(-1);
    const before = last && container.comma === null ? `${text.slice(0, last.end)},` : text.slice(0, container.comma ?? container.start + 1);
    const gap = text.slice(last ? container.comma ?? last.end : container.start + 1, container.end - 1);
    const kept = gap.trimEnd();
    const closing = gap.slice(kept.length).includes("\n") ? gap.slice(kept.length) : newline + outer;
    const comma = container.comma === null ? "" : ",";
    return `${before}${kept}${newline}${indent}${name}${printed(text, value, indent)}${comma}${closing}${text.slice(container.end - 1)}`;
}
