// A seeded source of chance, the same on every machine.

export class Chance {
    constructor(seed) {
        this.state = seed >>> 0;
    }

    next() {
        this.state = (this.state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    }

    below(count) {
        return Math.floor(this.next() * count);
    }

    is(likelihood) {
        return this.next() < likelihood;
    }

    of(list) {
        return list[this.below(list.length)];
    }

    shuffled(list) {
        const made = [...list];
        for (let place = made.length - 1; place > 0; place -= 1) {
            const other = this.below(place + 1);
            [made[place], made[other]] = [made[other], made[place]];
        }
        return made;
    }

    // `text` with one character more, fewer or another, as a slip of the hand leaves it.
    slip(text) {
        const at = this.below(text.length);
        return text.slice(0, at) + this.of(["", "", ",", '"', "}", "]", "\\", "#", "x", "\n"]) + text.slice(at + this.below(2));
    }
}
