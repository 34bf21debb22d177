"""Drafts of policies: lint, format and test definitions that are not in force, with nothing stored."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Response

from functions.api.access import Known
from functions.api.route import router as make_router
from shared.domain.error import NotFound
from shared.domain.lint import Remark
from shared.domain.model import Model
from shared.domain.trial import Outcome, Trial
from shared.services import layout, lint, trial

router = make_router("Policies")

RULE = {
    "if": {
        "allOf": [
            {"field": "type", "equals": "Microsoft.Storage/storageAccounts"},
            {"field": "Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly", "notEquals": True},
        ]
    },
    "then": {"effect": "audit"},
}
DRAFTS = {"a rule": {"value": {"definition": RULE}}}
TRIALS = {
    "plain transfer is found": {
        "value": {
            "name": "plain transfer is found",
            "definition": RULE,
            "resource": {
                "type": "Microsoft.Storage/storageAccounts",
                "properties": {"supportsHttpsTrafficOnly": False},
            },
            "expect": {"state": "nonCompliant", "effect": "audit"},
        }
    }
}


class Draft(Model):
    """A definition in Azure Policy's JSON: {properties: …}, bare properties, or a bare rule."""

    definition: Mapping[str, Any]


class Remarks(Model):
    """What linting says, worst first."""

    remarks: tuple[Remark, ...]


class Arranged(Model):
    """A definition in canonical layout, as the text of a file."""

    text: str
    changed: bool


@router.post("/policies/lint", response_model=Remarks)
def policy_lint(caller: Known, draft: Annotated[Draft, Body(openapi_examples=DRAFTS)]) -> Response:
    """What is wrong with a definition, doubtful, or could be said better; with the aliases of the caller's tenant."""
    remarks = lint.lint(draft.definition, caller.book.facts)
    return _json({"remarks": [each.model_dump(mode="json") for each in remarks]})


@router.post("/policies/format", response_model=Arranged)
def policy_format(caller: Known, draft: Annotated[Draft, Body(openapi_examples=DRAFTS)]) -> Response:  # noqa: ARG001 - named for its role
    """A definition in the documented key order and spelling; its meaning stays."""
    text = layout.write(layout.arrange(draft.definition))
    return _json({"text": text, "changed": text != layout.write(draft.definition)})


@router.post("/policies/test", response_model=Outcome)
def policy_test(caller: Known, case: Annotated[Trial, Body(openapi_examples=TRIALS)]) -> Response:
    """Run one case: what a definition must come to for a resource. `definition` may name a policy of the catalog."""
    entries = caller.book.entries

    def find(name: str) -> Mapping[str, Any]:
        if name not in entries:
            raise NotFound(f"the catalog has no policy {name[:80]}", path="$.definition")
        return entries[name].definition

    outcome = trial.run(case, aliases=caller.book.facts.aliases, find=find)
    return _json(outcome.model_dump(mode="json"))


def _json(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
