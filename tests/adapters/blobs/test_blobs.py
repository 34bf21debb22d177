"""Contract of `Blobs`."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.error import AlreadyExists, InvalidInput, NotFound
from shared.ports.blobs import Blobs

BAD_NAMES = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "./a",
    ".a",
    "a/.b",
    "a\\b",
    "a b",
    "a\0b",
    "a\n",
    "ü",
    "a+",
    "a:b",
    "%2e%2e/a",
    "x" * 513,
    "C:/a",
    "~/a",
]


def test_what_is_put_is_read(blobs: Blobs, tenant: str) -> None:
    for data in (b"", b"\x00\xff", b"x" * 300_000):
        blobs.put(tenant=tenant, name="scan/1/page-0001.ndjson.gz", data=data)
        assert blobs.get(tenant=tenant, name="scan/1/page-0001.ndjson.gz") == data


def test_absent(blobs: Blobs, tenant: str) -> None:
    assert not blobs.exists(tenant=tenant, name="a")
    with pytest.raises(NotFound, match="a"):
        blobs.get(tenant=tenant, name="a")
    blobs.delete(tenant=tenant, name="a")
    assert blobs.names(tenant=tenant, prefix="") == []


def test_delete(blobs: Blobs, tenant: str) -> None:
    blobs.put(tenant=tenant, name="a/b", data=b"1")
    assert blobs.exists(tenant=tenant, name="a/b")
    blobs.delete(tenant=tenant, name="a/b")
    assert not blobs.exists(tenant=tenant, name="a/b")
    blobs.put(tenant=tenant, name="a/b", data=b"2")
    assert blobs.get(tenant=tenant, name="a/b") == b"2"


def test_create_only_once(blobs: Blobs, tenant: str) -> None:
    blobs.create(tenant=tenant, name="a", data=b"1")
    with pytest.raises(AlreadyExists, match="a"):
        blobs.create(tenant=tenant, name="a", data=b"2")
    assert blobs.get(tenant=tenant, name="a") == b"1"
    blobs.put(tenant=tenant, name="a", data=b"3")
    assert blobs.get(tenant=tenant, name="a") == b"3"


def test_the_etag_tells_contents_apart(blobs: Blobs, tenant: str) -> None:
    etags = [blobs.put(tenant=tenant, name="a", data=data) for data in (b"1", b"2")]
    etags.append(blobs.create(tenant=tenant, name="b", data=b"3"))
    assert len(set(etags)) == 3
    assert all(etags)


def test_a_name_can_be_the_folder_of_another(blobs: Blobs, tenant: str) -> None:
    for name in ("a", "a/b", "a/b/c"):
        blobs.put(tenant=tenant, name=name, data=name.encode())
    assert [blobs.get(tenant=tenant, name=name) for name in ("a", "a/b", "a/b/c")] == [b"a", b"a/b", b"a/b/c"]
    assert blobs.names(tenant=tenant, prefix="a") == ["a", "a/b", "a/b/c"]


def test_names(blobs: Blobs, tenant: str) -> None:
    names = ["scan/1/page-2", "scan/1/page-10", "scan/1-b", "scan/10/x", "plan/1", "a.b=c@d_e", "scan/1/sub/y"]
    for name in names:
        blobs.put(tenant=tenant, name=name, data=b"")
    assert blobs.names(tenant=tenant, prefix="") == sorted(names)
    assert blobs.names(tenant=tenant, prefix="scan/1/") == ["scan/1/page-10", "scan/1/page-2", "scan/1/sub/y"]
    assert blobs.names(tenant=tenant, prefix="scan/1/pa") == ["scan/1/page-10", "scan/1/page-2"]
    assert blobs.names(tenant=tenant, prefix="scan/1") == sorted(name for name in names if name.startswith("scan/1"))
    assert blobs.names(tenant=tenant, prefix="nothing/") == []


def test_tenants_are_apart(blobs: Blobs, tenant: str) -> None:
    blobs.put(tenant=f"{tenant}-theirs", name="a/b", data=b"theirs")
    assert not blobs.exists(tenant=tenant, name="a/b")
    assert blobs.names(tenant=tenant, prefix="") == []
    blobs.put(tenant=tenant, name="a/b", data=b"mine")
    blobs.delete(tenant=tenant, name="a/b")
    assert blobs.get(tenant=f"{tenant}-theirs", name="a/b") == b"theirs"


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_names_that_could_lead_elsewhere_are_refused(blobs: Blobs, tenant: str, bad: str) -> None:
    for act in (blobs.get, blobs.exists, blobs.delete):
        with pytest.raises(InvalidInput):
            act(tenant=tenant, name=bad)
    with pytest.raises(InvalidInput):
        blobs.put(tenant=tenant, name=bad, data=b"")
    with pytest.raises(InvalidInput):
        blobs.create(tenant=tenant, name=bad, data=b"")


@pytest.mark.parametrize("bad", ["../", "a/../", "/", "a//", ".x", "a/.", "a b"])
def test_prefixes_that_could_lead_elsewhere_are_refused(blobs: Blobs, tenant: str, bad: str) -> None:
    with pytest.raises(InvalidInput):
        blobs.names(tenant=tenant, prefix=bad)


@pytest.mark.parametrize("bad", ["", "..", "../x", "a/b", "a+"])
def test_tenants_that_are_no_names_are_refused(blobs: Blobs, bad: str) -> None:
    with pytest.raises(InvalidInput):
        blobs.put(tenant=bad, name="a", data=b"")
    with pytest.raises(InvalidInput):
        blobs.names(tenant=bad, prefix="")


def test_readers_see_the_old_bytes_or_the_new_ones(blobs: Blobs, tenant: str) -> None:
    versions = [bytes([number]) * 100_000 for number in range(20)]
    blobs.put(tenant=tenant, name="a", data=versions[0])
    done = Event()

    def read() -> set[bytes]:
        seen = set()
        while not done.is_set():
            seen.add(blobs.get(tenant=tenant, name="a"))
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for version in versions:
                blobs.put(tenant=tenant, name="a", data=version)
        finally:
            done.set()
        assert all(reader.result() <= set(versions) for reader in readers)


def test_one_create_wins(blobs: Blobs, tenant: str) -> None:
    def create(number: int) -> bool:
        try:
            blobs.create(tenant=tenant, name="a", data=str(number).encode())
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert blobs.get(tenant=tenant, name="a") == str(won.index(True)).encode()


parts = st.from_regex(r"[A-Za-z0-9_=@-][A-Za-z0-9._=@-]{0,8}", fullmatch=True)
names = st.lists(parts, min_size=1, max_size=4).map("/".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.dictionaries(names, st.binary(max_size=20), max_size=6), prefix=names)
def test_any_names_are_kept_apart(blobs: Blobs, tenant: str, held: dict[str, bytes], prefix: str) -> None:
    for name in blobs.names(tenant=tenant, prefix=""):
        blobs.delete(tenant=tenant, name=name)
    for name, data in held.items():
        blobs.put(tenant=tenant, name=name, data=data)
    assert {name: blobs.get(tenant=tenant, name=name) for name in blobs.names(tenant=tenant, prefix="")} == held
    assert blobs.names(tenant=tenant, prefix=prefix) == sorted(name for name in held if name.startswith(prefix))
