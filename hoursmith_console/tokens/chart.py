"""Lay out a stacked bar chart of calls, for a stretchable SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from hoursmith_console.tokens.usage import SERIES, Span

WIDTH, HEIGHT = 700, 120
# Share of each bar's slot.
_GAP = 0.24
# One call among thousands must be visible.
LEAST = 2.0
_MOST_LABELS = 8
# Labels are longer if not every bar has one.
_MOST_SPREAD = 6


@dataclass(frozen=True, slots=True)
class Segment:
    """One rectangle of one bar."""

    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one day or hour. `is_labelled`: whether it has a label below."""

    span: Span
    x: float
    width: float
    segments: list[Segment]
    is_labelled: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars, totals and size of a chart."""

    bars: list[Bar]
    most: int
    totals: dict[str, int]
    unit: str
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total(self) -> int:
        """Calls of every kind in all spans."""
        return sum(self.totals.values())

    @property
    def description(self) -> str:
        """The chart described in words, for screen readers."""
        parts = ", ".join(f"{count:,} {series}" for series, count in self.totals.items())
        calls = "call" if self.total == 1 else "calls"
        return (
            f"{self.total:,} {calls} in {len(self.bars)} {self.unit}s: {parts}. "
            f"The busiest {self.unit} had {self.most:,}."
        )

    @property
    def are_all_labelled(self) -> bool:
        """Whether every bar has a label."""
        return len(self.bars) <= _MOST_LABELS


def draw(spans: Sequence[Span], unit: str = "day") -> Chart:
    """Lay out `spans` as bars from left to right, scaled to the busiest."""
    most = max((span.total for span in spans), default=0)
    step = WIDTH / max(len(spans), 1)
    every = 1 if len(spans) <= _MOST_LABELS else -(-len(spans) // _MOST_SPREAD)
    bars = [
        _bar(span, x=(index + _GAP / 2) * step, width=step * (1 - _GAP), most=most, is_labelled=index % every == 0)
        for index, span in enumerate(spans)
    ]
    totals = {series: sum(span.counts[series] for span in spans) for series in SERIES}
    return Chart(bars, most, totals, unit)


def _bar(span: Span, *, x: float, width: float, most: int, is_labelled: bool) -> Bar:
    heights = {series: max(LEAST, HEIGHT * count / most) for series, count in span.counts.items() if count}
    scale = min(1.0, HEIGHT / sum(heights.values())) if heights else 1.0
    segments, y = [], float(HEIGHT)
    for series, height in heights.items():
        y -= height * scale
        segments.append(Segment(series, round(y, 1), round(height * scale, 1)))
    return Bar(span, round(x, 1), round(width, 1), segments, is_labelled)
