"""Changes: the webhook for events of the cloud.

Source: Azure Event Grid, "Endpoint validation with Event Grid event schema"; CloudEvents, "HTTP 1.1 Web Hooks".
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body, Header, Response

from functions.api.http.access import Authorized
from functions.api.http.response import accepted
from functions.api.http.route import make_router
from shared.domain.error import InvalidInput
from shared.domain.model import Model
from shared.services.estate import change
from shared.services.installation import heartbeat

router = make_router("Changes")

VALIDATION_EVENT = "Microsoft.EventGrid.SubscriptionValidationEvent"
WEBHOOK_ORIGIN = "eventgrid.azure.net"
SUBJECT = (
    "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
    "/providers/Microsoft.Storage/storageAccounts/telemetry"
)
EXAMPLES = {
    "a resource was written": {
        "value": [
            {
                "id": "b9c4b5a6-0000-4000-8000-000000000001",
                "eventType": "Microsoft.Resources.ResourceWriteSuccess",
                "subject": SUBJECT,
                "eventTime": "2026-01-05T10:00:00Z",
                "data": {},
                "dataVersion": "2",
            }
        ]
    }
}

EventGridEvents = list[dict[str, Any]] | dict[str, Any]


class ChangesAccepted(Model):
    """The number of resources that will be evaluated again."""

    resources: int


class SubscriptionValidated(Model):
    """The code of an endpoint validation, returned."""

    validation_response: str


@router.options("/changes", include_in_schema=False)
async def change_handshake(
    origin: Annotated[str, Header(alias="WebHook-Request-Origin", max_length=255)] = "",
) -> Response:
    """Allow deliveries by the cloud's event service, and by nobody else."""
    if origin.lower() != WEBHOOK_ORIGIN:
        return Response(status_code=204, headers={"allow": "OPTIONS, POST"})
    return Response(
        headers={"webhook-allowed-origin": WEBHOOK_ORIGIN, "webhook-allowed-rate": "*", "allow": "OPTIONS, POST"}
    )


@router.post(
    "/changes", status_code=202, response_model=ChangesAccepted, responses={200: {"model": SubscriptionValidated}}
)
def change_accept(caller: Authorized, events: Annotated[EventGridEvents, Body(openapi_examples=EXAMPLES)]) -> Response:
    """Report changes as Event Grid events or CloudEvents, one or a batch; the resources are evaluated in seconds.

    200 answers the event with which Event Grid validates an endpoint.
    """
    batch = events if isinstance(events, list) else [events]
    if len(batch) == 1 and batch[0].get("eventType") == VALIDATION_EVENT:
        validated = SubscriptionValidated(validation_response=_validation_code(batch[0]))
        return Response(validated.model_dump_json(), media_type="application/json")
    heartbeat.beat(heartbeat.EVENT_HEARTBEAT, documents=caller.ports.documents, at=caller.ports.now())
    taken = change.take(list[Mapping[str, Any]](batch), store=caller.store, queue=caller.ports.queue)
    return accepted({"resources": taken})


def _validation_code(event: Mapping[str, Any]) -> str:
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, Mapping) else None
    if not isinstance(code, str) or len(code) > 255:  # noqa: PLR2004 - a GUID and more
        raise InvalidInput("a validation event has its code in data.validationCode", path="$[0].data.validationCode")
    return code
