"""Trials of policies: cases that say what they must come to for a resource. One format for people and tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import Field, model_validator

from shared.domain.model import Model
from shared.domain.verdict import State

Json = Any
MOST_DEFINITIONS = 1_000
NOON = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)
"""The time of a trial that does not name one, so that every run has the same outcome."""


class Surroundings(Model):
    """What is around the resource; what is left out is not known. `now` null: there is no clock."""

    resource_group: Mapping[str, Json] | None = None
    subscription: Mapping[str, Json] | None = None
    request_context: Mapping[str, Json] | None = None
    policy: Mapping[str, Json] = Field(default_factory=dict)
    now: datetime | None = NOON
    tenant: str | None = None


class Expectation(Model):
    """What must come of it; everything that is given must hold. Objects may leave members out.

    `refused` is the JSON path at which the definition is refused. `body` is the resource after append or modify,
    `conflict` that they meet a value they may not replace. `value` and `error` are for expressions. `clauses` are the
    JSON paths of conditions that decided, `needs` parts that were not read and could settle it. `message` is what the
    assignment tells, `enforced` whether it acts. Of an initiative `state` is that of all members together, `members`
    has what is expected of some of them by reference id.
    """

    state: State | None = None
    effect: str | None = None
    sentence: str | None = None
    clauses: tuple[str, ...] | None = None
    needs: tuple[str, ...] | None = None
    refused: str | None = None
    body: Mapping[str, Json] | None = None
    conflict: bool = False
    operations: tuple[Mapping[str, Json], ...] | None = None
    roles: tuple[str, ...] | None = None
    deployment: Mapping[str, Json] | None = None
    related: Mapping[str, Json] | None = None
    details: Json = None
    value: Json = None
    error: bool = False
    message: str | None = None
    enforced: bool | None = None
    members: Mapping[str, "State | Expectation"] | None = None


_SUBJECTS = ("definition", "initiative", "assignment")


class Trial(Model):
    """One case: a policy, an initiative, an assignment or an expression, a resource, and what is expected.

    The first three are given whole, or by the name of a file or of an entry in the catalog; a definition also in
    parts: `if`, `then`, `mode` and `declared` parameters. `definitions` are those that an initiative or assignment
    refers to, where no file has them. `unread` maps paths of the body to why they were not read, `partial` names
    members of arrays that were not; `related` maps types to resources or to why they were not read.
    """

    name: str = Field(min_length=1, max_length=200)
    note: str = ""
    definition: Mapping[str, Json] | str | None = None
    initiative: Mapping[str, Json] | str | None = None
    assignment: Mapping[str, Json] | str | None = None
    definitions: tuple[Mapping[str, Json], ...] = Field(default=(), max_length=MOST_DEFINITIONS)
    condition: Json = Field(default=None, alias="if")
    then: Json = None
    mode: str = "All"
    declared: Mapping[str, Json] = Field(default_factory=dict)
    parameters: Mapping[str, Json] = Field(default_factory=dict)
    expression: str | None = None
    resource: Mapping[str, Json] = Field(default_factory=dict)
    api_version: str | None = None
    unread: Mapping[str, Mapping[str, Json]] = Field(default_factory=dict)
    partial: tuple[str, ...] = ()
    related: Mapping[str, tuple[Mapping[str, Json], ...] | Mapping[str, Json]] = Field(default_factory=dict)
    context: Surroundings = Field(default_factory=Surroundings)
    expect: State | Expectation

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        given = [name for name in (*_SUBJECTS, "condition", "expression") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}".replace("condition", "if"))
        return self

    @property
    def expected(self) -> Expectation:
        """What is expected, a bare state written out."""
        return self.expect if isinstance(self.expect, Expectation) else Expectation(state=self.expect)


class Alias(Model):
    """An alias that only the cases of a table know."""

    name: str
    path: str
    types: tuple[str, ...] = ()


class TrialTable(Model):
    """A file of cases. What the table says of definition, parameters, resource and context holds for cases that do not.

    `source` names the documentation that the cases check; `aliases` are rows {name, path, types} beside the known ones.
    """

    source: str = ""
    aliases: tuple[Alias, ...] = ()
    definition: Mapping[str, Json] | str | None = None
    initiative: Mapping[str, Json] | str | None = None
    assignment: Mapping[str, Json] | str | None = None
    definitions: tuple[Mapping[str, Json], ...] = Field(default=(), max_length=MOST_DEFINITIONS)
    parameters: Mapping[str, Json] = Field(default_factory=dict)
    resource: Mapping[str, Json] = Field(default_factory=dict)
    context: Surroundings | None = None
    cases: tuple[Trial, ...] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [each.name for each in self.cases]
        twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
        if twice is not None:
            raise ValueError(f"two cases have the name {twice!r}")
        return self

    def trials(self) -> tuple[Trial, ...]:
        """The cases with what the table says for all of them."""
        common = {
            name: value
            for name in (*_SUBJECTS, "definitions", "parameters", "resource", "context")
            if (value := getattr(self, name)) is not None
        }
        return tuple(each.model_copy(update=_lacking(each, common)) for each in self.cases)


def _lacking(trial: Trial, common: Mapping[str, Json]) -> dict[str, Json]:
    own = {"condition" if name == "if" else name for name in trial.model_fields_set}
    whole = own.isdisjoint((*_SUBJECTS, "condition", "expression"))
    return {name: value for name, value in common.items() if name not in own and (whole or name not in _SUBJECTS)}


class Outcome(Model):
    """What came of a trial. `problems` say what was expected and what was found; none when it passed.

    `members` has the state of each member of an initiative by reference id.
    """

    name: str
    passed: bool
    problems: tuple[str, ...] = ()
    state: State | None = None
    sentence: str = ""
    members: Mapping[str, State] = Field(default_factory=dict)
    seconds: float = 0.0
