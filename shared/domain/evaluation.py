"""Evaluations on request: one policy on one resource, as they are written in the question."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from shared.domain.model import Model

MOST = 100
"""Resources in one question."""
MOST_BESIDE = 1_000
MOST_PAIRS = 10_000
"""Members of an initiative times resources in one question."""


class EvaluationRequest(Model):
    """What to judge, and by what: a policy of the catalog by name, or something of one's own."""

    policy: str | None = Field(default=None, max_length=64, description="the name of a policy in the catalog")
    definition: Mapping[str, Any] | None = Field(
        default=None, description="a definition, an initiative or an assignment in Azure Policy's JSON"
    )
    beside: tuple[Mapping[str, Any], ...] = Field(
        default=(),
        max_length=MOST_BESIDE,
        description="definitions and initiatives that it refers to, where the catalog does not have them",
    )
    parameters: Mapping[str, Any] = Field(default_factory=dict, description="values of the policy's parameters")
    resource: Mapping[str, Any] | None = Field(
        default=None, description="the resource's ARM body: id, type, name, location, properties …"
    )
    resources: tuple[Mapping[str, Any], ...] = Field(
        default=(), max_length=MOST, description="instead of one resource, several"
    )
    api_version: str | None = Field(default=None, max_length=32, description="the one the bodies were read with")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.policy is None) == (self.definition is None):
            raise ValueError("give either the name of a policy or a definition")
        if (self.resource is None) == (not self.resources):
            raise ValueError("give either a resource or resources")
        return self
