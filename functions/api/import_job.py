"""Imports: upload an inventory that was exported elsewhere, and follow its import."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Annotated

import orjson
from anyio import to_thread
from fastapi import Body, Header, Query, Request, Response
from pydantic import AwareDatetime, ConfigDict, Field, StrictInt, ValidationError
from starlette.exceptions import HTTPException

from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.body import check_length
from functions.api.http.idempotency import IdempotencyKeyHeader, Idempotent, IdempotentRequest, request_fingerprint
from functions.api.http.route import make_router
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.error import InvalidInput
from shared.domain.identity import Caller
from shared.domain.import_job import (
    PARAMETER_PATTERN,
    SHA256_PATTERN,
    DeploymentScope,
    ImportJob,
    ImportListing,
    ImportOrigin,
)
from shared.domain.model import Model
from shared.domain.page import Page
from shared.domain.validation_message import describe
from shared.eventstore.store import Store
from shared.services.import_job import import_job, upload

router = make_router("Imports")
CHUNK_BYTES = 1024 * 1024
MEMORY_BYTES = 4 * CHUNK_BYTES

EXAMPLE_ACCOUNT = {
    "id": (
        "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data"
        "/providers/Microsoft.Storage/storageAccounts/telemetry"
    ),
    "type": "Microsoft.Storage/storageAccounts",
    "name": "telemetry",
    "location": "westeurope",
    "properties": {"supportsHttpsTrafficOnly": False},
}
UPLOAD_EXAMPLES = {"a file": {"value": {"name": "estate.jsonl.gz"}}}
COMPLETION_EXAMPLES = {
    "its size and digest": {
        "value": {"size": 214, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
    }
}
IMPORT_BODY_SCHEMA = {
    "requestBody": {
        "required": True,
        "description": "`az resource list` or `az graph query` JSON, pages of ARM or Resource Graph, ARM bodies, an "
        "exported template, JSON lines of any of these; plain or gzip; up to 500 MB. A deployed app accepts up to "
        "100 MB here, and larger files by `/imports/uploads`",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "examples": {"JSON lines": {"value": f"{orjson.dumps(EXAMPLE_ACCOUNT).decode()}\n"}},
            },
            "application/json": {"schema": {}, "examples": {"az resource list": {"value": [EXAMPLE_ACCOUNT]}}},
        },
    }
}


class ImportQuery(DeploymentScope):
    """The name of a file that is the body of the request, and what the file does not say itself."""

    model_config = ConfigDict(defer_build=False)

    name: str = Field(default="upload", min_length=1, max_length=255, description="the file's name")
    parameter: tuple[Annotated[str, Field(pattern=PARAMETER_PATTERN, max_length=4096)], ...] = Field(
        default=(),
        description="NAME=VALUE of a parameter of a template; repeat for more. They are kept with the import and shown",
    )


class UploadRequest(ImportOrigin):
    """A file to be uploaded."""

    name: str = Field(min_length=1, max_length=255, description="the file's name")


class Upload(Model):
    """How to upload a file: once, in time, in a request with this method, url and headers and the file as its body."""

    id: str = Field(description="the import that waits for the file")
    url: str
    method: str
    headers: Mapping[str, str]
    expires_at: AwareDatetime = Field(description="the request must begin before this")


class UploadCompletion(Model):
    """The size and digest of an uploaded file."""

    size: StrictInt = Field(ge=1, description="bytes")
    sha256: str = Field(pattern=SHA256_PATTERN, description="the SHA-256 of the file, in lower-case hexadecimal")


@router.post("/imports", status_code=202, response_model=ImportJob, openapi_extra=IMPORT_BODY_SCHEMA)
async def import_start(
    request: Request,
    caller: Authorized,
    asked: Annotated[ImportQuery, Query()],
    key: IdempotencyKeyHeader = None,
) -> Response:
    """Import an inventory: records that cannot be read are left out, and reported with their position and reason."""
    _check_kind(request)
    async with _spool(request) as (file, digest):
        idempotent = IdempotentRequest(caller, key, request_fingerprint(request, digest))
        return await idempotent.start(
            lambda new: upload.take(
                new,
                asked.name,
                _chunks(file),
                store=caller.store,
                queue=caller.ports.queue,
                origin=_origin(asked),
            ),
            "/api/v1/imports/{id}",
        )


@router.post("/imports/uploads", status_code=201, response_model=Upload)
def upload_start(
    caller: Authorized, asked: Annotated[UploadRequest, Body(openapi_examples=UPLOAD_EXAMPLES)]
) -> Response:
    """Start the upload of a large file: directly to the blob store, past the request limit of the platform."""
    origin = ImportOrigin(**asked.model_dump(exclude={"name"}, by_alias=False))
    known, grant = upload.start(caller.ports.new_id(), asked.name, store=caller.store, origin=origin)
    ours = bootstrap.address() or bootstrap.LOCAL_ADDRESS
    url = grant.url or f"{ours}/api/v1/imports/uploads/{known.id}/content"
    made = Upload(id=known.id, url=url, method=grant.method, headers=grant.headers, expires_at=grant.expires_at)
    return Response(made.model_dump_json(), 201, {"location": f"/api/v1/imports/{known.id}"}, "application/json")


@router.put(
    "/imports/uploads/{id}/content",
    status_code=204,
    response_class=Response,
    responses={401: {}},
    openapi_extra=IMPORT_BODY_SCHEMA,
)
async def upload_receive(
    request: Request, id: str, token: Annotated[str, Header(alias="x-upload-token", max_length=4096)]
) -> Response:
    """Upload a file when the url of its upload is this one; the headers of the upload are the only credentials."""
    ports: Ports = request.app.state.ports
    tenant = upload.holder(id, token, blobs=ports.blobs)
    correlation: str = request.state.correlation
    store = Store(ports.documents, ports.blobs, ports.now, Caller.system(tenant), correlation)
    async with _spool(request) as (file, _digest):
        await to_thread.run_sync(lambda: upload.receive(id, _chunks(file), store=store))
    return Response(status_code=204)


@router.post("/imports/uploads/{id}/complete", status_code=202, response_model=ImportJob)
def upload_complete(
    caller: Authorized, id: str, uploaded: Annotated[UploadCompletion, Body(openapi_examples=COMPLETION_EXAMPLES)]
) -> Response:
    """Start the import of an uploaded file; it fails when the content does not have this size and digest."""
    known = upload.complete(id, uploaded.size, uploaded.sha256, store=caller.store, queue=caller.ports.queue)
    return response.accepted(known.model_dump(mode="json"), f"/api/v1/imports/{id}")


@router.get("/imports", response_model=Page[ImportJob])
def import_list(request: Request, caller: Authorized, asked: Annotated[ImportListing, Query()]) -> Response:
    """Return the imports, latest first."""
    return response.page(request, import_job.list_(asked, store=caller.store), without=import_job.MODEL.left_out)


@router.get("/imports/{id}", response_model=ImportJob)
def import_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one import, with the first hundred records that were left out, and why."""
    return response.stored(request, import_job.get(id, store=caller.store))


