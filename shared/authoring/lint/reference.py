"""Lint rules about what initiatives and assignments refer to, and the subject that they look at."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.authoring.library import (
    DocumentShape,
    Library,
    PolicyDocument,
    is_built_in,
    is_definition_id,
    is_initiative_id,
    properties_of,
    version_of,
)
from shared.authoring.lint.subject import LintFinding, LintRule, member
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import Initiative, name_from_id
from shared.engine.language.tree import Definition, Operand, ParameterDefinition

_HELD = {
    True: "a definition: use …/policyDefinitions",
    False: "an initiative: use …/policySetDefinitions",
}
"""Whether an id is of an initiative -> what has its name instead."""
_VERSION_PATTERN = re.compile(r"\d+\.(\*\.\*|\d+\.(\*|\d+))(-[a-z]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LintReference:
    """A reference to a definition or initiative, with the parameter values that it passes.

    `path` is where the reference stands, `label` what people call it. `target` is what it leads to, None where nothing
    is found or where that cannot be read (`broken` says why).
    """

    path: str
    label: str
    identity: str
    version: str
    given: Mapping[str, Operand]
    entry: PolicyDocument | None = None
    target: Definition | Initiative | None = None
    broken: InvalidDefinition | None = None

    @property
    def asked(self) -> bool:
        """Return whether the target has the version that is asked for, as far as it names one."""
        held = version_of(self.entry) if self.entry else ""
        # Compared number by number, without what follows a hyphen (`-preview`); a star stands for any number.
        numbers, asked = (each.partition("-")[0].split(".") for each in (held, self.version))
        meets = all(one in ("*", two) for one, two in zip(asked, numbers, strict=False))
        return meets or not held or not _VERSION_PATTERN.fullmatch(self.version)

    @property
    def declared(self) -> Mapping[str, ParameterDefinition] | None:
        """Return the parameters that the target declares, by lower-case name; None where that version is missing."""
        return self.target.parameters if self.target and self.asked else None


@dataclass(frozen=True, kw_only=True)
class ReferringSubject:
    """An initiative or assignment to look at. `properties` has lower-case keys, `parameters` are its own ones."""

    properties: Mapping[str, Json]
    library: Library
    references: tuple[LintReference, ...]
    shapes: tuple[DocumentShape, ...]
    parameters: Mapping[str, ParameterDefinition] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)
    effect_parameter: str | None = None


class HasReferences(Protocol):
    """What the rules of this module need."""

    @property
    def references(self) -> tuple[LintReference, ...]:
        """Return everything that it refers to."""

    @property
    def library(self) -> Library:
        """Return where the targets are looked for."""

    @property
    def shapes(self) -> tuple[DocumentShape, ...]:
        """Return what it may refer to."""


def resolve_reference(reference: LintReference, library: Library, shapes: Iterable[DocumentShape]) -> LintReference:
    """Return the reference with what it leads to."""
    entry = library.find(reference.identity, *shapes)
    target, broken = None, None
    if entry is not None:
        try:
            target = library.read(entry)
        except InvalidDefinition as error:
            broken = error
    return LintReference(
        path=reference.path,
        label=reference.label,
        identity=reference.identity,
        version=reference.version,
        given=reference.given,
        entry=entry,
        target=target,
        broken=broken,
    )


def _fits(identity: str, shapes: tuple[DocumentShape, ...]) -> bool:
    shape = DocumentShape.INITIATIVE if is_initiative_id(identity) else DocumentShape.DEFINITION
    return is_definition_id(identity) and shape in shapes


def malformed(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a `policyDefinitionId` that is not the full id of a policy definition; initiatives do not hold initiatives.

    Write `/providers/Microsoft.Authorization/policyDefinitions/<name>`, with the scope that holds it in front.
    """
    for each in subject.references:
        if not _fits(each.identity, subject.shapes):
            wanted = "…/providers/Microsoft.Authorization/policyDefinitions/<name>"
            found = each.identity[:120]
            yield LintFinding(
                f"{each.path}.policyDefinitionId", f"{found!r} is not the id of a definition", f"write {wanted}"
            )


def unknown(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a reference to a definition that neither the files linted together nor the catalog have.

    Correct the id, or lint the folder that has the definition too.
    """
    for each in subject.references:
        if each.entry is None and _fits(each.identity, subject.shapes) and not is_built_in(each.identity):
            name, of_initiative = name_from_id(each.identity)[:80], is_initiative_id(each.identity)
            near = subject.library.near(each.identity, *subject.shapes)
            hint = f"use {near!r}" if near else "lint it together with the file of the definition"
            if near and near.lower() == name.lower():  # it is there, as the other of the two
                hint = f"it is {_HELD[of_initiative]}/{near}"
            message = f"there is no {'initiative' if of_initiative else 'definition'} {name!r}"
            yield LintFinding(f"{each.path}.policyDefinitionId", message, hint)


def unchecked(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a reference to a built-in definition without its file, so that the values passed to it could not be checked.

    Lint it together with a file of the definition.
    """
    for each in subject.references:
        if each.entry is None and _fits(each.identity, subject.shapes) and is_built_in(each.identity):
            message = f"{each.label!r} is a built-in definition without a file here, so it was not checked"
            yield LintFinding(f"{each.path}.policyDefinitionId", message)


def broken(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a reference to a file that is not a valid definition.

    Correct that file: linting it says what is wrong.
    """
    for each in subject.references:
        if each.broken is not None:
            yield LintFinding(
                f"{each.path}.policyDefinitionId", f"{each.label!r} is not a valid definition: {each.broken}"
            )


def deprecated(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a reference to a deprecated definition.

    Refer to its successor.
    """
    for each in subject.references:
        properties = properties_of(each.entry) if each.entry else {}
        flag = member(properties, "metadata", "deprecated")
        title = str(member(properties, "displayName") or "")
        if str(flag).lower() == "true" or title.lower().startswith("[deprecated]"):
            by = member(properties, "metadata", "supersededBy")
            yield LintFinding(each.path, f"{each.label!r} is deprecated", f"use {by}" if by else None)


def version(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a `definitionVersion` in a form that Azure does not take.

    Write `1.*.*`, `1.2.*` or `1.2.3`.
    """
    for each in subject.references:
        if each.version and not _VERSION_PATTERN.fullmatch(each.version):
            path, major = f"{each.path}.definitionVersion", each.version.partition(".")[0]
            better = f"{major}.*.*" if major.isdigit() else "1.*.*"
            yield LintFinding(path, f"{each.version!r} is not a version", f"write {better!r}")


def other_version(subject: HasReferences) -> Iterator[LintFinding]:
    """Find a reference to another version than the definition's file has, so that the values could not be checked.

    Ask for the version of the file, or add a file of the other version.
    """
    for each in subject.references:
        if each.entry and not each.asked:
            held = version_of(each.entry)
            message = f"{each.label!r} has version {held}, not {each.version}"
            yield LintFinding(f"{each.path}.definitionVersion", message, f"ask for {held}")


RULES: tuple[LintRule[HasReferences], ...] = (
    LintRule("reference-malformed", LintLevel.ERROR, malformed),
    LintRule("reference-unknown", LintLevel.ERROR, unknown),
    LintRule("reference-unchecked", LintLevel.NOTE, unchecked),
    LintRule("reference-broken", LintLevel.ERROR, broken),
    LintRule("reference-deprecated", LintLevel.WARNING, deprecated),
    LintRule("version-malformed", LintLevel.ERROR, version),
    LintRule("version-other", LintLevel.NOTE, other_version),
)
