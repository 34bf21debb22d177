"""Changes: the webhook that the cloud's event service tells changes to.

Source: Azure Event Grid, "Endpoint validation with Event Grid event schema"; CloudEvents, "HTTP 1.1 Web Hooks".
"""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Header, Response

from functions.api.access import Known
from functions.api.route import router as make_router
from shared.domain.error import InvalidInput
from shared.domain.model import Model
from shared.services import change

router = make_router("Changes")

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
ORIGIN = "eventgrid.azure.net"
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

Events = list[dict[str, Any]] | dict[str, Any]


class Taken(Model):
    """How many resources will be judged anew."""

    resources: int


@router.options("/changes", include_in_schema=False)
async def change_handshake(
    origin: Annotated[str, Header(alias="WebHook-Request-Origin", max_length=255)] = "",
) -> Response:
    """Agree to deliveries of the cloud's event service, and of nobody else."""
    if origin.lower() != ORIGIN:
        return Response(status_code=204, headers={"allow": "OPTIONS, POST"})
    return Response(headers={"webhook-allowed-origin": ORIGIN, "webhook-allowed-rate": "*", "allow": "OPTIONS, POST"})


@router.post("/changes", status_code=202, response_model=Taken)
def change_take(caller: Known, events: Annotated[Events, Body(openapi_examples=EXAMPLES)]) -> Response:
    """Take events of the Event Grid schema or CloudEvents, one or a batch; what they name is judged anew in seconds."""
    batch = events if isinstance(events, list) else [events]
    if len(batch) == 1 and batch[0].get("eventType") == VALIDATION:
        return Response(orjson.dumps({"validationResponse": _code(batch[0])}), media_type="application/json")
    taken = change.take(list[Mapping[str, Any]](batch), store=caller.store, queue=caller.ports.queue)
    return Response(orjson.dumps({"resources": taken}), 202, media_type="application/json")


def _code(event: Mapping[str, Any]) -> str:
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, Mapping) else None
    if not isinstance(code, str) or len(code) > 255:  # noqa: PLR2004 - a GUID and more
        raise InvalidInput("a validation event has its code in data.validationCode", path="$[0].data.validationCode")
    return code
