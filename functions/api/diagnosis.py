"""Diagnosis: what of this installation works, and how to fix what does not."""

from fastapi import Request, Response

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.diagnosis import Diagnosis, Health
from shared.services.installation import diagnosis

router = make_router("Health")


@router.get("/diagnosis", response_model=Diagnosis)
def diagnosis_get(request: Request, caller: Authorized) -> Response:
    """Check the installation: stores, cloud and permissions, events, queues, timers, the last scan. Changes nothing."""
    ports = caller.ports
    checks = diagnosis.examine(
        tenant=caller.tenant,
        documents=ports.documents,
        blobs=ports.blobs,
        queue=ports.queue,
        inventory=ports.inventory,
        wanted=lambda: caller.policies.wanted,
        at=ports.now(),
    )
    healthy = all(each.health is not Health.BROKEN for each in checks)
    found = Diagnosis(healthy=healthy, version=request.app.version, checks=checks)
    return response.ok(request, found.model_dump(mode="json"))
