"""The doors of imports: the request queue, a bounded bit at a time, and the reconciler."""

import azure.functions as func

from functions import context
from shared.services import message, transfer

bp = func.Blueprint()


@bp.queue_trigger(arg_name="asked", queue_name=transfer.QUEUE, connection="AzureWebJobsStorage")
def transfer_run(asked: func.QueueMessage) -> None:
    """An import was requested, or goes on."""
    given = context.read(asked.get_body())
    ports = context.ports()
    store = context.store(given.tenant, given.correlation)
    transfer.run(given.id, store=store, queue=ports.queue, catalog=ports.catalog)


@bp.queue_trigger(arg_name="asked", queue_name=f"{transfer.QUEUE}-poison", connection="AzureWebJobsStorage")
def transfer_poison(asked: func.QueueMessage) -> None:
    """An import that failed on every try says so."""
    given = context.read(asked.get_body())
    store = context.store(given.tenant, given.correlation)
    transfer.fail(given.id, "reading it failed on every try", store=store)


@bp.timer_trigger(arg_name="timer", schedule="20 */5 * * * *", run_on_startup=True)
def transfer_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every five minutes, and on start: send unfinished imports on their way again."""
    ports = context.ports()
    store = context.store(context.tenant(), "reconcile")
    for each in transfer.unfinished(store=store):
        ports.queue.send(transfer.QUEUE, message.write(store, each.id))
