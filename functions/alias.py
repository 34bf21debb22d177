"""The triggers of the alias listing: refreshed every day, a tenant at a time."""

import azure.functions as func

from functions import context
from functions.delivery import record_failure
from shared.domain.error import CortexError, NotFound
from shared.services.policy import alias_listing, effective_policy

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 40 3 * * *")
def alias_refresh(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Request the provider listing of every tenant, once a day."""
    queue = context.ports().queue
    context.for_each_tenant("alias_refresh", lambda store: alias_listing.request(store=store, queue=queue))


@bp.queue_trigger(arg_name="asked", queue_name=alias_listing.QUEUE, connection="AzureWebJobsStorage")
@record_failure(alias_listing.QUEUE)
def alias_read(asked: func.QueueMessage) -> None:
    """Read the provider listing of a tenant, or record until when to wait; do nothing where there is no cloud."""
    given = context.parse_message(asked.get_body())
    store, ports = context.system_store(given.tenant, given.correlation), context.ports()
    try:
        alias_listing.refresh(store=store, inventory=ports.inventory)
    except NotFound:
        return
    except CortexError as error:
        alias_listing.put_off(error, store=store, queue=ports.queue)
        return
    effective_policy.forget(store)
