// Configuration files in JSON with comments, as nobody would write them and somebody does.

const NUMBERS = ["0", "-0", "1e5", "1E+2", "-2.50", "12345678901234567890", "0.1e-7", "300"];
const TEXTS = ['""', '"a"', '"b c"', '"Ü€😀"', '"q\\"q"', '"\\\\"', '"// no comment"', '"/* nor this */"', '"{[,]}:"', '"\\u0041\\n"', '"hoursmith"', '"https://x.example/"', '"${input:mine}"', '"${input:hoursmith-token}"', '"${input:hoursmith-token-aaaaaaaaaaaa}"', '"\\u0024{input:hoursmith-token-aaaaaaaaaaaa}"', '"\\ud83d\\ude00"'];
const NAMES = ["a", "theme", "__proto__", "constructor", "toString", "url", "hoursmith", "mcpServers", "servers", "inputs", "1", "", "x.y", "Ü"];
const COMMENTS = ["/**/", "/* c */", "/* , } ] */", "/* \n two */", "/* \r\n \"x\": 1 */", "// line\n", "// \"x\": {\n", "// line\r\n", "//\n"];
const SPACES = ["", "", "", " ", "  ", "\t", "\n", "\r\n", "\n    ", "\r\n\t", " \n\n  "];

// {text, mayRefuse}: `mayRefuse` where the file has what readers differ on.
export function generatedJson(chance, contract) {
    return new Writer(chance, contract).file();
}

class Writer {
    constructor(chance, contract) {
        this.chance = chance;
        this.contract = contract;
        this.entry = contract.pieces.find((piece) => !piece.family);
        this.item = contract.pieces.find((piece) => piece.family);
        this.hasComments = chance.is(0.6);
        this.hasTrailing = chance.is(0.3);
        this.isTight = chance.is(0.1);
        this.isPretty = chance.is(0.3);
        this.newline = chance.of(["\n", "\r\n"]);
        this.indent = chance.of(["  ", "    ", "\t", " "]);
        this.mayRefuse = false;
        this.taken = 0;
    }

    file() {
        const { chance } = this;
        const [section, name] = this.entry.path;
        const members = Array.from({ length: chance.below(4) }, () => [this.name(), (depth) => this.value(depth, 2)]);
        if (chance.is(0.75)) {
            members.push([this.spelt(section), (depth) => this.section(depth, name)]);
        }
        if (this.item && chance.is(0.7)) {
            members.push([this.spelt("inputs"), (depth) => this.inputs(depth)]);
        }
        if (chance.is(0.03)) {
            members.push([JSON.stringify(section), () => "{}"]);
            this.mayRefuse = true;
        }
        const body = this.object(0, chance.shuffled(members));
        const text = `${this.gap()}${body}${this.gap()}${chance.of(["", this.newline])}`;
        return { text: (chance.is(0.15) ? "\ufeff" : "") + text, mayRefuse: this.mayRefuse };
    }

    // A name that no other member beside it has; the parts that matter here are spelt on purpose.
    name() {
        this.taken += 1;
        return JSON.stringify(`${this.chance.of(NAMES)}${this.taken}`);
    }

    spelt(key) {
        return this.chance.is(0.1) ? `"\\u${key.charCodeAt(0).toString(16).padStart(4, "0")}${key.slice(1)}"` : JSON.stringify(key);
    }

    gap() {
        const { chance } = this;
        if (this.isTight || this.isPretty) {
            return "";
        }
        const space = () => chance.of(SPACES);
        return space() + (this.hasComments && chance.is(0.25) ? chance.of(COMMENTS) + space() : "");
    }

