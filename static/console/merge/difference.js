// What changed, line by line: [mark, line] with "+", "−", " " or, for lines that are left out, "…".

export function difference(before, after, context = 3) {
    const [old, made] = [before, after].map((text) => text.split(/\r?\n/));
    let head = 0;
    while (head < old.length && head < made.length && old[head] === made[head]) {
        head += 1;
    }
    let tail = 0;
    while (tail < old.length - head && tail < made.length - head && old.at(-1 - tail) === made.at(-1 - tail)) {
        tail += 1;
    }
    const rows = [
        ...old.slice(0, head).map((line) => [" ", line]),
        ...changes(old.slice(head, old.length - tail), made.slice(head, made.length - tail)),
        ...old.slice(old.length - tail).map((line) => [" ", line]),
    ];
    return shortened(rows, context);
}

function changes(old, made) {
    // The table below grows with the product; past that, everything counts as changed.
    if (old.length * made.length > 4_000_000) {
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

function shortened(rows, context) {
    const isNear = rows.map(() => false);
    rows.forEach(([mark], place) => {
        if (mark !== " ") {
            isNear.fill(true, Math.max(0, place - context), place + context + 1);
        }
    });
    return rows.flatMap((row, place) => (isNear[place] ? [row] : place === 0 || isNear[place - 1] ? [["…", ""]] : []));
}
