"""What linting says of a policy definition: remarks, each with its rule, its place and what to do."""

from enum import StrEnum

from shared.domain.model import Model


class LintLevel(StrEnum):
    """How bad it is, worst first; the levels of SARIF 2.1.0, section 3.27.10."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class LintResult(Model):
    """The result of a lint rule.

    `path` is a JSON path in the definition as it was given: `$.properties.policyRule.if.allOf[1]`; `suggestion` is
    what to do or to write instead, if that is known.
    """

    rule: str
    level: LintLevel
    path: str
    message: str
    suggestion: str | None = None
