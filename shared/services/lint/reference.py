"""Lint rules about what initiatives and assignments refer to, and the subject that they look at."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.initiative import Initiative, name_of
from shared.engine.tree import Definition, Operand, Parameter
from shared.services.library import (
    Entry,
    Library,
    Shape,
    is_built_in,
    is_definition_id,
    is_initiative_id,
    properties_of,
    version_of,
)
from shared.services.lint.subject import Found, Rule, member

_WANTED = re.compile(r"\d+\.(\*\.\*|\d+\.(\*|\d+))(-[a-z]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a definition or initiative, with the parameter values that it passes.

    `path` is where the reference stands, `label` what people call it. `target` is what it leads to, None where nothing
    is found or where that cannot be read (`broken` says why).
    """

    path: str
    label: str
    identity: str
    version: str
    given: Mapping[str, Operand]
    entry: Entry | None = None
    target: Definition | Initiative | None = None
    broken: InvalidDefinition | None = None

    @property
    def asked(self) -> bool:
        """Whether the target is there in a version that is asked for, as far as it tells its version."""
        held = version_of(self.entry) if self.entry else ""
        return not held or not _WANTED.fullmatch(self.version) or _meets(held, self.version)

    @property
    def declared(self) -> Mapping[str, Parameter] | None:
        """The parameters that the target declares, by lower-case name; None where it is not there as asked for."""
        return self.target.parameters if self.target and self.asked else None


@dataclass(frozen=True, kw_only=True)
class Referring:
    """An initiative or assignment to look at. `properties` has lower-case keys, `parameters` are its own ones."""

    properties: Mapping[str, Json]
    library: Library
    references: tuple[Reference, ...]
    shapes: tuple[Shape, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)
    effect_parameter: str | None = None


class Refers(Protocol):
    """What the rules of this chapter need."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything that it refers to."""

    @property
    def library(self) -> Library:
        """Where the targets are looked for."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What it may refer to."""


def lead(reference: Reference, library: Library, shapes: Iterable[Shape]) -> Reference:
    """The reference with what it leads to."""
    entry = library.find(reference.identity, *shapes)
    target, broken = None, None
    if entry is not None:
        try:
            target = library.read(entry)
        except InvalidDefinition as error:
            broken = error
    return Reference(
        path=reference.path,
        label=reference.label,
        identity=reference.identity,
        version=reference.version,
        given=reference.given,
        entry=entry,
        target=target,
        broken=broken,
    )


def _fits(identity: str, shapes: tuple[Shape, ...]) -> bool:
    shape = Shape.INITIATIVE if is_initiative_id(identity) else Shape.DEFINITION
    return is_definition_id(identity) and shape in shapes


def malformed(subject: Refers) -> Iterator[Found]:
    """A `policyDefinitionId` is not the full id of a policy definition; initiatives do not hold initiatives.

    Write `/providers/Microsoft.Authorization/policyDefinitions/<name>`, with the scope that holds it in front.
    """
    for each in subject.references:
        if not _fits(each.identity, subject.shapes):
            wanted = "…/providers/Microsoft.Authorization/policyDefinitions/<name>"
            found = each.identity[:120]
            yield Found(f"{each.path}.policyDefinitionId", f"{found!r} is no id of a definition", f"write {wanted}")


def unknown(subject: Refers) -> Iterator[Found]:
    """A reference leads to no file beside this one and to nothing in the catalog.

    Mend the id, or lint the folder that has the definition too.
    """
    for each in subject.references:
        if each.entry is None and _fits(each.identity, subject.shapes) and not is_built_in(each.identity):
            near = subject.library.near(each.identity, *subject.shapes)
            hint = f"use {near!r}" if near else "lint it together with the file of the definition"
            what = "initiative" if is_initiative_id(each.identity) else "definition"
            message = f"there is no {what} {name_of(each.identity)[:80]!r} at hand"
            yield Found(f"{each.path}.policyDefinitionId", message, hint)


def unchecked(subject: Refers) -> Iterator[Found]:
    """A definition of Azure's own is not at hand, so the values passed to it could not be checked.

    Put its file beside this one.
    """
    for each in subject.references:
        if each.entry is None and _fits(each.identity, subject.shapes) and is_built_in(each.identity):
            message = f"{each.label!r} is a definition of Azure's own that is not at hand, so it was not checked"
            yield Found(f"{each.path}.policyDefinitionId", message)


def broken(subject: Refers) -> Iterator[Found]:
    """A reference leads to a file that is no definition.

    Mend that file: lint tells what is wrong with it.
    """
    for each in subject.references:
        if each.broken is not None:
            yield Found(f"{each.path}.policyDefinitionId", f"{each.label!r} leads to what is none: {each.broken}")


def deprecated(subject: Refers) -> Iterator[Found]:
    """A reference leads to a definition that says of itself that it is deprecated.

    Refer to its successor.
    """
    for each in subject.references:
        properties = properties_of(each.entry) if each.entry else {}
        told = member(properties, "metadata", "deprecated")
        title = str(member(properties, "displayName") or "")
        if str(told).lower() == "true" or title.lower().startswith("[deprecated]"):
            by = member(properties, "metadata", "supersededBy")
            yield Found(each.path, f"{each.label!r} is deprecated", f"use {by}" if by else None)


def version(subject: Refers) -> Iterator[Found]:
    """A `definitionVersion` is not written as Azure takes it.

    Write `1.*.*`, `1.2.*` or `1.2.3`.
    """
    for each in subject.references:
        if each.version and not _WANTED.fullmatch(each.version):
            path, major = f"{each.path}.definitionVersion", each.version.partition(".")[0]
            better = f"{major}.*.*" if major.isdigit() else "1.*.*"
            yield Found(path, f"{each.version!r} is no version", f"write {better!r}")


def other_version(subject: Refers) -> Iterator[Found]:
    """A reference asks for another version than the definition at hand has, so the values could not be checked.

    Ask for the version that is there, or bring the file of the other one.
    """
    for each in subject.references:
        if each.entry and not each.asked:
            held = version_of(each.entry)
            message = f"{each.version} is asked for, {each.label!r} is at hand as {held}"
            yield Found(f"{each.path}.definitionVersion", message, f"ask for {held}")


def _meets(held: str, wanted: str) -> bool:
    numbers, asked = (each.partition("-")[0].split(".") for each in (held, wanted))
    return all(one in ("*", two) for one, two in zip(asked, numbers, strict=False))


RULES: tuple[Rule[Refers], ...] = (
    Rule("reference-malformed", Level.ERROR, malformed),
    Rule("reference-unknown", Level.ERROR, unknown),
    Rule("reference-unchecked", Level.NOTE, unchecked),
    Rule("reference-broken", Level.ERROR, broken),
    Rule("reference-deprecated", Level.WARNING, deprecated),
    Rule("version-malformed", Level.ERROR, version),
    Rule("version-other", Level.WARNING, other_version),
)
