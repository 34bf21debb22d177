"""Evaluation on request: what a policy says of a resource, with nothing stored."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Response

from functions.api.access import Known
from functions.api.draft import INITIATIVE
from functions.api.route import router as make_router
from shared.domain.evaluation import EvaluationRequest
from shared.domain.model import Model
from shared.domain.verdict import State
from shared.services import evaluation

router = make_router("Evaluation")

EXAMPLES = {
    "own definition": {
        "summary": "A definition of one's own",
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
            "beside": [INITIATIVE],
            "resource": {
                "type": "Microsoft.Storage/storageAccounts",
                "name": "telemetry",
                "properties": {"supportsHttpsTrafficOnly": False},
            },
        },
    },
}


class Explained(Model):
    """A verdict with the reasons for it."""

    policy: str
    resource: str
    state: State
    effect: str
    reason: str
    sentence: str
    rule: Mapping[str, Any] | None = None
    existence: Mapping[str, Any] | None = None
    needs: tuple[Mapping[str, Any], ...] = ()
    fixes: tuple[Mapping[str, Any], ...] = ()
    initiative: str | None = None
    reference: str | None = None
    assignment: str | None = None
    message: str | None = None
    enforced: bool = True


class ExplainedAll(Model):
    """Verdicts on several resources, in the order of the question."""

    results: tuple[Explained, ...]


@router.post("/evaluate", response_model=Explained | ExplainedAll)
def evaluate(caller: Known, asked: Annotated[EvaluationRequest, Body(openapi_examples=EXAMPLES)]) -> Response:
    """The verdict of a policy on a resource, or on several, as given: evidence, and what would make it compliant.

    Of an initiative or an assignment: a result for each policy in it that is about a resource.
    """
    explained = evaluation.evaluate(asked, store=caller.store, catalog=caller.ports.catalog)
    return Response(orjson.dumps(explained), media_type="application/json")
