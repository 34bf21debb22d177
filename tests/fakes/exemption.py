"""Exemptions that ada asked for and grace has approved."""

from dataclasses import replace

from shared.domain.arm_id import resource_group_of, subscription_of
from shared.domain.exemption import Exemption, ExemptionRequest
from shared.domain.finding import resource_key
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import exemption
from shared.services.estate import resource
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.caller import caller


def known(scope: str, store: Store) -> str:
    """A scope at which a resource is stored, as far as looking for it goes."""
    body = {"gone": False, "subscription": subscription_of(scope), "resourceGroup": resource_group_of(scope)}
    kind, tenant, key = resource.KIND, store.tenant, resource_key(scope)
    if store.documents.get(tenant=tenant, kind=kind, id=key) is None:
        store.documents.put(tenant=tenant, kind=kind, id=key, body=body)
    return scope


def approved_exemption(
    exemption_id: str, asked: ExemptionRequest, *, store: Store, queue: Queue, policies: EffectivePolicies
) -> Exemption:
    """An exemption that is active."""
    exemption.create(exemption_id, asked, store=store, queue=queue, policies=policies)
    by = replace(store, caller=caller("grace", store.tenant))
    return exemption.approve(exemption_id, store=by, queue=queue)
