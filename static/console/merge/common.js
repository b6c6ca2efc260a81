// What the three formats share.

// A reason for the person, in a whole sentence. Anything else that is thrown is a mistake of ours.
export class MergeFault extends Error {}

// Keys that say how a server is reached, in all the clients' spellings. An older entry loses those that ours does
// not have, since two ways at once contradict each other; its other keys (tools switched off, time-outs) stay.
export const WAYS = new Set([
    "type", "transport", "url", "httpUrl", "serverUrl", "uri", "command", "cmd", "args", "env", "envs", "env_keys",
    "cwd", "headers", "http_headers", "env_http_headers", "bearer_token", "bearer_token_env_var", "oauth",
]);

export const endOfLineIn = (text) => (text.includes("\r\n") ? "\r\n" : "\n");

export function fault(language, text, at, what) {
    const line = text.slice(0, at).split("\n").length;
    return new MergeFault(`This is not ${language} that can be read: ${what} in line ${line}.`);
}
