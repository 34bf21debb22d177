"""Judge one pair on request and explain it: what a question says, or what is stored of a finding."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.error import InvalidInput, NotFound
from shared.domain.evaluation import MOST_PAIRS, EvaluationRequest
from shared.domain.finding import Finding
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, InvalidDefinition, Policy, compile_definition
from shared.engine import explain as explain_pair
from shared.ports.catalog import Catalog
from shared.services import finding, tally
from shared.services.collection import RESOURCE
from shared.services.estate import Store
from shared.services.library import Shape, library, shape_of
from shared.services.placement import Placement, place
from shared.services.placement_set import PlacementSet
from shared.services.policy import Book, book_for

Explanation = Mapping[str, Any]
"""As `shared.engine.Explanation.to_json` says it."""


def evaluate(asked: EvaluationRequest, *, store: Store, catalog: Catalog) -> Explanation:
    """The verdict on the resource in the question, explained; {"results": […]} for several, in their order.

    Of an initiative or an assignment: a result for each policy in it that is about a resource, told where it is from.

    Errors: NotFound for a policy the catalog does not have; InvalidInput with the path of what cannot be used.
    """
    aliases, context = book_for(store, catalog).facts.aliases, Context(now=store.now())
    if asked.definition is not None and shape_of(asked.definition) in (Shape.INITIATIVE, Shape.ASSIGNMENT):
        return {"results": _placed(_placements(asked.definition, asked, catalog, aliases), asked, context)}
    policy = _compiled(asked, catalog, aliases)
    if asked.resource is not None:
        return explain_pair(policy, _resource(asked.resource, asked, "$.resource"), context).to_json()
    return {"results": [explain_pair(policy, each, context).to_json() for each in _resources(asked)]}


def _placements(
    source: Mapping[str, Any], asked: EvaluationRequest, catalog: Catalog, aliases: AliasCatalog
) -> tuple[Placement, ...]:
    known = library((each.name, each.definition) for each in catalog.policies())
    shelf = library((("", each) for each in (source, *asked.beside)), known)
    try:
        return place(shelf.entries[0], shelf, aliases=aliases, parameters=asked.parameters)
    except InvalidDefinition as error:
        raise InvalidInput(error.message, path=f"$.definition{(error.path or '$')[1:]}") from error


def _placed(placements: tuple[Placement, ...], asked: EvaluationRequest, context: Context) -> list[Explanation]:
    resources = list(_resources(asked))
    pairs = len(placements) * len(resources)
    if pairs > MOST_PAIRS:
        message = f"{len(placements):,} members on {len(resources):,} resources are more than {MOST_PAIRS:,} pairs"
        raise InvalidInput(f"{message}; ask for fewer resources at once", path="$.resources")
    policies = PlacementSet(placements)
    return [
        {**found.explain(each, context).to_json(), **found.told(verdict)}
        for each in resources
        for found, verdict in policies.judge(each, context)
    ]


def _resources(asked: EvaluationRequest) -> Iterator[Resource]:
    if asked.resource is not None:
        yield _resource(asked.resource, asked, "$.resource")
    for at, each in enumerate(asked.resources):
        yield _resource(each, asked, f"$.resources[{at}]")


def _resource(body: Mapping[str, Any], asked: EvaluationRequest, path: str) -> Resource:
    resource = Resource(body, api_version=asked.api_version)
    if not resource.type:
        raise InvalidInput("the resource has no type, which every policy looks at", path=f"{path}.type")
    return resource


def explain(finding_id: str, *, store: Store, book: Book) -> Explanation:
    """Why a finding is what it is, from the resource as it was last read; NotFound."""
    found = store.documents.get(tenant=store.tenant, kind=finding.KIND, id=finding_id)
    if found is None:
        raise NotFound(f"there is no finding {finding_id}", path="id")
    known = Finding.model_validate(found.body)
    row = store.documents.get(tenant=store.tenant, kind=RESOURCE, id=known.resource)
    policy = next((each for each in book.compiled.policies if each.name == known.policy), None)
    if row is None or policy is None:
        raise NotFound(f"the resource or the policy of finding {finding_id} is not there any more", path="id")
    explained = explain_pair(policy, tally.whole(row.body, store), tally.context(row.body, store)).to_json()
    return {"finding": known.id, "life": known.life, "exemption": known.exemption, **explained}


def _compiled(asked: EvaluationRequest, catalog: Catalog, aliases: AliasCatalog) -> Policy:
    definition = asked.definition if asked.definition is not None else _definition(asked.policy, catalog)
    try:
        return compile_definition(definition, aliases=aliases, parameters=asked.parameters)
    except InvalidDefinition as error:
        raise InvalidInput(error.message, path=f"$.definition{(error.path or '$')[1:]}") from error


def _definition(name: str | None, catalog: Catalog) -> Mapping[str, Any]:
    entry = next((each for each in catalog.policies() if each.name == name), None)
    if entry is None:
        raise NotFound(f"the catalog has no policy {name}", path="$.policy")
    return entry.definition
