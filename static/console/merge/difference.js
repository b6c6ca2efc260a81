// What changed, line by line: [mark, line] with "+", "−", " " or, for what is left out, "…".

import { edited, lineStartAt } from "./common.js";

const LONGEST_LINE = 400;
const MOST_ROWS = 400;

export function difference(before, edits, context = 3) {
    const rows = [];
    let shown = 0;
    for (const hunk of hunksOf(before, edits)) {
        const start = linesBack(before, hunk.start, context, shown);
        if (start > shown || (start > 0 && shown === 0)) {
            rows.push(["…", ""]);
        }
        rows.push(...plain(before.slice(start, hunk.start)), ...rowsOf(before, hunk));
        shown = linesOn(before, hunk.end, context);
        rows.push(...plain(before.slice(hunk.end, shown)));
    }
    if (shown < before.length) {
        rows.push(["…", ""]);
    }
    return rows.length > MOST_ROWS ? [...rows.slice(0, MOST_ROWS), ["…", ""]] : rows;
}

// Whole lines with the edits in them; edits so near that their contexts would meet stay together.
function hunksOf(before, edits) {
    const hunks = [];
    for (const edit of edits) {
        const start = lineStartAt(before, edit.start);
        const end = lineEndAt(before, edit.end);
        const last = hunks.at(-1);
        if (last && linesBack(before, start, 3, 0) <= linesOn(before, last.end, 3)) {
            last.end = Math.max(last.end, end);
            last.edits.push(edit);
        } else {
            hunks.push({ start, end, edits: [edit] });
        }
    }
    return hunks;
}

function rowsOf(before, { start, end, edits }) {
    const old = before.slice(start, end);
    const moved = edits.map((edit) => ({ ...edit, start: edit.start - start, end: edit.end - start }));
    const [gone, made] = [linesOf(old), linesOf(edited(old, moved))];
    if ([...gone, ...made].some((line) => line.length > LONGEST_LINE)) {
        return moved.flatMap((edit) => [["−", around(old, edit, old.slice(edit.start, edit.end))], ["+", around(old, edit, edit.text)]]);
    }
    return changes(gone, made);
}

// The part of a long line that changes, with a little of what stands beside it.
function around(old, { start, end }, text) {
    const shown = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
    return `…${old.slice(Math.max(0, start - 20), start)}${shown}${old.slice(end, end + 20)}…`.replaceAll(/\s+/g, " ");
}

function lineEndAt(text, at) {
    const end = text.indexOf("\n", at);
    return end < 0 ? text.length : end + 1;
}

function linesBack(text, at, count, least) {
    let start = at;
    for (let line = 0; line < count && start > least; line += 1) {
        start = lineStartAt(text, start - 1);
    }
    return Math.max(start, least);
}

function linesOn(text, at, count) {
    let end = at;
    for (let line = 0; line < count && end < text.length; line += 1) {
        end = lineEndAt(text, end);
    }
    return end;
}

const linesOf = (text) => text.replace(/\r?\n$/, "").split(/\r?\n/);
const plain = (text) => (text === "" ? [] : linesOf(text).map((line) => [" ", line.slice(0, LONGEST_LINE)]));

function changes(old, made) {
    // The table below grows with the product; past that, everything counts as changed.
    if (old.length * made.length > 1_000_000) {
        return [...old.map((line) => ["−", line]), ...made.map((line) => ["+", line])];
    }
    const common = Array.from({ length: old.length + 1 }, () => new Uint32Array(made.length + 1));
    for (let row = old.length - 1; row >= 0; row -= 1) {
        for (let column = made.length - 1; column >= 0; column -= 1) {
            common[row][column] = old[row] === made[column]
                ? common[row + 1][column + 1] + 1
                : Math.max(common[row + 1][column], common[row][column + 1]);
        }
    }
    const rows = [];
    let [row, column] = [0, 0];
    while (row < old.length || column < made.length) {
        if (row < old.length && column < made.length && old[row] === made[column]) {
            rows.push([" ", old[row]]);
            row += 1;
            column += 1;
        } else if (row < old.length && (column === made.length || common[row + 1][column] >= common[row][column + 1])) {
            rows.push(["−", old[row]]);
            row += 1;
        } else {
            rows.push(["+", made[column]]);
            column += 1;
        }
    }
    return rows;
}
