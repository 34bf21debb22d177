"""Queue messages: they carry ids and the correlation, never data."""

from shared.domain.model import Model
from shared.services.estate import Store


class Message(Model):
    """Which thing of which tenant a queue message is about, and in which piece of work it was sent."""

    tenant: str
    id: str
    correlation: str


def write(store: Store, thing_id: str) -> str:
    """The message about a thing of the store's tenant."""
    return Message(tenant=store.tenant, id=thing_id, correlation=store.actor.correlation).model_dump_json()
