"""The trigger of rebuilds: a message goes on with one, a bounded batch at a time."""

import azure.durable_functions as df
import azure.functions as func

from functions import context
from functions.delivery import record_failure
from shared.services import rebuild

bp = df.Blueprint()


@bp.queue_trigger(arg_name="asked", queue_name=rebuild.QUEUE, connection="AzureWebJobsStorage")
@record_failure(rebuild.QUEUE)
def rebuild_run(asked: func.QueueMessage) -> None:
    """Go on with a rebuild for a bounded time."""
    given = context.parse_message(asked.get_body())
    store, ports = context.system_store(given.tenant, given.correlation), context.ports()
    rebuild.run(
        given.id,
        store=store,
        generations=ports.generations,
        queue=ports.queue,
        policies=lambda: context.policies(store),
    )
