"""The trigger of poison messages: each is recorded with its reason, and the work that it asked for is ended.

A timer, not a trigger: the Functions host cannot hand over a message that is not encoded as host.json says.
Source: azure-sdk-for-net, WebJobs extensions, "QueueServiceClientProvider".
"""

from collections.abc import Mapping

import azure.functions as func

from functions import context
from shared import bootstrap
from shared.eventstore import tenant as registry
from shared.eventstore.store import Store
from shared.services import exemption, poison, rebuild, reconciliation
from shared.services.estate import change
from shared.services.import_job import import_job
from shared.services.message import MessageBody
from shared.services.poison import GiveUp
from shared.services.policy import alias_listing
from shared.services.remediation import ending
from shared.services.remediation import record as remediation
from shared.services.retention import retention
from shared.services.scan import scan

bp = func.Blueprint()

ABANDON_BY_QUEUE: Mapping[str, GiveUp | None] = {
    scan.QUEUE: lambda scan_id, reason, store: scan.refuse(scan_id, reason, store=store),
    scan.DECISION_QUEUE: None,  # the reconciler sends a message again
    import_job.QUEUE: lambda import_id, reason, store: import_job.give_up(import_id, reason, store=store),
    remediation.QUEUE: lambda fix_id, reason, store: ending.refuse(fix_id, reason, store=store),
    remediation.DECISION_QUEUE: None,  # the reconciler sends a message again
    reconciliation.RESTART_QUEUE: None,  # the reconciler starts it again, or gives it up
    alias_listing.QUEUE: None,  # it is read the next day
    exemption.QUEUE: None,  # the next scan evaluates what it covers
    change.QUEUE: None,  # the next scan evaluates the resource
    change.EVENT_QUEUE: None,
    rebuild.QUEUE: None,  # another request starts it again
    retention.QUEUE: None,  # the next daily run goes on
}
"""Every queue of the app, and how to end what a message of it asked for."""


@bp.timer_trigger(arg_name="timer", schedule="50 * * * * *")
def poison_collect(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Record the messages that the functions of the queues could not process, every minute."""
    context.record_heartbeat("poison_collect")
    known = registry.listed(documents=context.ports().documents, configured=bootstrap.settings().tenant)

    def store_of(given: MessageBody | None) -> Store | None:
        if given is None:
            return context.system_store(bootstrap.settings().tenant, "poison")
        return context.system_store(given.tenant, given.correlation) if given.tenant in known else None

    for queue, give_up in ABANDON_BY_QUEUE.items():
        poison.collect(queue, give_up=give_up, queue=context.ports().queue, store_of=store_of)
