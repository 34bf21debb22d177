"""The triggers of imports: the queue of requested ones, a bounded batch at a time, and the reconciler."""

import logging

import azure.functions as func

from functions import context
from functions.delivery import record_failure
from shared.services.import_job import import_job, upload

bp = func.Blueprint()
logger = logging.getLogger(__name__)


@bp.queue_trigger(arg_name="asked", queue_name=import_job.QUEUE, connection="AzureWebJobsStorage")
@record_failure(import_job.QUEUE)
def import_run(asked: func.QueueMessage) -> None:
    """Start an import, or go on with it."""
    given = context.parse_message(asked.get_body())
    ports = context.ports()
    store = context.system_store(given.tenant, given.correlation)
    known = import_job.run(given.id, store=store, queue=ports.queue, catalog=ports.catalog)
    if known.ended_at:
        logger.info(
            "import %s %s: %d records imported, %d left out", known.id, known.status, known.imported, known.error_count
        )


@bp.timer_trigger(arg_name="timer", schedule="20 */5 * * * *")
def import_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Send a message again for every import that makes no progress, every five minutes."""
    queue = context.ports().queue
    context.for_each_tenant("import_reconcile", lambda store: import_job.resend(store=store, queue=queue))


@bp.timer_trigger(arg_name="timer", schedule="10 */5 * * * *")
def import_expire(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """End abandoned uploads and remove files that no import waits for, every five minutes."""
    context.for_each_tenant("import_expire", lambda store: upload.expire(store=store))
