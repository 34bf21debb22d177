"""A trend as a small drawing: the coordinates of a line and of the area under it."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, MARGIN = 560, 120, 8
STEP = 5.0
"""The least range of scores, in percent, that fills the height: a quiet trend looks quiet."""


@dataclass(frozen=True, slots=True)
class Spark:
    """What the SVG needs; `change` is the last score less the first."""

    line: str
    area: str
    end: tuple[float, float]
    first: float
    last: float
    change: float
    count: int
    width: int = WIDTH
    height: int = HEIGHT


def draw(scores: Sequence[float]) -> Spark | None:
    """The drawing of scores in percent, oldest first; None where there are fewer than two."""
    if len(scores) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    low, high = _range(scores)
    across = (WIDTH - 2 * MARGIN) / (len(scores) - 1)
    down = (HEIGHT - 2 * MARGIN) / (high - low)
    points = [
        (round(MARGIN + at * across, 1), round(MARGIN + (high - each) * down, 1)) for at, each in enumerate(scores)
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    floor = f"{points[-1][0]},{HEIGHT} {points[0][0]},{HEIGHT}"
    change = round(scores[-1] - scores[0], 1)
    return Spark(line, f"{line} {floor}", points[-1], scores[0], scores[-1], change, len(scores))


def _range(scores: Sequence[float]) -> tuple[float, float]:
    low, high = min(scores), max(scores)
    missing = max(STEP - (high - low), 0) / 2
    return low - missing, high + missing
