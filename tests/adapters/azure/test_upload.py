"""What a grant is worth at a storage account: one blob, created once, for its time; signed for an identity, or by the
emulator's key.

Sources: Azure Storage, "Create a user delegation SAS", "Create a service SAS" (permission `c`), "Put Blob".
"""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient

from shared.adapters.azure.blobs import StorageBlobs
from shared.domain.error import Conflict
from shared.ports.blobs import Grant
from tests.fakes.emulator import STORAGE_KEY, Emulator, azurite_with_identity

STORAGE = Path(__file__).parents[3] / "infra" / "modules" / "storage.bicep"
NAME = "import/i1/content"
DATA = b"x" * 5_000_000
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey={STORAGE_KEY}"


class Identity:
    """A managed identity, as the emulator takes it."""

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        at = int(datetime.now(UTC).timestamp())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
            "iat": at - 60,
            "nbf": at - 60,
            "exp": at + 3600,
            "oid": "11059fcc-5514-4800-b5f8-49808b9cfab6",
            "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606",
        }
        return AccessToken(jwt.encode(claims, "k" * 32, "HS256"), at + 3600)


@pytest.fixture(scope="module")
def behind_identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with azurite_with_identity(tmp_path_factory.mktemp("azurite-identity")) as emulator:
        yield emulator


@pytest.fixture(params=["identity", "emulator's key"])
def account(request: pytest.FixtureRequest) -> Iterator[tuple[StorageBlobs, httpx2.Client]]:
    """The store, and a client that has no right of its own."""
    if request.param == "emulator's key":
        with StorageBlobs(request.getfixturevalue("storage_emulator").address) as blobs, httpx2.Client() as client:
            yield blobs, client
        return
    emulator: Emulator = request.getfixturevalue("behind_identity")
    trusted = ssl.create_default_context(cafile=emulator.options()["connection_verify"])
    with StorageBlobs("https://contoso.blob.core.windows.net", identity=Identity()) as blobs:
        blobs._service = BlobServiceClient(emulator.address, Identity(), **emulator.options())
        blobs._service.account_name = "devstoreaccount1"  # the SDK reads it from the host, where the emulator has none
        with httpx2.Client(verify=trusted) as client:
            yield blobs, client


def granted(blobs: StorageBlobs, tenant: str, **lasting: float) -> Grant:
    return blobs.grant(
        tenant=tenant, name=NAME, expires_at=datetime.now(UTC) + timedelta(**(lasting or {"minutes": 15}))
    )


def send(client: httpx2.Client, grant: Grant, data: bytes = DATA) -> int:
    assert grant.url
    return client.request(grant.method, grant.url, content=data, headers=dict(grant.headers)).status_code


@pytest.mark.emulator
def test_a_grant_creates_its_blob_once(account: tuple[StorageBlobs, httpx2.Client], tenant: str) -> None:
    blobs, client = account
    grant = granted(blobs, tenant)
    assert send(client, grant) == 201
    assert b"".join(blobs.pieces(tenant=tenant, name=NAME)) == DATA
    assert blobs.size(tenant=tenant, name=NAME) == len(DATA)
    assert send(client, grant, b"other") in {403, 409}
    without = {name: value for name, value in grant.headers.items() if name != "if-none-match"}
    assert client.put(str(grant.url), content=b"other", headers=without).status_code in {403, 409}
    assert blobs.size(tenant=tenant, name=NAME) == len(DATA)


@pytest.mark.emulator
def test_a_grant_does_nothing_else(account: tuple[StorageBlobs, httpx2.Client], tenant: str) -> None:
    blobs, client = account
    grant = granted(blobs, tenant)
    send(client, grant)
    url = str(grant.url)
    assert client.get(url).status_code == 403
    assert client.delete(url).status_code == 403
    assert client.get(url.replace(NAME, "") + "&restype=container&comp=list").status_code in {400, 403}
    other = Grant(url.replace("/i1/", "/i2/"), grant.method, grant.headers, grant.expires_at)
    assert send(client, other) == 403
    for told in ("sp=cw", "sp=rc"):
        assert send(client, Grant(url.replace("sp=c", told), grant.method, grant.headers, grant.expires_at)) == 403
    assert blobs.names(tenant=tenant, prefix="") == [NAME]


@pytest.mark.emulator
def test_a_grant_expires(account: tuple[StorageBlobs, httpx2.Client], tenant: str) -> None:
    blobs, client = account
    assert send(client, granted(blobs, tenant, seconds=-5)) == 403
    assert blobs.names(tenant=tenant, prefix="") == []


def test_a_real_accounts_key_signs_no_grant() -> None:
    with StorageBlobs(CONNECTION) as blobs:
        blobs._made = True
        with pytest.raises(Conflict, match="CORTEX_STORAGE_ACCOUNT_URL"):
            blobs.grant(tenant="t", name=NAME, expires_at=datetime.now(UTC))


def test_a_grant_names_its_beginning_within_the_span_that_the_account_allows() -> None:
    """An account whose SAS policy blocks takes no signature without a start, nor one for longer than its period."""
    told = re.search(r"sasExpirationPeriod: '(\d+)\.(\d\d):(\d\d):(\d\d)'", STORAGE.read_text(encoding="utf-8"))
    assert told
    days, hours, minutes, seconds = map(int, told.groups())
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={STORAGE_KEY};"
        "BlobEndpoint=http://127.0.0.1:1/devstoreaccount1"
    )
    with StorageBlobs(connection) as blobs:
        blobs._made = True
        query = parse_qs(urlsplit(str(granted(blobs, "t1").url)).query)
    begun, ended = (datetime.fromisoformat(query[name][0]) for name in ("st", "se"))
    assert begun < datetime.now(UTC) < ended
    assert ended - begun < timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
