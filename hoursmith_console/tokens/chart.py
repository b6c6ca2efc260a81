"""Lay out a stacked bar chart of calls, for a stretchable SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hoursmith_console.tokens.numbers import CALLS, SERIES, minute_text, within
from hoursmith_console.tokens.usage import Span

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
    filters: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The address of the list of its calls."""
        return CALLS.address(**self.filters, **within(self.span.start, self.span.length))

    @property
    def name(self) -> str:
        """Its span in words."""
        if self.span.length < timedelta(days=1):
            return f"{self.span.start:%-d %b, %H:%M}"
        return f"{self.span.start:%-d %B %Y}"

    @property
    def description(self) -> str:
        """Its calls in words."""
        parts = ", ".join(f"{count:,} {SERIES[series].label.lower()}" for series, count in self.counts if count)
        return f"{self.name}: {self.span.total:,} call{'' if self.span.total == 1 else 's'}: {parts}"

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Its calls by series."""
        return list(self.span.counts.items())

    @property
    def cells(self) -> list[tuple[int, str]]:
        """Its calls by series, each with the address of their list."""
        during = within(self.span.start, self.span.length)
        return [(count, SERIES[series].address(**self.filters, **during)) for series, count in self.counts]


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars, totals and size of a chart."""

    bars: list[Bar]
    most: int
    totals: dict[str, int]
    unit: str
    filters: dict[str, str] = field(default_factory=dict)
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total(self) -> int:
        """Calls of every kind in all spans."""
        return sum(self.totals.values())

    @property
    def description(self) -> str:
        """The chart described in words, for screen readers."""
        parts = ", ".join(f"{count:,} {SERIES[series].label.lower()}" for series, count in self.totals.items())
        calls = "call" if self.total == 1 else "calls"
        return (
            f"{self.total:,} {calls} in {len(self.bars)} {self.unit}s: {parts}. "
            f"The busiest {self.unit} had {self.most:,}."
        )

    @property
    def legend(self) -> list[tuple[str, str, int, str]]:
        """Series, label, number of calls, and the address of their list."""
        since = {"since": minute_text(self.bars[0].span.start)} if self.bars else {}
        return [
            (series, SERIES[series].label, count, SERIES[series].address(**self.filters, **since))
            for series, count in self.totals.items()
        ]

    @property
    def are_all_labelled(self) -> bool:
        """Whether every bar has a label."""
        return len(self.bars) <= _MOST_LABELS


def draw(spans: Sequence[Span], unit: str = "day", **filters: str) -> Chart:
    """Lay out `spans` as bars from left to right, scaled to the busiest.

    `filters` are those of the activity list that shows the charted calls, as `token="live_4f8a2c1bdedf"`.
    """
    most = max((span.total for span in spans), default=0)
    step = WIDTH / max(len(spans), 1)
    every = 1 if len(spans) <= _MOST_LABELS else -(-len(spans) // _MOST_SPREAD)
    bars = [
        Bar(
            span,
            x=round((index + _GAP / 2) * step, 1),
            width=round(step * (1 - _GAP), 1),
            segments=_segments(span, most),
            is_labelled=index % every == 0,
            filters=filters,
        )
        for index, span in enumerate(spans)
    ]
    totals = {series: sum(span.counts[series] for span in spans) for series in SERIES}
    return Chart(bars, most, totals, unit, filters)


def _segments(span: Span, most: int) -> list[Segment]:
    heights = {series: max(LEAST, HEIGHT * count / most) for series, count in span.counts.items() if count}
    scale = min(1.0, HEIGHT / sum(heights.values())) if heights else 1.0
    segments, y = [], float(HEIGHT)
    for series, height in heights.items():
        y -= height * scale
        segments.append(Segment(series, round(y, 1), round(height * scale, 1)))
    return segments