@router.post("/imports/{id}/cancel", status_code=202, response_model=ImportJob)
async def import_cancel(idempotent: Idempotent, id: str) -> Response:
    """Cancel an import, or an upload that waits for its file; what was kept stays. 409 when it has already ended."""
    return await idempotent.start(
        lambda _: import_job.cancel(id, store=idempotent.caller.store), f"/api/v1/imports/{id}"
    )


def _origin(asked: ImportQuery) -> ImportOrigin:
    place = asked.model_dump(exclude={"name", "parameter"}, by_alias=False)
    try:
        return ImportOrigin(**place, parameters=dict(each.split("=", 1) for each in asked.parameter))
    except ValidationError as error:
        raise InvalidInput(describe(error.errors()[0]), path="query.parameter") from None


def _check_kind(request: Request) -> None:
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise HTTPException(415, "send the file itself as the body: `curl --data-binary @FILE`")
    if request.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        raise HTTPException(415, "send the file as it is, or as gzip")


@asynccontextmanager
async def _spool(request: Request) -> AsyncIterator[tuple[IO[bytes], bytes]]:
    """Yield the body as a file, in memory while it is small, and its digest; TooLarge as soon as that is known."""
    check_length(request.headers.get("content-length", "0"), upload.UPLOAD_BYTES)
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as file:
        async for chunk in _batch_chunks(request):
            await to_thread.run_sync(digest.update, chunk)
            await to_thread.run_sync(file.write, chunk)
            check_length(str(file.tell()), upload.UPLOAD_BYTES)
        yield file, digest.digest()


async def _batch_chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in chunks large enough to be worth a thread."""
    buffer = bytearray()
    async for chunk in request.stream():
        buffer += chunk
        if len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
