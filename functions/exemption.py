"""The doors of exemptions: those whose day has come end; what one covers is judged again when it changes."""

import azure.functions as func

from functions import context
from shared.services import compliance, exemption, judgement

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *", run_on_startup=True)
def exemption_expire(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every five minutes: end what is due."""
    exemption.expire(store=context.store(context.tenant(), "expire"), queue=context.ports().queue)


@bp.queue_trigger(arg_name="changed", queue_name=exemption.QUEUE, connection="AzureWebJobsStorage")
def exemption_judge(changed: func.QueueMessage) -> None:
    """An exemption began or ended: judge again what it covers."""
    given = context.read(changed.get_body())
    store = context.store(given.tenant, given.correlation)
    covering = exemption.find(given.id, store=store)
    if judgement.restate_covered(covering, store=store, book=context.book(store)):
        compliance.refresh(store=store, book=context.book(store))
