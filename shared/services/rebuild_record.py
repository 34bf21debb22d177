"""The record of the latest rebuild of a tenant's documents, which others look at too."""

from shared.domain.rebuild import Rebuild
from shared.eventstore.store import Store
from shared.services import read_model

KIND = "rebuild"
LATEST_ID = "latest"
MODEL = read_model.ReadModel(KIND, Rebuild)


def is_switching(store: Store) -> bool:
    """Return whether documents may lag behind their events at present, because a rebuild switches to new ones."""
    found = store.documents.get(tenant=store.tenant, kind=KIND, id=LATEST_ID)
    return found is not None and MODEL.read(found.body).is_switching
