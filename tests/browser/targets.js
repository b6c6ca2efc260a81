// What a finger would miss on the page that is open: targets smaller than 44 px, links within a sentence lower than 24 px,
// and a page wider than the screen. A target is as large as the part of the page that hits it, measured on a grid of 4 px.
() => {
  const LEAST = 44, INLINE = 24, GRID = 4;
  const faults = [];
  const touched = (target, labels, box) => {
    const hits = [];
    for (let x = Math.max(box.left - LEAST, 1); x < Math.min(box.right + LEAST, innerWidth); x += GRID)
      for (let y = Math.max(box.top - LEAST, 1); y < box.bottom + LEAST; y += GRID) {
        const hit = document.elementFromPoint(x, y);
        if (hit && [target, ...labels].some((each) => each.contains(hit))) hits.push([x, y]);
      }
    const span = (axis) => { const all = hits.map((each) => each[axis]); return all.length ? Math.max(...all) - Math.min(...all) + GRID : 0; };
    return [span(0), span(1), hits.length * GRID * GRID];
  };
  for (const target of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!target.checkVisibility() || getComputedStyle(target).pointerEvents === "none") continue;
    let box = target.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1 || box.bottom + scrollY < 0 || (box.width >= LEAST && box.height >= LEAST)) continue;
    target.scrollIntoView({ block: "center", inline: "nearest" });
    box = target.getBoundingClientRect();
    const isInline = getComputedStyle(target).display === "inline" && target.parentElement.innerText.trim() !== target.innerText.trim();
    const [width, height, area] = touched(target, [...(target.labels ?? [])], box);
    const least = isInline ? INLINE : LEAST;
    if (height < least - GRID || (!isInline && (width < least - GRID || area < least * least * 0.8))) faults.push(`${target.tagName.toLowerCase()}.${target.className} ${(target.innerText || target.ariaLabel || target.name || "").trim().slice(0, 30)} ${Math.round(width)}x${Math.round(height)} ${area} in ${target.parentElement.tagName.toLowerCase()}.${target.parentElement.className}`);
  }
  const wide = document.documentElement.scrollWidth > innerWidth ? [`SIDEWAYS ${document.documentElement.scrollWidth}`] : [];
  return [...wide, ...new Set(faults)];
}
