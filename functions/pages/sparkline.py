"""A trend as a sparkline: the coordinates of a line and of the area under it."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH_PIXELS, HEIGHT_PIXELS, MARGIN_PIXELS = 560, 120, 8
LEAST_RANGE_PERCENT = 5.0
"""The least range of scores, in percentage points, over the whole height: a small change looks small."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The coordinates of the SVG; `change` is the last score minus the first."""

    line: str
    area: str
    end: tuple[float, float]
    first: float
    last: float
    change: float
    count: int
    width: int = WIDTH_PIXELS
    height: int = HEIGHT_PIXELS


def draw_sparkline(scores: Sequence[float]) -> Sparkline | None:
    """Return the sparkline of scores in percent, oldest first; None for fewer than two."""
    if len(scores) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    low, high = _range(scores)
    across = (WIDTH_PIXELS - 2 * MARGIN_PIXELS) / (len(scores) - 1)
    down = (HEIGHT_PIXELS - 2 * MARGIN_PIXELS) / (high - low)
    points = [
        (round(MARGIN_PIXELS + at * across, 1), round(MARGIN_PIXELS + (high - each) * down, 1))
        for at, each in enumerate(scores)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    floor = f"{points[-1][0]},{HEIGHT_PIXELS} {points[0][0]},{HEIGHT_PIXELS}"
    change = round(scores[-1] - scores[0], 1)
    return Sparkline(line, f"{line} {floor}", points[-1], scores[0], scores[-1], change, len(scores))


def _range(scores: Sequence[float]) -> tuple[float, float]:
    low, high = min(scores), max(scores)
    missing = max(LEAST_RANGE_PERCENT - (high - low), 0) / 2
    return low - missing, high + missing
