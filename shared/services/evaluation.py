"""Evaluate policies on request and explain the verdicts, for resources in a request or a stored finding."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.authoring.library import DocumentShape, Library, PolicyDocument, build_library
from shared.authoring.policy_file import read_documents
from shared.authoring.resolution import resolve, resolve_all
from shared.domain.error import InvalidInput, NotFound
from shared.domain.evaluation import EVALUATION_PAIRS, EvaluationRequest
from shared.domain.resource import Resource
from shared.engine import (
    AliasCatalog,
    Context,
    EffectivePolicy,
    InvalidDefinition,
    compile_definition,
    compile_set,
    explain_effective,
)
from shared.engine import explain as explain_pair
from shared.eventstore.store import Store
from shared.ports.catalog import Catalog
from shared.services import finding
from shared.services.estate import surroundings
from shared.services.estate.resource_change import RESOURCE_KIND
from shared.services.policy.effective_policy import EffectivePolicies, in_force

ExplanationJson = Mapping[str, Any]
"""As `shared.engine.Explanation.to_json` returns it."""


def evaluate(asked: EvaluationRequest, *, store: Store, catalog: Catalog) -> ExplanationJson:
    """Return the explained verdict on the resource in the request; {"results": […]} for several, in their order.

    An initiative or assignment, and a file of several policies, has a result for each policy in it that applies to a
    resource, with where it is from.

    Errors: NotFound for a policy the catalog does not have; InvalidInput with the path of what cannot be used.
    """
    aliases, context = in_force(store, catalog).facts.aliases, Context(now=store.now())
    if asked.definition is None:
        definition = next((each.definition for each in catalog.policies() if each.name == asked.policy), None)
        if definition is None:
            raise NotFound(f"the catalog has no policy {asked.policy}", path="$.policy")
    else:
        with _rejecting_definition():
            documents = read_documents(asked.definition)
        if len(documents) != 1 or documents[0].shape is not DocumentShape.DEFINITION:
            return {"results": _judge_members(documents, asked, catalog, aliases, context)}
        definition = documents[0].source
    with _rejecting_definition():
        policy = compile_definition(definition, aliases=aliases, parameters=asked.parameters)
    if asked.resource is not None:
        return explain_pair(policy, _resource(asked.resource, asked, "$.resource"), context).to_json()
    return {"results": [explain_pair(policy, each, context).to_json() for each in _resources(asked)]}


@contextmanager
def _rejecting_definition() -> Iterator[None]:
    """Raise InvalidInput, with the path in the request, where the definition cannot be used."""
    try:
        yield
    except InvalidDefinition as error:
        raise InvalidInput(error.message, path=f"$.definition{(error.path or '$')[1:]}") from error


def _judge_members(
    own: tuple[PolicyDocument, ...],
    asked: EvaluationRequest,
    catalog: Catalog,
    aliases: AliasCatalog,
    context: Context,
) -> list[ExplanationJson]:
    """Judge the resources by each policy that some documents bring."""
    # What the request brings comes first; the catalog answers for what it does not bring.
    known = build_library((each.name, each.definition) for each in catalog.policies())
    with _rejecting_definition():
        library = Library((*own, *read_documents(*asked.definitions)), known)
        effective = _effective(own, library, asked, aliases)
    resources = list(_resources(asked))
    # Refused before anything is compiled: a request must not hold a worker for longer than it may answer.
    pairs = len(effective) * len(resources)
    if pairs > EVALUATION_PAIRS:
        message = f"{len(effective):,} members on {len(resources):,} resources are more than {EVALUATION_PAIRS:,} pairs"
        raise InvalidInput(f"{message}; send fewer resources at once", path="$.resources")
    policies = compile_set(effective)
    return [
        {**explain_effective(found, each, context).to_json(), **found.to_json(verdict)}
        for each in resources
        for found, verdict in policies.judge(each, context)
    ]


def _effective(
    own: tuple[PolicyDocument, ...], library: Library, asked: EvaluationRequest, aliases: AliasCatalog
) -> tuple[EffectivePolicy, ...]:
    """Return the policies that documents bring; InvalidDefinition, and InvalidInput for the first of several."""
    if len(own) == 1:
        return resolve(own[0], library, aliases=aliases, parameters=asked.parameters)
    found = resolve_all(own, library, aliases=aliases, parameters=asked.parameters)
    if found.refused:
        raise InvalidInput(found.refused[0].message, path="$.definition")
    return found.policies


def _resources(asked: EvaluationRequest) -> Iterator[Resource]:
    if asked.resource is not None:
        yield _resource(asked.resource, asked, "$.resource")
    for at, each in enumerate(asked.resources):
        yield _resource(each, asked, f"$.resources[{at}]")


def _resource(body: Mapping[str, Any], asked: EvaluationRequest, path: str) -> Resource:
    resource = Resource(body, api_version=asked.api_version)
    if not resource.type:
        raise InvalidInput("the resource has no type, which every policy needs", path=f"{path}.type")
    return resource


def explain(finding_id: str, *, store: Store, policies: EffectivePolicies) -> ExplanationJson:
    """Return why a finding is what it is, from the resource as it was last read; NotFound."""
    known = finding.get(finding_id, store=store).model
    row = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=known.resource)
    effective = policies.get(known.policy_key)
    if row is None or effective is None:
        raise NotFound(f"the resource or the policy of finding {finding_id} no longer exists", path="id")
    resource, context = surroundings.load_resource(row.body, store), surroundings.context_of(row.body, store)
    explained = explain_effective(effective, resource, context).to_json()
    return {"finding": known.id, "status": known.status, "exemption": known.exemption, **explained}
