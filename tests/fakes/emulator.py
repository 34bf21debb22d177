"""Azurite and the Cosmos DB stand-in as child processes, on ports the system chooses."""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fakes.cosmos.account import Account
from tests.fakes.cosmos.front import front

HOME = Path(__file__).parents[2] / ".cortex" / "emulators"
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


@dataclass(frozen=True)
class Cosmos:
    """Where the account answers, what a client needs besides, and the account itself, to set limits and faults."""

    address: str
    account: Account
    options: Mapping[str, Any] = field(default_factory=lambda: {"key": COSMOS_KEY})


@contextlib.contextmanager
def azurite_with_identity(folder: Path) -> Iterator[Emulator]:
    """Blobs behind https that take the token of an identity; `address` is the account's, `options` verify it.

    Azurite looks at a token's claims alone, not at its signature. Source: Azurite, "OAuth configuration".
    """
    certificate, key = certified(folder)
    command = ["azurite/dist/src/azurite.js", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    secured = ["--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    ready = r"Blob service is successfully listening at (\S+)"
    with _running([*command, *secured, *ports], ready, folder) as (blob,):
        yield Emulator(f"{blob}/devstoreaccount1", lambda: {"connection_verify": str(certificate)})


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine's own for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    at = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


@contextlib.contextmanager
def cosmos(folder: Path) -> Iterator[Cosmos]:
    """A Cosmos DB account, in memory; see `tests.fakes.cosmos` for what it does."""
    command = ["@vercel/cosmosdb-server/lib/cli.js", "--host", "127.0.0.1", "--port", "0", "--no-ssl"]
    with (
        _running(command, r"HTTP connections at (\S+:\d+)", folder) as (address,),
        front(f"http://{address}") as server,
    ):
        yield Cosmos(server.url, server.account)


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
