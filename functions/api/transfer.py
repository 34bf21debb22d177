"""Imports: upload an inventory that was exported elsewhere, and see what became of it."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import IO, Annotated

import orjson
from anyio import to_thread
from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.body import check_length
from functions.api.idempotency import Key, Work, fingerprint
from functions.api.route import router as make_router
from shared.domain.transfer import GROUP, SUBSCRIPTION, Origin, Status, Transfer
from shared.ports import documents
from shared.services import transfer

router = make_router("Imports")
KIND = transfer.KIND.name
CHUNK = 1024 * 1024
IN_MEMORY = 4 * CHUNK

FROM = "where an exported template is from; other files say so themselves"
ACCOUNT = {
    "id": (
        "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
        "/providers/Microsoft.Storage/storageAccounts/telemetry"
    ),
    "type": "Microsoft.Storage/storageAccounts",
    "name": "telemetry",
    "location": "westeurope",
    "properties": {"supportsHttpsTrafficOnly": False},
}
UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "`az resource list` or `az graph query` JSON, pages of ARM or Resource Graph, ARM bodies, an "
        "exported template, JSON lines of any of these; gzip too; up to 500 MB",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "examples": {"JSON lines": {"value": f"{orjson.dumps(ACCOUNT).decode()}\n"}},
            },
            "application/json": {"schema": {}, "examples": {"az resource list": {"value": [ACCOUNT]}}},
        },
    }
}


class TransferListing(Listing):
    """Chooses imports."""

    status: tuple[Status, ...] = ()


@router.post("/imports", status_code=202, response_model=Transfer, openapi_extra=UPLOAD)
async def import_start(
    request: Request,
    caller: Known,
    name: Annotated[str, Query(min_length=1, max_length=255, description="the file's name")] = "upload",
    subscription: Annotated[str | None, Query(pattern=SUBSCRIPTION, description=FROM)] = None,
    resource_group: Annotated[str | None, Query(alias="resourceGroup", pattern=GROUP, description=FROM)] = None,
    key: Key = None,
) -> Response:
    """Import an inventory: what can be read is kept, each record that cannot is told with its position and why."""
    _check_kind(request)
    async with _spooled(request) as (file, digest):
        work = Work(caller, key, fingerprint(request, digest))
        return await work.start(
            lambda new: transfer.request(
                new,
                name,
                _chunks(file),
                store=caller.store,
                queue=caller.ports.queue,
                origin=Origin(subscription=subscription, resource_group=resource_group),
            ),
            "/api/v1/imports/{id}",
        )


@router.get("/imports", response_model=Page[Transfer])
def import_list(request: Request, caller: Known, asked: Annotated[TransferListing, Query()]) -> Response:
    """The imports, latest first."""
    query = documents.Query(equals=answer.conditions(asked), order="requestedAt", descending=True)
    return answer.listing(request, caller, KIND, query, asked, show=answer.without("firstBad"))


@router.get("/imports/{id}", response_model=Transfer)
def import_get(request: Request, caller: Known, id: str) -> Response:
    """One import, with the first hundred records that were left out, and why."""
    return answer.document(request, answer.find(caller, KIND, id))


def _check_kind(request: Request) -> None:
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise HTTPException(415, "send the file itself as the body: `curl --data-binary @FILE`")
    if request.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise HTTPException(415, "send the file as it is, or as gzip")


@asynccontextmanager
async def _spooled(request: Request) -> AsyncIterator[tuple[IO[bytes], bytes]]:
    """The body in a file that is in memory while it is small, and its digest; TooLarge as soon as that is known."""
    check_length(request.headers.get("content-length", "0"), transfer.LARGEST)
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        async for chunk in _large_chunks(request):
            await to_thread.run_sync(digest.update, chunk)
            await to_thread.run_sync(file.write, chunk)
            check_length(str(file.tell()), transfer.LARGEST)
        yield file, digest.digest()


async def _large_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body in chunks large enough to be worth a thread."""
    buffer = bytearray()
    async for chunk in request.stream():
        buffer += chunk
        if len(buffer) >= CHUNK:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk
