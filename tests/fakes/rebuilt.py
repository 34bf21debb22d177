"""Makes all documents of a store again, by the steps that the product takes."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.domain.rebuild import RebuildRequest
from shared.eventstore.store import Store
from shared.services import rebuild
from shared.services.policy.effective_policy import EffectivePolicies

NAME = "rebuilt"


def rebuilt(store: Store, policies: EffectivePolicies) -> Store:
    """Rebuild the documents of a store; the store as it is then, its earlier documents are removed."""
    current = GenerationDocuments(store.documents)
    made, generations = replace(store, documents=current), StoredGenerations(current)
    queue: Any = SimpleNamespace(send=lambda *_, **__: None)
    rebuild.request(NAME, RebuildRequest(), store=made, generations=generations, queue=queue)
    step = {"store": made, "generations": generations, "queue": queue, "policies": lambda: policies}
    while rebuild.run(NAME, **step).ended_at is None:  # type: ignore[arg-type] # a table of several types
        pass
    return made
