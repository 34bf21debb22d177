"""Finds names without regard to case, as in JSON that people write or clouds answer."""

from collections.abc import Collection, Iterable, Mapping


def spelled(names: Iterable[str], name: str) -> str | None:
    """Find a name without regard to case, as it is spelled; None when it is not among the names."""
    low = name.lower()
    return next((each for each in names if str(each).lower() == low), None)


def respell(names: Collection[str], name: str) -> str:
    """Return a name as it is spelled among the names; as given where it is not among them."""
    return name if name in names else spelled(names, name) or name


def lowered[T](source: Mapping[str, T]) -> dict[str, T]:
    """Return the members of an object by their names in lower case; of several spellings the last counts."""
    return {str(name).lower(): value for name, value in source.items()}
