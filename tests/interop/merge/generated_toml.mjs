// Configuration files in TOML 1.0, with every kind of key, value and table.

const KEYS = ["a", "b-c", "d_e", '"f g"', "'h.i'", '"\\u006a"', '"k\\"l"', "1979", '"__proto__"', "'url'", '""'];
const VALUES = [
    "1", "-0", "+7", "1_000", "9223372036854775807", "0xDEAD_beef", "0o17", "0b1", "1.50", "-1e5", "1E+2", "inf", "-nan", "true", "false",
    "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5+01:00", "1979-05-27", "07:32:00",
    '"text # no comment"', "'C:\\path'", '"q\\"q \\u00e9"', '""', "''", '"""\nlines\n[mcp_servers.hoursmith]\n# no comment\n"""', "'''\nurl = \"x\"\n'''",
    '"""a\\\n   b"""', '"""quo""te"""', '""""x""""', "'''''x'''''", "[]", "[ 1, 2 ]", '[\n  "a", # why\n  "]",\n]', "[[1], ['x']]", '{ x = 1, "y z" = { w = [1] } }', "{}", '{ hoursmith = "x" }',
];
const COMMENTS = ["", "", "", " # why", "\t# [mcp_servers.hoursmith]", " # é ] } \""];
const HEADERS = ["[mcp_servers.hoursmith]", "[ mcp_servers . hoursmith ]", '["mcp_servers".hoursmith]', "[mcp_servers.'hoursmith']", '[mcp_servers."hours\\u006dith"]'];

// {text, mayRefuse}: `mayRefuse` where ours is written in a form that the page does not change.
export function generatedToml(chance, contract) {
    const lines = new Lines(chance, contract);
    return lines.file();
}

class Lines {
    constructor(chance, contract) {
        this.chance = chance;
        this.value = contract.pieces[0].value;
        this.newline = chance.of(["\n", "\r\n"]);
        this.isMixed = chance.is(0.2);
        this.taken = 0;
        this.mayRefuse = false;
    }

    file() {
        const { chance } = this;
        const parts = [this.pairs(4), ...this.awkward("root")];
        const tables = Array.from({ length: chance.below(4) }, () => [`[${this.path()}]`, ...this.pairs(3)]);
        tables.push(...Array.from({ length: chance.below(2) }, () => {
            const path = this.path();
            return [`[[${path}]]`, ...this.pairs(2), `[[${path}]]`, `[${path}.mcp_servers]`, "hoursmith.url = 1"];
        }));
        tables.push(...Array.from({ length: chance.below(3) }, () => this.server()));
        if (chance.is(0.25)) {
            tables.push(["[mcp_servers]", ...this.pairs(1), ...this.awkward("table")]);
        }
        if (chance.is(0.6) && !this.mayRefuse) {
            tables.push(...this.own());
        }
        return { text: this.joined([...parts.flat(), ...chance.shuffled(tables).flat()]), mayRefuse: this.mayRefuse };
    }

    joined(lines) {
        const { chance } = this;
        const end = () => (this.isMixed ? chance.of(["\n", "\r\n"]) : this.newline);
        const spread = lines.flatMap((line) => [...(chance.is(0.15) ? [chance.of(["", "  ", "# note", "\t# [x]"])] : []), chance.of(["", "", "", "  "]) + line + chance.of(COMMENTS)]);
        const text = spread.map((line, place) => line.replaceAll("\n", this.newline) + (place < spread.length - 1 || chance.is(0.7) ? end() : "")).join("");
        return (chance.is(0.1) ? "\ufeff" : "") + text + (chance.is(0.1) ? end() : "");
    }

    key() {
        this.taken += 1;
        const key = this.chance.of(KEYS);
        return /^["']/.test(key) ? `${key.slice(0, -1)}${this.taken}${key.at(-1)}` : `${key}${this.taken}`;
    }

    path() {
        return Array.from({ length: 1 + this.chance.below(2) }, () => this.key()).join(this.chance.of([".", " . "]));
    }

    pairs(most) {
        return Array.from({ length: this.chance.below(most) }, () => `${this.path()}${this.chance.of([" = ", "=", "  =\t"])}${this.chance.of(VALUES)}`);
    }

    server() {
        const name = this.key();
        return [`[mcp_servers.${name}]`, 'command = "npx"', ...this.pairs(2), ...(this.chance.is(0.4) ? [`[mcp_servers.${name}.env]`, ...this.pairs(2)] : [])];
    }

    // Forms of our own entry, or of what it would go into, that are refused.
    awkward(where) {
        if (!this.chance.is(0.06)) {
            return [];
        }
        this.mayRefuse = true;
        return [this.chance.of(where === "root"
            ? ["mcp_servers.hoursmith.url = 1", "mcp_servers = { hoursmith = { url = 1 } }", "mcp_servers.other.command = 1", "'mcp_servers'.hoursmith = {}"]
            : ["hoursmith.url = 1", 'hoursmith = { url = "x" }', '"hours\\u006dith" = 1'])];
    }

    own() {
        const { chance } = this;
        const older = ['command = "npx"', 'args = [ "-y", # why\n  "x" ]', "env.A = 'b'", "cwd = '/'", 'url = "https://old.example"', "'url' = 'https://old.example'",
            'enabled_tools = ["get_me"]', "tool_timeout_sec = 30.5", 'http_headers = { X = "1" }'].filter(() => chance.is(0.4));
        const same = Object.entries(this.value).filter(() => chance.is(0.4)).map(([key, each]) => `${key} = ${JSON.stringify(each)}`);
        const names = new Set();
        const pairs = chance.shuffled([...same, ...older]).filter((line) => {
            const name = line.split(/[ .]/, 1)[0].replaceAll("'", "");
            const isNew = !names.has(name);
            names.add(name);
            return isNew;
        });
        const below = names.has("env") ? [] : [["[mcp_servers.hoursmith.env]", "A = 'b'"], ["[[mcp_servers.hoursmith.env]]"], ["[mcp_servers.hoursmith.tools.get_me]", "approval = 'auto'"]].filter(() => chance.is(0.2)).slice(0, 1);
        if (chance.is(0.04)) {
            this.mayRefuse = true;
            return [[chance.of(["[[mcp_servers.hoursmith]]", "[mcp_servers.hoursmith.env]"]), "A = 'b'"]];
        }
        if (chance.is(0.04)) {
            this.mayRefuse = true;
            below.push(["[mcp_servers.hoursmith.env_http_headers]", "authorization = 'T'"]);
        }
        return [[chance.of(HEADERS), ...pairs], ...below];
    }
}
