"""Queue messages: they carry ids, never data."""

from shared.domain.model import Model
from shared.eventstore.store import Store


class MessageBody(Model):
    """A queue message: the thing it is about, its tenant, and the correlation id of the work it belongs to."""

    tenant: str
    id: str
    correlation: str


def write(store: Store, thing_id: str) -> str:
    """Return the message about a thing of the store's tenant."""
    return MessageBody(tenant=store.tenant, id=thing_id, correlation=store.actor.correlation).model_dump_json()
