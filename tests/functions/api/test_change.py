"""The webhook of changes: handshakes and events."""

from typing import Any

import pytest

from shared.domain.identity import Role
from shared.services.estate import change
from tests.functions.api.conftest import Api, problem

ONE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"


def event(subject: str = ONE, **more: Any) -> dict[str, Any]:
    return {"id": "1", "eventType": "Microsoft.Resources.ResourceWriteSuccess", "subject": subject, "data": {}, **more}


def queued(api: Api) -> list[str]:
    return [each.body for each in api.ports.queue.receive(change.QUEUE, limit=32)]


def test_what_events_name_is_queued_once(api: Api) -> None:
    answer = api.post("/changes", [event(), event(ONE.upper()), event(f"{ONE}b")], Role.SENDER)
    assert (answer.status_code, answer.json()) == (202, {"resources": 2})
    assert len(queued(api)) == 2


def test_a_cloud_event_is_taken_alone(api: Api) -> None:
    cloud_event = {"specversion": "1.0", "type": "Microsoft.Resources.ResourceWriteSuccess", "subject": ONE, "data": {}}
    answer = api.client.post(
        "/api/v1/changes", json=cloud_event, headers=api.headers(content_type="application/cloudevents+json")
    )
    assert (answer.status_code, answer.json()) == (202, {"resources": 1})


def test_the_handshake_of_event_grid_is_answered(api: Api) -> None:
    handshake = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "512d38b6"}}
    answer = api.post("/changes", [handshake], Role.SENDER)
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})
    assert queued(api) == []


@pytest.mark.parametrize("data", [None, {}, {"validationCode": 1}, {"validationCode": "x" * 300}])
def test_a_handshake_without_a_code_is_refused(api: Api, data: Any) -> None:
    body = [{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": data}]
    assert problem(api.post("/changes", body), 422)["path"] == "$[0].data.validationCode"


def test_the_handshake_of_cloud_events_is_agreed_to_for_the_event_service_alone(api: Api) -> None:
    good = api.client.options("/api/v1/changes", headers={"webhook-request-origin": "eventgrid.azure.net"})
    assert good.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    for origin in ("evil.example", "eventgrid.azure.net.evil.example", ""):
        other = api.client.options("/api/v1/changes", headers={"webhook-request-origin": origin})
        assert "webhook-allowed-origin" not in other.headers


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([event("no id")], "$[0]"),
        ([event(), event(data=None)], "$[1].data"),
        ([event("/" + "x" * 3000)], "$[0]"),
        ([1], None),
        ("text", None),
    ],
)
def test_what_names_no_resource_is_refused(api: Api, body: Any, path: str | None) -> None:
    result = problem(api.post("/changes", body), 422)["path"]
    assert result == path if path else result.startswith("$")
    assert queued(api) == []


def test_no_events_are_no_work(api: Api) -> None:
    assert api.post("/changes", []).json() == {"resources": 0}
