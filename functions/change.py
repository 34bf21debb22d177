"""The triggers of changes: events from Event Grid, and the changed resources, evaluated one at a time."""

import azure.functions as func

from functions import context
from functions.delivery import record_failure
from shared import bootstrap
from shared.services.estate import change
from shared.services.installation import heartbeat

bp = func.Blueprint()


@bp.queue_trigger(arg_name="event", queue_name=change.EVENT_QUEUE, connection="AzureWebJobsStorage")
@record_failure(change.EVENT_QUEUE)
def change_receive(event: func.QueueMessage) -> None:
    """Take an event from Event Grid, and queue the resource that it names for evaluation."""
    context.record_heartbeat(heartbeat.EVENT_HEARTBEAT)
    store = context.system_store(bootstrap.settings().tenant, event.id or "event-grid")
    change.receive(event.get_body(), store=store, queue=context.ports().queue)


@bp.queue_trigger(arg_name="changed", queue_name=change.QUEUE, connection="AzureWebJobsStorage")
@record_failure(change.QUEUE)
def change_judge(changed: func.QueueMessage) -> None:
    """Evaluate a resource that has changed."""
    given = context.parse_message(changed.get_body())
    store = context.system_store(given.tenant, given.correlation)
    change.judge(given.id, store=store, inventory=context.ports().inventory, policies=context.policies(store))
