// Reads the changed file back and compares everything that is not ours, before it is offered.

import { WAYS, isSame, notReadBack } from "./common.js";
import { memberOf, rootOf } from "./json.js";
import { JsonReader } from "./json_reader.js";

export function checkJson(before, after, { pieces }, { item }) {
    const [old, made] = [before, after].map((text) => new Reading(text, pieces));
    const isAdded = item === null;
    if (!isSame(old.others(isAdded ? undefined : item), made.others(isAdded ? made.lastItem() : item))) {
        throw notReadBack();
    }
    for (const { path, value } of pieces.filter((piece) => !piece.family)) {
        const [was, is] = [old.own(path), made.own(path)];
        if (!is || !covers(is.value, value) || !isSame(was?.kept(value) ?? [], is.kept(value))) {
            throw notReadBack();
        }
    }
    checkStrict(before, after, pieces, item);
}

class Reading {
    constructor(text, pieces) {
        this.text = text;
        this.pieces = pieces;
        this.root = rootOf(text);
        this.reader = new JsonReader(text);
    }

    raw({ keyStart, start, end }) {
        return this.text.slice(keyStart ?? start, end);
    }

    // Everything but ours, as it is written. What holds nothing else counts as absent.
    others(item) {
        return this.root.children.flatMap((member) => {
            const piece = this.pieces.find(({ path }) => path[0] === member.key);
            const { children } = piece ? this.reader.part(member.start) : {};
            if (!children) {
                return [this.raw(member)];
            }
            const rest = children.filter((child, place) => (piece.family ? place !== item : child.key !== piece.path[1]));
            return rest.length ? [member.key, ...rest.map((child) => this.raw(child))] : [];
        });
    }

    lastItem() {
        const { path } = this.pieces.find((piece) => piece.family) ?? {};
        return path ? this.reader.part(memberOf(this.root, path[0]).start).children.length - 1 : undefined;
    }

    own([section, name]) {
        const object = memberOf(this.root, section);
        const node = object && this.reader.part(object.start);
        const member = node?.isObject ? memberOf(node, name) : undefined;
        if (!member) {
            return null;
        }
        const { isObject, children } = this.reader.part(member.start);
        return {
            value: this.reader.plain(member.start),
            kept: (wanted) => (isObject ? children : [])
                .filter(({ key }) => !Object.hasOwn(wanted, key) && !WAYS.has(key)).map((child) => this.raw(child)),
        };
    }
}

function covers(found, wanted) {
    if (typeof wanted !== "object" || !wanted || Array.isArray(wanted)) {
        return isSame(found, wanted);
    }
    return typeof found === "object" && found !== null
        && Object.keys(wanted).every((key) => Object.hasOwn(found, key) && covers(found[key], wanted[key]));
}

// JSON without comments is read by the browser's own parser as well, which shares nothing with ours.
function checkStrict(before, after, pieces, item) {
    let old = null;
    try {
        old = JSON.parse(before);
    } catch {
        return;
    }
    const made = JSON.parse(after);
    for (const { path: [section, name], family } of pieces) {
        const isAdded = item === null;
        for (const root of [old, made].filter((each) => Object.hasOwn(each, section))) {
            if (family) {
                const ours = isAdded ? (root === made ? root[section].length - 1 : -1) : item ?? -1;
                root[section] = root[section].filter((_, place) => place !== ours);
            } else {
                delete root[section][name];
            }
            if (Object.keys(root[section]).length === 0) {
                delete root[section];
            }
        }
    }
    if (!isSame(old, made)) {
        throw notReadBack();
    }
}
