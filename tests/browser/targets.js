// What a finger would miss on the page that is open: targets smaller than 44 px, links within a sentence lower than 24 px,
// and a page wider than the screen. A target is as large as the part of the page that hits it, measured on a grid of 4 px.
() => {
  const LEAST = 44, INLINE = 24, GRID = 4;
  const faults = [];
  const touched = (target, labels, [left, right, top, bottom]) => {
    const hits = [];
    for (let x = Math.max(left, 1); x < Math.min(right, innerWidth); x += GRID)
      for (let y = Math.max(top, 1); y < bottom; y += GRID) {
        const hit = document.elementFromPoint(x, y);
        if (hit && [target, ...labels].some((each) => each.contains(hit))) hits.push([x, y]);
      }
    const span = (axis) => { const all = hits.map((each) => each[axis]); return all.length ? Math.max(...all) - Math.min(...all) + GRID : 0; };
    return [span(0), span(1), hits.length * GRID * GRID];
  };
  const isMissed = ([width, height, area], isInline) => {
    const least = isInline ? INLINE : LEAST;
    return height < least - GRID || (!isInline && (width < least - GRID || area < least * least * 0.8));
  };
  for (const target of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!target.checkVisibility() || getComputedStyle(target).pointerEvents === "none") continue;
    let box = target.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || box.bottom + scrollY < 0 || (box.width >= LEAST && box.height >= LEAST)) continue;
    target.scrollIntoView({ block: "center", inline: "nearest" });
    box = target.getBoundingClientRect();
    const isInline = getComputedStyle(target).display === "inline" && target.parentElement.innerText.trim() !== target.innerText.trim();
    const labels = [...(target.labels ?? [])], middle = [box.left + box.width / 2, box.top + box.height / 2];
    // Most are hit everywhere around their middle, which takes few looks.
    const across = isInline ? [middle[0], middle[0] + 1] : [middle[0] - LEAST / 2, middle[0] + LEAST / 2];
    if (!isMissed(touched(target, labels, [...across, middle[1] - LEAST / 2, middle[1] + LEAST / 2]), isInline)) continue;
    const [width, height, area] = touched(target, labels, [box.left - LEAST, box.right + LEAST, box.top - LEAST, box.bottom + LEAST]);
    if (isMissed([width, height, area], isInline)) faults.push(`${target.tagName.toLowerCase()}.${target.className} ${(target.innerText || target.ariaLabel || target.name || "").trim().slice(0, 30)} ${Math.round(width)}x${Math.round(height)} ${area} in ${target.parentElement.tagName.toLowerCase()}.${target.parentElement.className}`);
  }
  const wide = document.documentElement.scrollWidth > innerWidth ? [`SIDEWAYS ${document.documentElement.scrollWidth}`] : [];
  return [...wide, ...new Set(faults)];
}
