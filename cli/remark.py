"""Remarks about what was left out: never more lines than somebody reads."""

from cli import terminal

REMARK_LINES = 100
"""Remarks that are printed; the others are counted."""


class Remarks:
    """Prints what was left out and why, as long as there are few; `count` says how many there were."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, reason: object) -> None:
        """Print a remark, or count it where there were many."""
        self.count += 1
        if self.count <= REMARK_LINES:
            terminal.print_left_out(reason)

    def close(self) -> None:
        """Print how many remarks were not printed."""
        if self.count > REMARK_LINES:
            terminal.print_left_out(f"{self.count - REMARK_LINES:,} more, of {self.count:,} altogether")
