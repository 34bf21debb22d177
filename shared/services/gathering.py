"""Gather policy files into the policies that they put in force together."""

from collections.abc import Iterable, Iterator

from shared.domain.error import InvalidInput
from shared.engine import AliasCatalog, InvalidDefinition
from shared.engine.assignment import parse_assignment
from shared.engine.initiative import Initiative
from shared.services.library import Entry, Library, Shape
from shared.services.placement import Placement, Values, place


def gather(
    entries: Iterable[Entry], library: Library, *, aliases: AliasCatalog, parameters: Values
) -> tuple[Placement, ...]:
    """The policies of several documents; each document gets the parameter values that it declares.

    What another one of them refers to is judged where that has it, and not by itself too.

    Raises:
        InvalidInput: one of them cannot be used, or a value is for a parameter that none of them declares.
    """
    outer = _outermost(tuple(entries), library)
    declared = [_declared(each, library) for each in outer]
    strange = [name for name in parameters if not any(name.lower() in each for each in declared)]
    if strange:
        raise InvalidInput(f"no such parameter: {', '.join(strange)}", path="--parameters")
    found: list[Placement] = []
    for entry, names in zip(outer, declared, strict=True):
        given = {name: value for name, value in parameters.items() if name.lower() in names}
        try:
            found += place(entry, library, aliases=aliases, parameters=given)
        except InvalidDefinition as error:
            raise InvalidInput(f"{entry.name}: {error.message}", path=error.path) from None
    return tuple(found)


def _outermost(entries: tuple[Entry, ...], library: Library) -> tuple[Entry, ...]:
    """Those that none of the others refers to."""
    inner = {found for each in entries for found in _referred(each, library)}
    return tuple(each for each in entries if each not in inner)


def _referred(entry: Entry, library: Library) -> Iterator[Entry]:
    """What a document refers to and what that refers to in turn, as far as it is at hand."""
    try:
        wanted = _wanted(entry, library)
    except InvalidDefinition:
        return  # it is told when it is placed
    for identity, *shapes in wanted:
        found = library.find(identity, *shapes)
        if found is not None:
            yield found
            yield from _referred(found, library)


def _wanted(entry: Entry, library: Library) -> list[tuple[str, *tuple[Shape, ...]]]:
    if entry.shape is Shape.ASSIGNMENT:
        return [(parse_assignment(entry.source).definition, Shape.DEFINITION, Shape.INITIATIVE)]
    found = library.read(entry)
    return [(each.definition, Shape.DEFINITION) for each in found.members] if isinstance(found, Initiative) else []


def _declared(entry: Entry, library: Library) -> frozenset[str]:
    """The names (lower case) of the parameters that a document takes values for."""
    try:
        wanted = _wanted(entry, library) if entry.shape is Shape.ASSIGNMENT else []
        target = library.find(*wanted[0]) if wanted else entry
        return frozenset(library.read(target).parameters if target else ())
    except InvalidDefinition:
        return frozenset()
