// Puts our members into JSON by edits: other members, comments, order, numbers and line ends stay as they are.

import { CARRIERS, MergeFault, WAYS, isSame, lineStartAt, newlineAt, sorted, twice, unescaped, widened } from "./common.js";
import { JsonReader } from "./json_reader.js";

const indentAt = (text, at) => /^[ \t]*/.exec(text.slice(lineStartAt(text, at), at))[0];
const beginsLine = (text, at) => /^[ \t]*$/.test(text.slice(lineStartAt(text, at), at));

export function rootOf(text) {
    const root = new JsonReader(text).document();
    if (!root.isObject) {
        throw new MergeFault("The file is JSON, but not an object: it must start with a brace.");
    }
    return root;
}

export function memberOf(object, key) {
    const found = object.children.filter((child) => child.key === key);
    if (found.length > 1) {
        throw twice(key);
    }
    return found[0];
}

// The edits that put `pieces` into `text`, and what `checkJson` needs to know of them.
export function mergeJson(text, { pieces }) {
    const root = rootOf(text);
    const plan = new Plan(text, root);
    for (const piece of pieces) {
        if (piece.family) {
            plan.putItem(root, piece, pieces.find((each) => !each.family));
        } else {
            plan.putEntry(root, piece);
        }
    }
    return { edits: plan.all(), hasOld: plan.hasOld, item: plan.item };
}

// What goes from an object that ours has too, for each name of such an object.
const OLDER = {
    // Names of headers are the same in any case; two of one name contradict each other.
    headers: (wanted) => (name) => Object.keys(wanted).some((each) => each.toLowerCase() === name.toLowerCase()),
    env: () => (name) => CARRIERS.has(name),
};

class Plan {
    constructor(text, root) {
        this.text = text;
        this.reader = new JsonReader(text);
        this.edits = [];
        this.additions = new Map();
        this.hasOld = false;
        // The place of our item in its list: null where there is none yet, undefined where it is left alone.
        this.item = undefined;
        this.isOneLine = !text.trim().includes("\n");
        const first = root.children[0];
        this.unit = (first && beginsLine(text, first.keyStart) && indentAt(text, first.keyStart)) || "  ";
    }

    all() {
        for (const [node, members] of this.additions) {
            this.insert(node, members);
        }
        return sorted(this.edits);
    }

    edit(start, end, text) {
        this.edits.push({ start, end, text });
    }

    add(node, key, value) {
        this.additions.set(node, [...(this.additions.get(node) ?? []), [key, value]]);
    }

    putEntry(root, { path, value }) {
        let node = root;
        for (const [depth, key] of path.entries()) {
            const member = memberOf(node, key);
            if (!member) {
                this.add(node, key, path.slice(depth + 1).reduceRight((inner, name) => ({ [name]: inner }), value));
                return;
            }
            const isLast = depth === path.length - 1;
            if (isLast) {
                this.hasOld = true;
                this.setValue(member, value, (name) => WAYS.has(name));
                return;
            }
            node = this.reader.part(member.start);
            if (!node.isObject) {
                throw new MergeFault(`“${key}” is in the file, but is not an object. The entry can’t be added to it.`);
            }
        }
    }

    // An item of ours is found by its id, or by the family that ids of older tokens share. One that another entry
    // uses too is left alone.
    putItem(root, { path: [key], value, family }, { path }) {
        const member = memberOf(root, key);
        this.item = null;
        if (!member) {
            this.add(root, key, [value]);
            return;
        }
        const list = this.reader.part(member.start);
        if (list.isObject !== false) {
            throw new MergeFault(`“${key}” is in the file, but is not a list. The entry can’t be added to it.`);
        }
        const items = list.children.map((child) => [child, this.reader.plain(child.start)?.id]);
        const exact = items.filter(([, id]) => id === value.id);
        if (exact.length > 1) {
            throw twice(value.id);
        }
        const isOurs = (id) => typeof id === "string" && (id === family || new RegExp(`^${family}-[0-9A-Za-z]{12}$`).test(id));
        const [old, id] = exact[0] ?? items.find(([each, name]) => isOurs(name) && !this.isUsedElsewhere(name, each, root, path)) ?? [];
        if (!old) {
            this.add(list, null, value);
            return;
        }
        const isShared = id === value.id && this.isUsedElsewhere(id, old, root, path);
        this.item = isShared ? undefined : list.children.indexOf(old);
        if (!isShared) {
            this.hasOld = true;
            this.setValue(old, value, () => false);
        }
    }

