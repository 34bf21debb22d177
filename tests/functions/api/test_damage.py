"""Damage under the API is a problem document of its own, and names nothing of the machine."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from shared.services import compliance
from shared.services.remediation import plan
from tests.fakes.clock import TENANT
from tests.fakes.cloud import account
from tests.fakes.corruption import files_at_most
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem


def test_a_damaged_document(api: Api, tmp_path: Path) -> None:
    api.ports.documents.put(tenant=TENANT, kind=compliance.KIND, id=compliance.TENANT_ID, body={})
    with closing(sqlite3.connect(tmp_path / "documents.db")) as other:
        other.execute("UPDATE documents SET body = '{\"cut'")
        other.commit()
    answer = api.get("/compliance/summary")
    result = problem(answer, 503)
    assert result["type"] == "/api/docs#damaged"
    assert result["title"] == "Stored data is damaged and must be restored"
    assert result["detail"].startswith("document 'tenant' is not JSON")
    assert answer.headers["retry-after"] == "60"


@pytest.mark.parametrize("torn", [gzip.compress(b"", mtime=0), gzip.compress(b'{"operations": []}', mtime=0)])
def test_a_torn_plan_is_not_an_empty_one(api: Api, world: World, torn: bytes) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.plan()
    name = plan.item_blob(world.id, 1, world.item().hash)
    assert orjson.loads(api.get(f"/remediations/{world.id}/plan").content)["items"]
    api.ports.blobs.put(tenant=TENANT, name=name, data=torn)
    assert (
        "does not have the content that its name says"
        in problem(api.get(f"/remediations/{world.id}/plan"), 503)["detail"]
    )


def test_a_full_disk(api: Api, tmp_path: Path) -> None:
    with files_at_most(0):
        answer = api.post("/scans", {})
    result = problem(answer, 503)
    assert result["type"] == "/api/docs#unavailable"
    assert "check the disk" in result["detail"]
    assert str(tmp_path) not in answer.text
    assert api.post("/scans", {}).status_code == 202
