"""Drafts of policies: lint, format and test what is not in force, with nothing stored."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Response
from pydantic import Field

from functions.api.access import Known
from functions.api.route import router as make_router
from shared.domain.error import NotFound
from shared.domain.initiative import InitiativeSummary
from shared.domain.lint import Remark
from shared.domain.model import Model
from shared.domain.trial import Outcome, Trial
from shared.engine.initiative import MOST_MEMBERS
from shared.services import layout, lint, membership, trial
from shared.services.library import Library, library

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
INITIATIVE = {
    "name": "storage-baseline",
    "properties": {
        "displayName": "Storage baseline",
        "parameters": {"effect": {"type": "String", "allowedValues": ["Audit", "Deny", "Disabled"]}},
        "policyDefinitions": [
            {
                "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/storage-secure-transfer",
                "policyDefinitionReferenceId": "secureTransfer",
                "parameters": {"effect": {"value": "[parameters('effect')]"}},
            }
        ],
    },
}
INITIATIVES = {"an initiative": {"value": {"definition": INITIATIVE}}}
DRAFTS = {"a rule": {"value": {"definition": RULE}}} | INITIATIVES
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
    },
    "an initiative, member by member": {
        "value": {
            "name": "plain transfer is denied",
            "initiative": INITIATIVE,
            "parameters": {"effect": "Deny"},
            "resource": {
                "type": "Microsoft.Storage/storageAccounts",
                "properties": {"supportsHttpsTrafficOnly": False},
            },
            "expect": {"members": {"secureTransfer": {"state": "nonCompliant", "effect": "deny"}}},
        }
    },
}


class Draft(Model):
    """A definition, an initiative or an assignment in Azure Policy's JSON: {properties: …}, bare, or a bare rule."""

    definition: Mapping[str, Any]
    beside: tuple[Mapping[str, Any], ...] = Field(
        default=(),
        max_length=MOST_MEMBERS,
        description="definitions and initiatives that it refers to, where the catalog does not have them",
    )


class Remarks(Model):
    """What linting says, worst first."""

    remarks: tuple[Remark, ...]


class Arranged(Model):
    """A definition in canonical layout, as the text of a file."""

    text: str
    changed: bool


@router.post("/policies/lint", response_model=Remarks)
def policy_lint(caller: Known, draft: Annotated[Draft, Body(openapi_examples=DRAFTS)]) -> Response:
    """What is wrong with a draft, doubtful, or could be said better; with the aliases of the caller's tenant."""
    beside = library((("", each) for each in draft.beside), _catalog(caller))
    remarks = lint.lint(draft.definition, caller.book.facts, beside)
    return _json({"remarks": [each.model_dump(mode="json") for each in remarks]})


@router.post("/policies/members", response_model=InitiativeSummary)
def policy_members(caller: Known, draft: Annotated[Draft, Body(openapi_examples=INITIATIVES)]) -> Response:
    """What an initiative, or the assignment of one, holds: its members, where they lead and what they get."""
    shelf = library((("", each) for each in (draft.definition, *draft.beside)), _catalog(caller))
    told = membership.tell(shelf.entries[0], shelf)
    return _json(told.model_dump(mode="json", by_alias=True))


@router.post("/policies/format", response_model=Arranged)
def policy_format(caller: Known, draft: Annotated[Draft, Body(openapi_examples=DRAFTS)]) -> Response:  # noqa: ARG001 - named for its role
    """A definition, initiative or assignment in the documented key order and spelling; its meaning stays."""
    text = layout.write(layout.arrange(draft.definition))
    return _json({"text": text, "changed": text != layout.write(draft.definition)})


@router.post("/policies/test", response_model=Outcome)
def policy_test(caller: Known, case: Annotated[Trial, Body(openapi_examples=TRIALS)]) -> Response:
    """Run one case: what a definition, an initiative or an assignment must come to for a resource.

    `definition` may name a policy of the catalog; so may what an initiative or an assignment refers to.
    """
    entries = caller.book.entries

    def find(name: str) -> Mapping[str, Any]:
        if name not in entries:
            raise NotFound(f"the catalog has no policy {name[:80]}", path="$.definition")
        return entries[name].definition

    outcome = trial.run(case, aliases=caller.book.facts.aliases, find=find, beside=_catalog(caller))
    return _json(outcome.model_dump(mode="json"))


def _catalog(caller: Known) -> Library:
    return library((name, entry.definition) for name, entry in caller.book.entries.items())


def _json(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