    isUsedElsewhere(id, item, root, [section, name]) {
        const entries = memberOf(root, section);
        const object = entries && this.reader.part(entries.start);
        const own = object?.isObject ? memberOf(object, name) : undefined;
        // What our entry keeps may use it as well.
        const changed = own ? (this.reader.part(own.start).children ?? []).filter(({ key }) => WAYS.has(key)) : [];
        const spans = [item, ...changed].toSorted((one, other) => one.start - other.start);
        let at = 0;
        return [...spans, { start: this.text.length }].some(({ start, end }) => {
            const between = this.text.slice(at, start);
            at = end;
            return between.includes(id) || (between.includes("\\u") && unescaped(between).includes(id));
        });
    }

    // Edits as little as makes the value at `member` say what `value` does.
    setValue(member, value, isGone) {
        const old = this.reader.part(member.start);
        if (old.isObject && typeof value === "object" && value && !Array.isArray(value)) {
            this.setMembers(old, value, isGone);
        } else if (!isSame(this.reader.plain(member.start), value)) {
            this.edit(member.start, member.end, this.printed(value, indentAt(this.text, member.start), member.start));
        }
    }

    setMembers(node, wanted, isGone) {
        const lacking = [];
        for (const [key, value] of Object.entries(wanted)) {
            const member = memberOf(node, key);
            if (member) {
                this.setValue(member, value, OLDER[key] ? OLDER[key](value) : () => false);
            } else {
                lacking.push([key, value]);
            }
        }
        const gone = node.children.filter(({ key }) => !Object.hasOwn(wanted, key) && isGone(key));
        // What is new takes the place of what goes, so that comments beside it stay with the entry.
        while (gone.length && lacking.length) {
            const { keyStart, keyEnd, start, end } = gone.shift();
            const [key, value] = lacking.shift();
            this.edit(keyStart, keyEnd, JSON.stringify(key));
            this.edit(start, end, this.printed(value, indentAt(this.text, keyStart), start));
        }
        this.remove(node, gone);
        lacking.forEach(([key, value]) => this.add(node, key, value));
    }

    remove(node, gone) {
        for (const { keyStart, end, comma } of gone) {
            const isClose = comma !== null && /^\s*$/.test(this.text.slice(end, comma));
            this.edits.push(widened(this.text, keyStart, isClose ? comma + 1 : end));
            if (comma !== null && !isClose) {
                this.edit(comma, comma + 1, "");
            }
        }
        const last = node.children.findLast((child) => !gone.includes(child));
        if (gone.length && last && last.comma !== null && node.children.at(-1).comma === null) {
            this.edit(last.comma, last.comma + 1, "");
        }
    }

    printed(value, indent, at) {
        const text = JSON.stringify(value, null, this.isOneLine ? 0 : this.unit);
        return text.replaceAll("\n", newlineAt(this.text, at) + indent);
    }

    insert(node, members) {
        const { text } = this;
        const [first, last] = [node.children[0], node.children.at(-1)];
        const place = (child) => child.keyStart ?? child.start;
        const isListed = first && beginsLine(text, place(first));
        const indent = isListed ? indentAt(text, place(first)) : indentAt(text, node.start) + this.unit;
        const after = last ? (last.comma === null ? last.end : last.comma + 1) : node.start + 1;
        const made = members.map(([key, value]) => (key === null ? "" : `${JSON.stringify(key)}: `) + this.printed(value, indent, after));
        const trailing = last && last.comma !== null ? "," : "";
        if (last && !trailing) {
            this.edit(last.end, last.end, ",");
        }
        if (this.isOneLine) {
            this.edit(after, after, (last ? " " : "") + made.join(", ") + trailing);
            return;
        }
        const newline = newlineAt(text, after);
        const { end, isLineEnd } = restOfLine(text, after);
        const closing = isLineEnd ? "" : newline + indentAt(text, node.start);
        this.edit(end, end, made.map((each) => newline + indent + each).join(",") + trailing + closing);
    }
}

// The end of what stands behind `at` on its line, comments included, and whether the line ends there.
function restOfLine(text, at) {
    const rest = /(?:[ \t]|\/\*(?:(?!\*\/)[^\n])*\*\/)*(?:\/\/[^\n\r]*)?/y;
    rest.lastIndex = at;
    const end = at + rest.exec(text)[0].length;
    return { end, isLineEnd: /\r?\n/y.test(text.slice(end, end + 2)) };
}
