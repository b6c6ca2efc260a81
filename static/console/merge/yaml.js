// YAML: a mapping of mappings in block style, which is how Goose writes its file; changed line by line.

import { MergeFault, WAYS, endOfLineIn, fault } from "./common.js";

const YAML_KEY = /^( *)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#&*!|>'"%@`{}[\],?:-][^#:]*?|-?[\w.]+)[ ]*:(?:[ ]+(.*))?$/;
const indentOf = (line) => line.length - line.trimStart().length;
const isEmpty = (line) => /^\s*(?:#.*)?$/.test(line);
const yamlName = (key) => (/^["']/.test(key) ? key.slice(1, -1) : key);

export function mergeYaml(text, { text: ours, pieces: [{ path: [section, name] }] }) {
    const newline = endOfLineIn(text);
    const lines = text.split(/\r?\n/);
    checkYaml(lines);
    const start = lines.findIndex((line) => keyOf(line, 0) === section);
    if (start < 0) {
        const body = text.replace(/\s*$/, "");
        return { text: body + newline + ours.replaceAll("\n", newline), state: "added" };
    }
    const next = lines.findIndex((line, place) => place > start && !isEmpty(line) && indentOf(line) === 0);
    const end = lastFilled(lines, start, next < 0 ? lines.length : next);
    const value = valueOf(lines[start]);
    if (!["", "{}", "null", "~"].includes(value) || /^-/.test(lines[next] ?? "")) {
        throw new MergeFault(`“${section}” is written in a way that this page does not change. Put the entry above into it by hand.`);
    }
    const children = lines.slice(start + 1, end).filter((line) => !isEmpty(line));
    const indent = children.length ? indentOf(children[0]) : 2;
    const place = lines.findIndex((line, at) => at > start && at < end && keyOf(line, indent) === name);
    const head = value ? lines[start].replace(/:.*$/, ":") : lines[start];
    if (place < 0) {
        const made = yamlEntry(ours, indent, indent);
        return { text: [...lines.slice(0, start), head, ...lines.slice(start + 1, end), ...made, ...lines.slice(end)].join(newline), state: "added" };
    }
    const following = lines.findIndex((line, at) => at > place && at < end && !isEmpty(line) && indentOf(line) <= indent);
    const finish = lastFilled(lines, place, following < 0 ? end : following, indent);
    const old = lines.slice(place, finish);
    const made = yamlReplacement(old, ours, indent);
    if (made === null) {
        return { text, state: "same" };
    }
    return { text: [...lines.slice(0, place), ...made, ...lines.slice(finish)].join(newline), state: "replaced" };
}

function checkYaml(lines) {
    const text = lines.join("\n");
    let offset = 0;
    let isBegun = false;
    for (const line of lines) {
        const isMark = /^(?:---|\.\.\.)\s*$/.test(line);
        if (/^ *\t/.test(line) && !isEmpty(line)) {
            throw fault("YAML", text, offset, "a tab stands before the text");
        }
        if (isMark && isBegun) {
            throw new MergeFault("The file holds several YAML documents; this page changes files with one.");
        }
        if (!isEmpty(line) && !isMark && indentOf(line) === 0 && keyOf(line, 0) === null && !/^- /.test(line)) {
            throw fault("YAML", text, offset, "a line is neither “key: value” nor indented");
        }
        isBegun ||= !isEmpty(line) && !isMark;
        offset += line.length + 1;
    }
}

function keyOf(line, indent) {
    const found = YAML_KEY.exec(line);
    return found && found[1].length === indent ? yamlName(found[2]) : null;
}

const valueOf = (line) => (YAML_KEY.exec(line)[3] ?? "").replace(/(?:^|\s)#.*$/, "").trim();

// The place after the last line before `end` that is more than `deeper` spaces in.
function lastFilled(lines, start, end, deeper = 0) {
    let place = end;
    while (place > start + 1 && (lines[place - 1].trim() === "" || indentOf(lines[place - 1]) <= deeper)) {
        place -= 1;
    }
    return place;
}

// Our entry without the line of its section, `indent` deep, and with `unit` for each level below.
function yamlEntry(ours, indent, unit) {
    return ours.trimEnd().split("\n").slice(1).map((line) => {
        const level = indentOf(line) / 2 - 1;
        return " ".repeat(indent + level * unit) + line.trimStart();
    });
}

function groupsOf(lines) {
    const body = lines.slice(1);
    const first = body.find((line) => !isEmpty(line));
    const groups = [];
    for (const line of body) {
        const key = first === undefined ? null : keyOf(line, indentOf(first));
        if (key !== null || !groups.length) {
            groups.push({ key, lines: [] });
        }
        groups.at(-1).lines.push(line);
    }
    return groups;
}

// The lines in place of `old`, null where it already says what ours does.
function yamlReplacement(old, ours, indent) {
    const inner = old.slice(1).find((line) => !isEmpty(line));
    const made = yamlEntry(ours, indent, inner === undefined ? indent : indentOf(inner) - indent);
    const wanted = groupsOf(made);
    const names = new Set(wanted.map((group) => group.key));
    const groups = groupsOf(old);
    const kept = groups.filter((group) => !names.has(group.key) && !WAYS.has(group.key));
    const gone = groups.filter((group) => !kept.includes(group));
    const plain = (all) => all.map((group) => group.lines.map((line) => line.trim()).filter(Boolean).join("\n")).sort().join("\n");
    return plain(gone) === plain(wanted) ? null : [...made, ...kept.flatMap((group) => group.lines)];
}
