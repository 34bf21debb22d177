"""The triggers of exemptions: end those that have expired, and evaluate again what a changed one covers."""

import azure.functions as func

from functions import context
from functions.delivery import record_failure
from shared.eventstore.store import Store
from shared.services import compliance, exemption
from shared.services.estate import judgement

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
def exemption_expire(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Send lost messages again and end expired exemptions, for every tenant, every five minutes."""
    queue = context.ports().queue

    def work(store: Store) -> None:
        exemption.resend(store=store, queue=queue)
        exemption.expire(store=store, queue=queue)

    context.for_each_tenant("exemption_expire", work)


@bp.queue_trigger(arg_name="changed", queue_name=exemption.QUEUE, connection="AzureWebJobsStorage")
@record_failure(exemption.QUEUE)
def exemption_judge(changed: func.QueueMessage) -> None:
    """Evaluate again what an exemption covers that began or ended."""
    given = context.parse_message(changed.get_body())
    store = context.system_store(given.tenant, given.correlation)
    covering = exemption.find(given.id, store=store)
    if judgement.judge_covered(covering, store=store, policies=context.policies(store)):
        compliance.refresh(store=store, policies=context.policies(store))
    exemption.applied(covering, store=store)
