"""Evaluations on request: one policy on one resource, as they are written in the question."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from shared.domain.model import Model

EVALUATION_RESOURCES = 100
"""Resources in one question."""
EVALUATION_DEFINITIONS = 1_000
EVALUATION_PAIRS = 10_000
"""Members of an initiative times resources in one question."""
PolicyContent = Mapping[str, Any] | tuple[Mapping[str, Any], ...] | str
"""What a policy file holds, as its value or its text: a definition, an initiative, an assignment, or several."""
CONTENT_DESCRIPTION = (
    "a definition, an initiative or an assignment in Azure Policy's JSON; a list or a page of them; an ARM template"
    " that deploys some; or, as a string, the text of a file with any of these, comments included"
)


class EvaluationRequest(Model):
    """A request to evaluate resources by a policy of the catalog, or by a definition, initiative or assignment."""

    policy: str | None = Field(default=None, max_length=64, description="the name of a policy in the catalog")
    definition: PolicyContent | None = Field(default=None, description=CONTENT_DESCRIPTION)
    definitions: tuple[PolicyContent, ...] = Field(
        default=(),
        max_length=EVALUATION_DEFINITIONS,
        description="definitions and initiatives that it refers to, where the catalog does not have them",
    )
    parameters: Mapping[str, Any] = Field(default_factory=dict, description="values of the policy's parameters")
    resource: Mapping[str, Any] | None = Field(
        default=None, description="the resource's ARM body: id, type, name, location, properties …"
    )
    resources: tuple[Mapping[str, Any], ...] = Field(
        default=(), max_length=EVALUATION_RESOURCES, description="instead of one resource, several"
    )
    api_version: str | None = Field(default=None, max_length=32, description="the one the bodies were read with")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.policy is None) == (self.definition is None):
            raise ValueError("give either the name of a policy or a definition")
        if (self.resource is None) == (not self.resources):
            raise ValueError("give either a resource or resources")
        return self
