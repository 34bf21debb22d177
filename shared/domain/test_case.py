"""Policy test cases: what a policy must come to for a resource. One format for people and for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

from pydantic import Field, StrictBool, model_validator

from shared.domain.model import Model
from shared.domain.resource import Json
from shared.domain.verdict import State

SUITE_DEFINITIONS = 1_000
DEFAULT_TIME = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)
"""The time of a case that does not name one, so that every run has the same outcome."""


class PolicyTestContext(Model):
    """What is around the resource; what is left out is not known. `now` null: there is no clock."""

    resource_group: Mapping[str, Json] | None = None
    subscription: Mapping[str, Json] | None = None
    request_context: Mapping[str, Json] | None = None
    policy: Mapping[str, Json] = Field(default_factory=dict)
    now: datetime | None = DEFAULT_TIME
    tenant: str | None = None


class ExpectedResult(Model):
    """The expected result; everything that is given must hold. Objects may leave members out.

    `refused` is the JSON path at which the definition is refused. `body` is the resource after append or modify,
    `conflict` that they meet a value they may not replace. `value` and `error` are for expressions. `clauses` are the
    JSON paths of conditions that decided, `missing` parts that were not read and could settle it. `message` is that of
    the assignment, `enforced` whether it acts. Of an initiative `state` is that of all members together, `members`
    has what is expected of some of them by reference id.
    """

    state: State | None = None
    effect: str | None = None
    summary: str | None = None
    clauses: tuple[str, ...] | None = None
    missing: tuple[str, ...] | None = None
    refused: str | None = None
    body: Mapping[str, Json] | None = None
    conflict: StrictBool = False
    operations: tuple[Mapping[str, Json], ...] | None = None
    roles: tuple[str, ...] | None = None
    deployment: Mapping[str, Json] | None = None
    related: Mapping[str, Json] | None = None
    details: Json = None
    value: Json = None
    error: StrictBool = False
    message: str | None = None
    enforced: StrictBool | None = None
    members: Mapping[str, "State | ExpectedResult"] | None = None


_SUBJECT_KEYS = ("definition", "initiative", "assignment")


class PolicyTestCase(Model):
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
    definitions: tuple[Mapping[str, Json], ...] = Field(default=(), max_length=SUITE_DEFINITIONS)
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
    context: PolicyTestContext = Field(default_factory=PolicyTestContext)
    expect: State | ExpectedResult

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        given = [name for name in (*_SUBJECT_KEYS, "condition", "expression") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}".replace("condition", "if"))
        return self

    @property
    def expected(self) -> ExpectedResult:
        """Return what is expected, a bare state written out."""
        return self.expect if isinstance(self.expect, ExpectedResult) else ExpectedResult(state=self.expect)


class PolicyTestAlias(Model):
    """An alias that only the cases of a table know."""

    name: str
    path: str
    types: tuple[str, ...] = ()


class PolicyTestSuite(Model):
    """A file of cases. What the table says of definition, parameters, resource and context holds for cases that do not.

    `source` names the documentation that the cases check; `aliases` are further rows {name, path, types}.
    """

    source: str = ""
    aliases: tuple[PolicyTestAlias, ...] = ()
    definition: Mapping[str, Json] | str | None = None
    initiative: Mapping[str, Json] | str | None = None
    assignment: Mapping[str, Json] | str | None = None
    definitions: tuple[Mapping[str, Json], ...] = Field(default=(), max_length=SUITE_DEFINITIONS)
    parameters: Mapping[str, Json] = Field(default_factory=dict)
    resource: Mapping[str, Json] = Field(default_factory=dict)
    context: PolicyTestContext | None = None
    cases: tuple[PolicyTestCase, ...] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [each.name for each in self.cases]
        twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
        if twice is not None:
            raise ValueError(f"two cases have the name {twice!r}")
        return self

    def test_cases(self) -> tuple[PolicyTestCase, ...]:
        """Return the cases with what the table says for all of them."""
        common = {
            name: value
            for name in (*_SUBJECT_KEYS, "definitions", "parameters", "resource", "context")
            if (value := getattr(self, name)) is not None
        }
        return tuple(each.model_copy(update=_shared_values(each, common)) for each in self.cases)


def _shared_values(case: PolicyTestCase, common: Mapping[str, Json]) -> dict[str, Json]:
    own = {"condition" if name == "if" else name for name in case.model_fields_set}
    whole = own.isdisjoint((*_SUBJECT_KEYS, "condition", "expression"))
    return {name: value for name, value in common.items() if name not in own and (whole or name not in _SUBJECT_KEYS)}


class PolicyTestResult(Model):
    """The result of a test case. `problems` say what was expected and what was found; none when it passed.

    `members` has the state of each member of an initiative by reference id.
    """

    name: str
    passed: bool
    problems: tuple[str, ...] = ()
    state: State | None = None
    summary: str = ""
    members: Mapping[str, State] = Field(default_factory=dict)
    seconds: float = 0.0
