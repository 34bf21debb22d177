"""Azurite and the Cosmos DB stand-in as child processes, on ports the system chooses."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[1] / ".cortex" / "emulators"
START_SECONDS = 60

# The well-known account of every Azurite and every Cosmos emulator; it opens nothing else.
STORAGE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
COSMOS_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="


@dataclass(frozen=True)
class Emulator:
    """Where it answers, and what each new client needs besides."""

    address: str
    options: Callable[[], dict[str, Any]] = dict


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[Emulator]:
    """Blobs and queues, in memory; `address` is a connection string."""
    command = ["azurite/dist/src/azurite.js", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    ready = r"(?s)Blob service is successfully listening at (\S+).*Queue service is successfully listening at (\S+)"
    with _running([*command, *ports], ready, folder) as (blob, queue):
        account = f"AccountName=devstoreaccount1;AccountKey={STORAGE_KEY}"
        ends = f"BlobEndpoint={blob}/devstoreaccount1;QueueEndpoint={queue}/devstoreaccount1"
        yield Emulator(f"DefaultEndpointsProtocol=http;{account};{ends}")


@contextlib.contextmanager
def cosmos(folder: Path) -> Iterator[Emulator]:
    """A Cosmos DB account, in memory; `options` are for `CosmosDocuments`."""
    command = ["@vercel/cosmosdb-server/lib/cli.js", "--host", "127.0.0.1", "--port", "0", "--no-ssl"]
    with _running(command, r"HTTP connections at (\S+:\d+)", folder) as (address,):
        yield Emulator(f"http://{address}", _cosmos_options)


def mirror(address: str, database: str, indexes: Mapping[str, Sequence[str]]) -> None:
    """Make the container beforehand, filling a known gap of the stand-in: a composite index serves one direction."""
    from azure.cosmos import CosmosClient, PartitionKey  # noqa: PLC0415 - only where it is wanted

    from shared.adapters.azure.key import indexing_policy  # noqa: PLC0415 - only where it is wanted

    policy = indexing_policy(indexes)
    down = [[{**part, "order": "descending"} for part in index] for index in policy["compositeIndexes"]]
    policy["compositeIndexes"] = policy["compositeIndexes"] + down
    options = _cosmos_options()
    with CosmosClient(address, options.pop("key"), **options) as client:
        made = client.create_database_if_not_exists(database)
        made.create_container_if_not_exists("documents", PartitionKey("/pk"), indexing_policy=policy)


def _cosmos_options() -> dict[str, Any]:
    # The stand-in tells clients to find it at https://localhost, where it is not.
    return {"key": COSMOS_KEY, "enable_endpoint_discovery": False, "transport": _gap_filler()}


@contextlib.contextmanager
def _running(command: list[str], ready: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Run a Node program until the block ends; the groups of `ready` in what it prints."""
    node, program = HOME / "node", HOME / "node_modules" / command[0]
    if not node.exists() or not program.exists():
        _absent("the emulators are not installed: run scripts/emulators (it needs Node or the `emulators` group)")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([node, program, *command[1:]], cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _wait(process, log, ready)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", log: Path, ready: str) -> tuple[str, ...]:
    until = time.monotonic() + START_SECONDS
    while not (found := re.search(ready, log.read_text(errors="replace"))):
        if process.poll() is not None or time.monotonic() > until:
            _absent(f"the emulator does not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)
    return found.groups()


def _absent(why: str) -> None:
    """Skip on a developer's machine; fail where all tests have to run."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _gap_filler() -> Any:
    """The SDK's transport, filling a known gap of the stand-in: a point read of a missing item answers 500, not 404."""
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - only where it is wanted

    class GapFiller(RequestsTransport):
        def send(self, request: Any, **kwargs: Any) -> Any:
            response = super().send(request, **kwargs)
            missing = response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR and request.method == "GET"
            if missing and "/docs/" in request.url:
                response.status_code = HTTPStatus.NOT_FOUND
            return response

    return GapFiller()
