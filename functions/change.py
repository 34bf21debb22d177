"""The doors of change messages: one queue, judged a resource at a time."""

import azure.functions as func

from functions import context
from shared.services import change

bp = func.Blueprint()


@bp.queue_trigger(arg_name="changed", queue_name=change.QUEUE, connection="AzureWebJobsStorage")
def change_judge(changed: func.QueueMessage) -> None:
    """A resource has changed: judge it anew, and it alone."""
    given = context.read(changed.get_body())
    store = context.store(given.tenant, given.correlation)
    change.judge(given.id, store=store, inventory=context.ports().inventory, book=context.book(store))
