"""Start a workflow under a given id, once."""

from typing import Any

from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationStatus

ALIVE = (OrchestrationStatus.PENDING, OrchestrationStatus.RUNNING, OrchestrationStatus.SUSPENDED)


async def begin(client: DurableFunctionsClient, name: str, instance_id: str, given: dict[str, Any]) -> bool:
    """Start the workflow unless it is alive; whether it was started.

    One that has ended makes way for the new one. Two starts of one id at the same time are harmless: steps are safe
    to do twice.
    """
    state = await client.get_orchestration_state(instance_id)
    if state is not None and state.runtime_status in ALIVE:
        return False
    if state is not None:
        await client.purge_orchestration(instance_id)
    await client.schedule_new_orchestration(name, input=given, instance_id=instance_id)
    return True
