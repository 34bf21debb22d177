"""What the guides show is what the product does."""

import doctest
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_guide_to_the_engine() -> None:
    guide = str(ROOT / "docs" / "engine.md")
    outcome = doctest.testfile(guide, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 8
    assert outcome.failed == 0
