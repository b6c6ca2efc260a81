// What the formats share. A change is a list of edits, {start, end, text}: spans of the file that do not overlap.

// A reason for the user, in whole sentences. Anything else that is thrown is a mistake of ours.
export class MergeFault extends Error {}

// Keys that say how a server is reached, in all the clients' spellings. An older entry loses those that ours does
// not have, since two ways at once contradict each other; its other keys (tools switched off, time-outs) stay.
export const WAYS = new Set([
    "type", "transport", "url", "httpUrl", "serverUrl", "uri", "command", "cmd", "args", "env", "envs", "env_keys",
    "cwd", "headers", "bearer_token", "bearer_token_env_var", "oauth",
]);

// Variables in which entries of ours carry the token; one that is no longer used must not keep an old token.
export const CARRIERS = new Set(["HOURSMITH_API_TOKEN", "AUTH_HEADER"]);

export function edited(text, edits) {
    const parts = [];
    let at = 0;
    for (const edit of edits) {
        parts.push(text.slice(at, edit.start), edit.text);
        at = edit.end;
    }
    parts.push(text.slice(at));
    return parts.join("");
}

// In the order of the file; edits at one place keep the order in which they were made.
export const sorted = (edits) => edits.toSorted((one, other) => one.start - other.start || one.end - other.end);

// The line end that the lines around `at` use, since one file may have both kinds.
export function newlineAt(text, at) {
    const before = at > 0 ? text.lastIndexOf("\n", at - 1) : -1;
    const found = before < 0 ? text.indexOf("\n", at) : before;
    return found > 0 && text[found - 1] === "\r" ? "\r\n" : "\n";
}

export const lineStartAt = (text, at) => (at > 0 ? text.lastIndexOf("\n", at - 1) + 1 : 0);

// What has to go with the span so that no empty line stays: its whole line where nothing else stands on it.
export function widened(text, start, end) {
    const lineStart = lineStartAt(text, start);
    const rest = /[ \t]*(?:(\r?\n)|$)?/y;
    rest.lastIndex = end;
    const after = rest.exec(text);
    const isAlone = /^[ \t]*$/.test(text.slice(lineStart, start)) && (after[1] || end + after[0].length === text.length);
    return isAlone ? { start: lineStart, end: end + after[0].length, text: "" } : { start, end, text: "" };
}

export const unescaped = (raw) => raw.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))/g, (_, ...found) =>
    String.fromCodePoint(Math.min(parseInt(found[0] ?? found[1] ?? found[2], 16), 0x10ffff)));

export function isSame(one, other) {
    if (typeof one !== "object" || typeof other !== "object" || !one || !other) {
        return Object.is(one, other);
    }
    if (Array.isArray(one)) {
        return Array.isArray(other) && one.length === other.length && one.every((each, place) => isSame(each, other[place]));
    }
    const keys = Object.keys(one);
    return !Array.isArray(other) && keys.length === Object.keys(other).length
        && keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]));
}

export function fault(language, text, at, what) {
    const line = text.slice(0, at).split("\n").length;
    return new MergeFault(`Invalid ${language}: ${what} in line ${line}.`);
}

export const twice = (key) => new MergeFault(`“${key}” appears in the file more than once, and programs differ on which one they use.`);

export const notReadBack = () => new MergeFault("The merged file could not be verified, so it is not offered.");
