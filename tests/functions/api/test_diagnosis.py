"""Diagnosis and permissions over HTTP, and that the timers it looks for are those that there are."""

import re
from pathlib import Path

from shared.domain.error import Forbidden
from shared.domain.identity import Role
from shared.services.installation import heartbeat
from shared.services.installation.diagnosis import TIMERS
from tests.fakes.cloud import SUBSCRIPTION, MemoryCloud
from tests.functions.api.conftest import Api, problem

FUNCTIONS = Path(__file__).parents[3] / "functions"


def test_a_diagnosis_changes_nothing_and_reveals_no_secret(api: Api) -> None:
    before = api.ports.queue.length("scan-requests")
    answer = api.get("/diagnosis", Role.OPERATOR)
    assert answer.status_code == 200
    names = [each["name"] for each in answer.json()["checks"]]
    assert names[:5] == ["documents", "blobs", "queue", "subscriptions", "permissions"]
    assert not answer.json()["healthy"]
    assert api.ports.queue.length("scan-requests") == before
    assert api.token() not in answer.text
    problem(api.get("/diagnosis", Role.READER), 403)
    problem(api.client.get("/api/v1/diagnosis"), 401)


def test_permissions_of_all_subscriptions_or_of_one(api: Api) -> None:
    whole = api.get("/permissions").json()["items"]
    assert [each["call"] for each in whole] == ["GET /subscriptions", f"GET /subscriptions/{SUBSCRIPTION}"]
    assert len(api.get(f"/permissions?subscription={SUBSCRIPTION}").json()["items"]) == 1


def test_a_tenant_without_a_cloud_learns_what_to_set(api: Api, cloud: MemoryCloud) -> None:
    def refuse(*, tenant: str) -> None:
        raise Forbidden(f"nothing of {tenant} can be seen", permission="Microsoft.Resources/subscriptions/read")

    cloud.subscriptions = refuse  # type: ignore[method-assign, assignment]
    (found,) = api.get("/permissions").json()["items"]
    assert not found["allowed"]
    assert found["remedy"].startswith("az deployment mg create")


def test_an_event_is_a_heartbeat(api: Api) -> None:
    body = {"subject": "/subscriptions/s/resourceGroups/g/providers/M.X/y/z", "data": {}}
    assert api.post("/changes", [body], Role.SENDER).status_code == 202
    assert heartbeat.EVENT_HEARTBEAT in heartbeat.last(documents=api.ports.documents)


def test_every_timer_is_looked_for_under_the_name_it_is_recorded_by() -> None:
    timer = re.compile(r"@bp\.timer_trigger\([^\n]*\)\ndef (\w+)\((.*?)(?=\n\n\n|\Z)", re.DOTALL)
    texts = [path.read_text("utf-8") for path in FUNCTIONS.glob("*.py")]
    found: dict[str, str] = dict(pair for text in texts for pair in timer.findall(text))
    assert found.keys() == TIMERS.keys()
    for name, body in found.items():
        assert re.search(rf'context\.(for_each_tenant|record_heartbeat)\("{name}"', body), name
