"""Evaluation on request: the verdict of a policy on a resource; nothing is stored."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import Body, Response
from pydantic import Field

from functions.api.draft import EXAMPLE_INITIATIVE
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.evaluation import EvaluationRequest
from shared.domain.model import Model
from shared.domain.verdict import State
from shared.services import evaluation

router = make_router("Evaluation")

EXAMPLES = {
    "own definition": {
        "summary": "Your own definition",
        "value": {
            "definition": {
                "properties": {
                    "mode": "Indexed",
                    "policyRule": {
                        "if": {
                            "allOf": [
                                {"field": "type", "equals": "Microsoft.Storage/storageAccounts"},
                                {"field": "location", "notIn": ["westeurope", "northeurope"]},
                            ]
                        },
                        "then": {"effect": "deny"},
                    },
                }
            },
            "resource": {
                "id": (
                    "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
                    "/providers/Microsoft.Storage/storageAccounts/telemetry"
                ),
                "type": "Microsoft.Storage/storageAccounts",
                "name": "telemetry",
                "location": "eastus",
            },
        },
    },
    "an assignment": {
        "summary": "An assignment of an initiative",
        "value": {
            "definition": {
                "name": "production",
                "properties": {
                    "policyDefinitionId": "/providers/Microsoft.Authorization/policySetDefinitions/storage-baseline",
                    "parameters": {"effect": {"value": "Deny"}},
                    "nonComplianceMessages": [{"message": "See the storage standard"}],
                },
            },
            "definitions": [EXAMPLE_INITIATIVE],
            "resource": {
                "type": "Microsoft.Storage/storageAccounts",
                "name": "telemetry",
                "properties": {"supportsHttpsTrafficOnly": False},
            },
        },
    },
}


class EvaluationReason(Model):
    """A condition that decided, in Azure's words and in plain ones."""

    code: str = Field(description="Azure's compliance reason")
    text: str
    where: str = Field(description="the property, with members of arrays by their names")
    path: str
    field: str = Field(description="the alias or the expression of the rule")
    operator: str = Field(description="with `expected`: the condition that has to hold")
    expected: Any = None
    observed: Any = None
    clause: str = Field(description="the JSON path of the condition in the definition")


class EvaluationFix(Model):
    """One change of what a remediation would write, else of the smallest set, that is shown to make it compliant."""

    action: Literal["set", "add", "remove", "change", "create"]
    path: str
    value: Any = Field(default=None, description="what to write; left out where the change has no one value")
    alternatives: tuple[Any, ...] = Field(default=(), description="other values to set that comply as well")
    text: str
    resource: str = Field(description="the related resource to change; empty for the resource itself")


class EvaluationResult(Model):
    """A verdict with its explanation."""

    policy: str
    resource: str
    state: State
    effect: str
    summary: str
    title: str = Field(description="what is wrong, else what is wished")
    reason: str
    reasons: tuple[EvaluationReason, ...] = ()
    rationale: str = Field(description="why it matters")
    controls: Mapping[str, tuple[str, ...]] = Field(description="ids of controls by framework")
    fixes: tuple[EvaluationFix, ...] = ()
    unfixable: str = Field(description="why a resource that does not comply has no fixes; else empty")
    missing: tuple[Mapping[str, Any], ...] = ()
    rule: Mapping[str, Any] | None = None
    existence: Mapping[str, Any] | None = None
    initiative: str | None = None
    reference: str | None = None
    assignment: str | None = None
    message: str | None = None
    enforced: bool = True


class EvaluationResults(Model):
    """Verdicts on several resources, in the order of the request."""

    results: tuple[EvaluationResult, ...]


@router.post("/evaluate", response_model=EvaluationResult | EvaluationResults)
def evaluate(caller: Authorized, asked: Annotated[EvaluationRequest, Body(openapi_examples=EXAMPLES)]) -> Response:
    """Evaluate a policy on given resources: verdict, evidence, and the changes that would comply.

    An initiative or an assignment has a result for each of its policies that applies to a resource.
    """
    explained = evaluation.evaluate(asked, store=caller.store, catalog=caller.ports.catalog)
    return Response(orjson.dumps(explained), media_type="application/json")
