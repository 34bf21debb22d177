"""Large files: sent with a grant for one blob, completed with their size and digest, and then imported."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from httpx2 import Response

from shared.domain.identity import Role
from shared.services.import_job import import_job
from shared.services.import_job import upload as uploads
from tests.fakes.caller import caller
from tests.fakes.clock import Clock
from tests.functions.api.conftest import Api, problem

FILE = json.dumps([{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/y/z", "type": "Microsoft.X/y"}])
DATA = FILE.encode()


def start(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.post("/imports/uploads", {"name": "estate.json", **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/imports/{made['id']}"
    return made


def send(api: Api, made: dict[str, Any], content: Any = DATA, **headers: str) -> Response:
    """As anybody would who holds the grant, and nothing else."""
    given = {**made["headers"], "content-type": "application/octet-stream", **headers}
    return api.client.request(made["method"], urlsplit(made["url"]).path, content=content, headers=given)


def complete(api: Api, made: dict[str, Any], data: bytes = DATA, **more: Any) -> Response:
    result = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}
    return api.post(f"/imports/uploads/{made['id']}/complete", result)


def run(api: Api, made: dict[str, Any], clock: Clock) -> dict[str, Any]:
    ports = api.ports
    store = uploads.Store(ports.documents, ports.blobs, clock, caller("s"), "c")
    ended = import_job.run(made["id"], store=store, queue=ports.queue, catalog=ports.catalog)
    return ended.model_dump(mode="json")


def kept(api: Api) -> list[str]:
    return api.ports.blobs.names(tenant="contoso", prefix="import/")


@pytest.mark.parametrize("host", ["evil.example", "$(id)", "localhost:1@evil.example"])
@pytest.mark.parametrize("public", [None, "https://cortex.example:8443"])
def test_the_url_is_the_address_of_the_settings_and_none_of_the_request(
    api: Api, monkeypatch: pytest.MonkeyPatch, host: str, public: str | None
) -> None:
    if public:
        monkeypatch.setenv("CORTEX_PUBLIC_URL", public)
    named = {**api.headers(), "host": host, "x-forwarded-host": host, "forwarded": f"host={host}"}
    result = api.client.post("/api/v1/imports/uploads", json={"name": "estate.json"}, headers=named)
    assert result.status_code == 201
    assert result.json()["url"].startswith(f"{public or 'http://127.0.0.1:7071'}/api/v1/imports/uploads/")
    assert host not in f"{result.headers}{result.text}"


def test_a_file_is_sent_with_a_grant_completed_and_imported(api: Api, clock: Clock) -> None:
    made = start(api)
    assert made["url"] == f"http://127.0.0.1:7071/api/v1/imports/uploads/{made['id']}/content"
    assert api.get(f"/imports/{made['id']}").json()["status"] == "uploading"
    assert api.ports.queue.length(import_job.QUEUE) == 0
    assert send(api, made).status_code == 204
    done = complete(api, made)
    assert done.status_code == 202
    assert (done.json()["status"], done.json()["size"]) == ("requested", len(DATA))
    assert done.headers["location"] == f"/api/v1/imports/{made['id']}"
    ended = run(api, made, clock)
    assert (ended["status"], ended["imported"], ended["sha256"]) == ("completed", 1, hashlib.sha256(DATA).hexdigest())
    assert kept(api) == []


def test_completing_again_answers_the_same_import(api: Api, clock: Clock) -> None:
    made = start(api)
    send(api, made)
    first = complete(api, made)
    assert complete(api, made).json() == first.json()
    run(api, made, clock)
    assert complete(api, made).json()["status"] == "completed"
    problem(complete(api, made, b"another"), 409)


def test_a_grant_is_good_once(api: Api) -> None:
    made = start(api)
    send(api, made)
    assert "already arrived" in problem(send(api, made, b"other"), 409)["detail"]
    assert api.ports.blobs.get(tenant="contoso", name=kept(api)[0]) == DATA


def test_a_grant_is_good_for_its_time(api: Api, clock: Clock) -> None:
    made = start(api)
    clock.at += uploads.GRANT_LIFETIME - timedelta(seconds=1)
    assert send(api, start(api)).status_code == 204
    clock.at += timedelta(seconds=2)
    assert "expired" in problem(send(api, made), 409)["detail"]


def test_a_grant_is_good_for_its_upload_alone(api: Api) -> None:
    made, other = start(api), start(api)
    problem(send(api, {**other, "headers": made["headers"]}), 401)
    for token in ("", "x", api.token(Role.ADMIN), made["headers"]["x-upload-token"][:-1]):
        problem(send(api, {**made, "headers": {"x-upload-token": token}}), 401)
    problem(send(api, {**made, "headers": {}}), 400)
    assert kept(api) == []


def test_a_grant_reads_nothing(api: Api) -> None:
    made = start(api)
    send(api, made)
    path = urlsplit(made["url"]).path
    assert api.client.get(path, headers=made["headers"]).status_code == 405
    problem(api.client.get(f"/api/v1/imports/{made['id']}", headers=made["headers"]), 401)


def test_another_tenant_cannot_complete_it(api: Api) -> None:
    made = start(api)
    send(api, made)
    result = {"size": len(DATA), "sha256": "0" * 64}
    problem(api.post(f"/imports/uploads/{made['id']}/complete", result, tenant="fabrikam"), 404)


def test_size_and_content_are_checked(api: Api, clock: Clock) -> None:
    made = start(api)
    assert "not arrived" in problem(complete(api, made), 409)["detail"]
    send(api, made)
    assert problem(complete(api, made, size=5), 422)["path"] == "$.size"
    for wrong in ("", "A" * 64, "0" * 63):
        problem(complete(api, made, sha256=wrong), 422)
    assert complete(api, made, sha256="0" * 64).status_code == 202
    ended = run(api, made, clock)
    assert (ended["status"], ended["imported"]) == ("failed", 0)
    assert hashlib.sha256(DATA).hexdigest() in ended["reason"]
    assert kept(api) == []


def test_too_large_a_file_is_refused_and_removed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b" " * 100 for _ in range(11))

    made, other = start(api), start(api)
    send(api, other, b" " * 1001)
    monkeypatch.setattr(uploads, "UPLOAD_BYTES", 1000)
    problem(send(api, made, b" " * 1001), 413)
    problem(send(api, made, chunks()), 413)
    problem(complete(api, other, b" " * 1001), 413)
    assert api.get(f"/imports/{other['id']}").json()["status"] == "failed"
    assert kept(api) == []


def test_abandoned_uploads_are_removed_after_their_time(api: Api, clock: Clock) -> None:
    made, going_on = start(api), start(api)
    send(api, made)
    store = uploads.Store(api.ports.documents, api.ports.blobs, clock, caller("s"), "c")
    assert uploads.expire(store=store) == 0
    clock.at += uploads.GRANT_LIFETIME
    send(api, start(api))
    clock.at += uploads.UPLOAD_GRACE
    assert uploads.expire(store=store) == 2
    ended = api.get(f"/imports/{made['id']}").json()
    assert (ended["status"], "not completed in time" in ended["reason"]) == ("failed", True)
    assert api.get(f"/imports/{going_on['id']}").json()["status"] == "failed"
    assert len(kept(api)) == 1
    problem(complete(api, made), 409)
