"""Imports over HTTP: streamed in, kept, and sent on their way."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.services.import_job import import_job
from shared.services.import_job import upload as uploads
from tests.functions.api.conftest import Api, problem

FILE = json.dumps([{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.X/y/z", "type": "Microsoft.X/y"}])


def upload(api: Api, content: Any, query: str = "?name=export.json", **headers: str) -> Any:
    given = api.headers(**{"content_type": "application/octet-stream", **headers})
    return api.client.post(f"/api/v1/imports{query}", content=content, headers=given)


def kept(api: Api) -> list[str]:
    return api.ports.blobs.names(tenant="contoso", prefix="import/")


def test_a_file_is_kept_and_its_import_started(api: Api) -> None:
    answer = upload(api, FILE.encode())
    started = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/imports/{started['id']}"
    assert (started["name"], started["size"], started["status"]) == ("export.json", len(FILE), "requested")
    assert api.client.get(answer.headers["location"], headers=api.headers()).json() == started
    assert [each["id"] for each in api.get("/imports?status=requested").json()["items"]] == [started["id"]]
    assert api.ports.blobs.get(tenant="contoso", name=kept(api)[0]) == FILE.encode()
    assert api.ports.queue.length(import_job.QUEUE) == 1


def test_gzip_is_kept_as_it_is(api: Api) -> None:
    packed = gzip.compress(FILE.encode())
    for headers in ({}, {"content_encoding": "gzip"}):
        assert upload(api, packed, **headers).status_code == 202
    assert {api.ports.blobs.get(tenant="contoso", name=name) for name in kept(api)} == {packed}


def test_a_large_file_is_streamed(api: Api) -> None:
    def chunks() -> Iterator[bytes]:
        for number in range(90):
            yield bytes([number]) * 100_000

    started = upload(api, chunks()).json()
    whole = b"".join(bytes([number]) * 100_000 for number in range(90))
    assert (started["size"], started["sha256"]) == (9_000_000, hashlib.sha256(whole).hexdigest())
    assert [api.ports.blobs.get(tenant="contoso", name=name) for name in kept(api)] == [whole]


def test_a_file_over_the_limit_is_refused_and_not_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_BYTES", 1_000_000)
    problem(upload(api, b" " * 1_000_001), 413)
    problem(upload(api, (b" " * 100_000 for _ in range(11))), 413)
    assert kept(api) == []


def test_nothing_is_no_file(api: Api) -> None:
    problem(upload(api, b""), 422)


def test_the_same_key_and_file_are_one_import(api: Api) -> None:
    first = upload(api, FILE.encode(), idempotency_key="k").json()
    assert upload(api, FILE.encode(), idempotency_key="k").json() == first
    problem(upload(api, FILE.encode() + b" ", idempotency_key="k"), 422)
    assert len(api.get("/imports").json()["items"]) == 1


@pytest.mark.parametrize("headers", [{"content_type": "multipart/form-data; boundary=x"}, {"content_encoding": "br"}])
def test_a_wrapped_file_is_refused(api: Api, headers: dict[str, str]) -> None:
    problem(upload(api, FILE.encode(), **headers), 415)


def test_a_name_that_cannot_be(api: Api) -> None:
    assert problem(upload(api, b"{}", "?name="), 400)["path"] == "query.name"
    assert problem(upload(api, b"{}", f"?name={'x' * 256}"), 400)["path"] == "query.name"
    assert upload(api, FILE.encode(), "").json()["name"] == "upload"


def test_an_import_is_cancelled_once_and_its_file_is_gone(api: Api) -> None:
    at = upload(api, FILE.encode()).headers["location"]
    for _ in range(2):
        answer = api.client.post(f"{at}/cancel", headers=api.headers())
        assert (answer.status_code, answer.headers["location"]) == (202, at)
        assert (answer.json()["status"], answer.json()["reason"]) == ("cancelled", "cancelled after 0 records")
    assert kept(api) == []
    problem(api.client.post("/api/v1/imports/absent/cancel", headers=api.headers()), 404)


def test_what_is_not_there(api: Api) -> None:
    problem(api.get("/imports/none"), 404)


def test_the_origin_of_a_file_is_kept_with_it(api: Api) -> None:
    query = "?subscription=s&resourceGroup=g&managementGroup=m&location=westeurope&apiVersion=2023-05-01"
    asked = f"{query}&parameter=sku=Standard_LRS&parameter=odd=a=b"
    started = upload(api, FILE.encode(), asked).json()
    assert started["origin"] == {
        "subscription": "s",
        "resourceGroup": "g",
        "managementGroup": "m",
        "location": "westeurope",
        "apiVersion": "2023-05-01",
        "parameters": {"sku": "Standard_LRS", "odd": "a=b"},
    }
    known = api.post("/imports/uploads", {"name": "big.json", **started["origin"]}).json()["id"]
    assert api.get(f"/imports/{known}").json()["origin"] == started["origin"]


@pytest.mark.parametrize(
    "query", ["apiVersion=latest", "location=%2F", "parameter=x", "parameter==x", "managementGroup=a/b"]
)
def test_an_origin_that_cannot_be(api: Api, query: str) -> None:
    assert problem(upload(api, FILE.encode(), f"?{query}"), 400)["path"].startswith(f"query.{query.partition('=')[0]}")


def test_more_parameters_than_a_record_keeps(api: Api) -> None:
    parameters = "&".join(f"parameter=p{number}=1" for number in range(300))
    problem(upload(api, FILE.encode(), f"?{parameters}"), 400)
    body = {"name": "big.json", "parameters": {"p": "x" * 70_000}}
    problem(api.post("/imports/uploads", body), 422)
