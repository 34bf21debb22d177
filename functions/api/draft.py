"""Drafts of policies: lint, format and test them; nothing is stored."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Response
from pydantic import Field

from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.authoring import formatter, lint, test_case
from shared.authoring.library import DocumentShape, Library, build_library, document_of
from shared.authoring.policy_file import read_content, read_documents
from shared.domain.error import InvalidInput, NotFound
from shared.domain.evaluation import CONTENT_DESCRIPTION, PolicyContent
from shared.domain.initiative import InitiativeSummary
from shared.domain.lint import LintResult
from shared.domain.model import Model
from shared.domain.test_case import PolicyTestCase, PolicyTestResult
from shared.engine.compile.initiative import INITIATIVE_MEMBERS
from shared.services.policy import initiative

router = make_router("Policies")

EXAMPLE_RULE = {
    "if": {
        "allOf": [
            {"field": "type", "equals": "Microsoft.Storage/storageAccounts"},
            {"field": "Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly", "notEquals": True},
        ]
    },
    "then": {"effect": "audit"},
}
EXAMPLE_INITIATIVE = {
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
INITIATIVE_EXAMPLES = {"an initiative": {"value": {"definition": EXAMPLE_INITIATIVE}}}
DRAFT_EXAMPLES = {"a rule": {"value": {"definition": EXAMPLE_RULE}}} | INITIATIVE_EXAMPLES
TEST_CASE_EXAMPLES = {
    "plain transfer is found": {
        "value": {
            "name": "plain transfer is found",
            "definition": EXAMPLE_RULE,
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
            "initiative": EXAMPLE_INITIATIVE,
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
    """What a policy file holds: {properties: …}, bare, a bare rule, or several of them."""

    definition: PolicyContent = Field(description=CONTENT_DESCRIPTION)
    definitions: tuple[PolicyContent, ...] = Field(
        default=(),
        max_length=INITIATIVE_MEMBERS,
        description="definitions and initiatives that it refers to and that the catalog does not have",
    )


class LintReport(Model):
    """The results of linting, worst first."""

    results: tuple[LintResult, ...]


class Formatted(Model):
    """A definition in canonical format, as the text of a file."""

    text: str
    changed: bool


@router.post("/policies/lint", response_model=LintReport)
def policy_lint(caller: Authorized, draft: Annotated[Draft, Body(openapi_examples=DRAFT_EXAMPLES)]) -> Response:
    """Check a draft against the lint rules, with the aliases of the caller's tenant."""
    try:
        policies = read_content(draft.definition)
    except InvalidInput as error:
        return _json({"results": [lint.unreadable(error).model_dump(mode="json")]})
    own = (document_of("", each.source) for each in policies if not (each.problem or each.unknown))
    library = Library((*own, *read_documents(*draft.definitions)), _catalog(caller))
    results = lint.lint_policies(policies, caller.policies.facts, library)
    return _json({"results": [each.model_dump(mode="json") for each in results]})


@router.post("/policies/members", response_model=InitiativeSummary)
def policy_members(caller: Authorized, draft: Annotated[Draft, Body(openapi_examples=INITIATIVE_EXAMPLES)]) -> Response:
    """Return the members of an initiative or of its assignment: their definitions and parameter values."""
    own = read_documents(draft.definition)
    library = Library((*own, *read_documents(*draft.definitions)), _catalog(caller))
    # Of a file with definitions too, those are what the initiative refers to.
    first = next((each for each in own if each.shape is not DocumentShape.DEFINITION), own[0])
    summary = initiative.summarize(first, library)
    return _json(summary.model_dump(mode="json", by_alias=True))


@router.post("/policies/format", response_model=Formatted)
def policy_format(caller: Authorized, draft: Annotated[Draft, Body(openapi_examples=DRAFT_EXAMPLES)]) -> Response:  # noqa: ARG001 - named for its role
    """Format a definition, initiative or assignment: documented key order and spelling, the same meaning."""
    written = draft.definition if isinstance(draft.definition, str) else formatter.write_json(draft.definition)
    text = formatter.format_text(written)
    return _json({"text": text, "changed": text != written})


@router.post("/policies/test", response_model=PolicyTestResult)
def policy_test(
    caller: Authorized, case: Annotated[PolicyTestCase, Body(openapi_examples=TEST_CASE_EXAMPLES)]
) -> Response:
    """Run a test case: a definition, an initiative or an assignment, a resource and the expected result.

    `definition`, and references of initiatives and assignments, may name policies of the catalog.
    """
    entries = caller.policies.entries

    def find(name: str) -> Mapping[str, Any]:
        if name not in entries:
            raise NotFound(f"the catalog has no policy {name[:80]}", path="$.definition")
        return entries[name].definition

    outcome = test_case.run_case(case, aliases=caller.policies.facts.aliases, find=find, definitions=_catalog(caller))
    return _json(outcome.model_dump(mode="json"))


def _catalog(caller: Authorized) -> Library:
    return build_library((name, entry.definition) for name, entry in caller.policies.entries.items())


def _json(body: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
