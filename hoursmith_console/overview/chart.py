"""Lays out the calls of a few days as stacked bars: numbers for an SVG that stretches, no library, no script."""

from collections.abc import Sequence
from dataclasses import dataclass

from hoursmith_console.overview.queries import SERIES, Day

WIDTH, HEIGHT = 700, 120
GAP = 24
# A day with one call among thousands must still be seen.
LEAST = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """One rectangle of one bar."""

    series: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One day's bar."""

    day: Day
    x: float
    width: float
    segments: list[Segment]


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars and the numbers that stand around them."""

    bars: list[Bar]
    most: int
    totals: dict[str, int]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total(self) -> int:
        """Calls of every kind on all days."""
        return sum(self.totals.values())

    @property
    def description(self) -> str:
        """The chart in one sentence."""
        parts = ", ".join(f"{count:,} {series}" for series, count in self.totals.items())
        return f"{self.total:,} calls in {len(self.bars)} days: {parts}. The busiest day had {self.most:,}."


def draw(days: Sequence[Day]) -> Chart:
    """`days` as bars from left to right, scaled to the busiest day."""
    most = max((day.total for day in days), default=0)
    step = WIDTH / max(len(days), 1)
    bars = [_bar(day, x=index * step + GAP / 2, width=step - GAP, most=most) for index, day in enumerate(days)]
    totals = {series: sum(day.counts[series] for day in days) for series in SERIES}
    return Chart(bars, most, totals)


def _bar(day: Day, *, x: float, width: float, most: int) -> Bar:
    heights = {series: max(LEAST, HEIGHT * count / most) for series, count in day.counts.items() if count}
    scale = min(1.0, HEIGHT / sum(heights.values())) if heights else 1.0
    segments, y = [], float(HEIGHT)
    for series, height in heights.items():
        y -= height * scale
        segments.append(Segment(series, round(y, 1), round(height * scale, 1)))
    return Bar(day, round(x, 1), round(width, 1), segments)