    container(depth, opened, closed, parts) {
        const { chance } = this;
        if (!parts.length) {
            return opened + this.gap() + closed;
        }
        const line = this.isPretty ? this.newline + this.indent.repeat(depth + 1) : "";
        const note = () => (this.isPretty && this.hasComments && chance.is(0.3) ? ` // ${chance.of(["why", "{", '"a": 1,'])}` : "");
        const body = parts.map((part, place) => {
            const comma = place < parts.length - 1 || (this.hasTrailing && chance.is(0.7)) ? "," : "";
            return line + this.gap() + part + this.gap() + comma + note();
        });
        return opened + body.join("") + (this.isPretty ? this.newline + this.indent.repeat(depth) : "") + this.gap() + closed;
    }

    object(depth, members) {
        const colon = this.isPretty ? ": " : ":";
        return this.container(depth, "{", "}", members.map(([key, make]) => `${key}${this.gap()}${colon}${this.gap()}${make(depth + 1)}`));
    }

    value(depth, deeper) {
        const { chance } = this;
        if (deeper && chance.is(0.4)) {
            const parts = Array.from({ length: chance.below(4) });
            return chance.is(0.5)
                ? this.object(depth, parts.map(() => [this.name(), (below) => this.value(below, deeper - 1)]))
                : this.container(depth, "[", "]", parts.map(() => this.value(depth + 1, deeper - 1)));
        }
        return chance.of([chance.of(NUMBERS), chance.of(TEXTS), "true", "false", "null"]);
    }

    section(depth, name) {
        const { chance } = this;
        if (chance.is(0.04)) {
            this.mayRefuse = true;
            return chance.of(["null", "[]", '"x"', "1"]);
        }
        const servers = Array.from({ length: chance.below(4) }, () => [this.name(), (below) => this.value(below, 2)]);
        if (chance.is(0.6)) {
            servers.push([this.spelt(name), (below) => this.own(below)]);
        }
        if (chance.is(0.03)) {
            servers.push([JSON.stringify(name), () => "{}"]);
            this.mayRefuse = true;
        }
        return this.object(depth, chance.shuffled(servers));
    }

    own(depth) {
        const { chance, entry: { value } } = this;
        if (chance.is(0.05)) {
            return chance.of(["null", "[]", '"x"', "1", "{}"]);
        }
        const raw = (each) => () => JSON.stringify(each);
        const older = [
            ['"command"', raw("npx")], ['"args"', (below) => this.container(below, "[", "]", ['"-y"', '"x"'])], ['"env"', (below) => this.object(below, chance.shuffled([['"A"', raw("b")], ['"HOURSMITH_API_TOKEN"', raw("old")]]))],
            ['"type"', raw("sse")], ['"url"', raw("https://old.example/mcp")], ['"headers"', (below) => this.object(below, chance.shuffled([['"authorization"', raw("Bearer old")], ['"X-MCP-Readonly"', raw("true")]]))],
            ['"disabledTools"', (below) => this.value(below, 1)], ['"timeout"', () => chance.of(NUMBERS)], ['"oauth"', () => "false"],
        ].filter(() => chance.is(0.45));
        const same = Object.entries(value).filter(() => chance.is(0.4)).map(([key, each]) => [JSON.stringify(key), raw(each)]);
        const names = new Set(same.map(([key]) => key));
        return this.object(depth, chance.shuffled([...same, ...older.filter(([key]) => !names.has(key))]));
    }

    inputs(depth) {
        const { chance, item: { value, family } } = this;
        if (chance.is(0.04)) {
            this.mayRefuse = true;
            return chance.of(["null", "{}", '"x"']);
        }
        const ids = ["mine", family, `${family}-aaaaaaaaaaaa`, `${family}-of-somebody`, value.id].filter(() => chance.is(0.4));
        const items = ids.map((id) => this.object(depth + 1, [['"type"', () => '"promptString"'], ['"id"', () => JSON.stringify(id)], ...(chance.is(0.3) ? [['"default"', () => '"d"']] : [])]));
        return this.container(depth, "[", "]", chance.shuffled([...items, ...(chance.is(0.2) ? ["null"] : [])]));
    }
}
