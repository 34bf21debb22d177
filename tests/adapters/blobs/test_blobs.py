"""Contract of `Blobs`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.error import AlreadyExists, InvalidInput, NotFound, Stale, TooLarge, Unauthenticated
from shared.ports.blobs import CHUNK_BYTES, Blobs

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


def test_an_absent_blob_is_not_found(blobs: Blobs, tenant: str) -> None:
    assert not blobs.exists(tenant=tenant, name="a")
    with pytest.raises(NotFound, match="a"):
        blobs.get(tenant=tenant, name="a")
    blobs.delete(tenant=tenant, name="a")
    assert blobs.names(tenant=tenant, prefix="") == []


def test_a_deleted_blob_is_gone(blobs: Blobs, tenant: str) -> None:
    blobs.put(tenant=tenant, name="a/b", data=b"1")
    assert blobs.exists(tenant=tenant, name="a/b")
    blobs.delete(tenant=tenant, name="a/b")
    assert not blobs.exists(tenant=tenant, name="a/b")
    blobs.put(tenant=tenant, name="a/b", data=b"2")
    assert blobs.get(tenant=tenant, name="a/b") == b"2"


def test_what_exists_is_not_created_again(blobs: Blobs, tenant: str) -> None:
    blobs.create(tenant=tenant, name="a", data=b"1")
    with pytest.raises(AlreadyExists, match="a"):
        blobs.create(tenant=tenant, name="a", data=b"2")
    assert blobs.get(tenant=tenant, name="a") == b"1"
    blobs.put(tenant=tenant, name="a", data=b"3")
    assert blobs.get(tenant=tenant, name="a") == b"3"


def test_different_contents_have_different_etags(blobs: Blobs, tenant: str) -> None:
    etags = [blobs.put(tenant=tenant, name="a", data=data) for data in (b"1", b"2")]
    etags.append(blobs.create(tenant=tenant, name="b", data=b"3"))
    assert len(set(etags)) == 3
    assert all(etags)


def test_a_name_can_be_the_folder_of_another(blobs: Blobs, tenant: str) -> None:
    for name in ("a", "a/b", "a/b/c"):
        blobs.put(tenant=tenant, name=name, data=name.encode())
    assert [blobs.get(tenant=tenant, name=name) for name in ("a", "a/b", "a/b/c")] == [b"a", b"a/b", b"a/b/c"]
    assert blobs.names(tenant=tenant, prefix="a") == ["a", "a/b", "a/b/c"]


def test_names_are_listed_by_prefix(blobs: Blobs, tenant: str) -> None:
    names = ["scan/1/page-2", "scan/1/page-10", "scan/1-b", "scan/10/x", "plan/1", "a.b=c@d_e", "scan/1/sub/y"]
    for name in names:
        blobs.put(tenant=tenant, name=name, data=b"")
    assert blobs.names(tenant=tenant, prefix="") == sorted(names)
    assert blobs.names(tenant=tenant, prefix="scan/1/") == ["scan/1/page-10", "scan/1/page-2", "scan/1/sub/y"]
    assert blobs.names(tenant=tenant, prefix="scan/1/pa") == ["scan/1/page-10", "scan/1/page-2"]
    assert blobs.names(tenant=tenant, prefix="scan/1") == sorted(name for name in names if name.startswith("scan/1"))
    assert blobs.names(tenant=tenant, prefix="nothing/") == []


def test_tenants_do_not_see_each_other(blobs: Blobs, tenant: str) -> None:
    blobs.put(tenant=f"{tenant}-theirs", name="a/b", data=b"theirs")
    assert not blobs.exists(tenant=tenant, name="a/b")
    assert blobs.names(tenant=tenant, prefix="") == []
    blobs.put(tenant=tenant, name="a/b", data=b"mine")
    blobs.delete(tenant=tenant, name="a/b")
    assert blobs.get(tenant=f"{tenant}-theirs", name="a/b") == b"theirs"


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_names_that_leave_the_folder_are_rejected(blobs: Blobs, tenant: str, bad: str) -> None:
    for act in (blobs.get, blobs.exists, blobs.delete):
        with pytest.raises(InvalidInput):
            act(tenant=tenant, name=bad)
    with pytest.raises(InvalidInput):
        blobs.put(tenant=tenant, name=bad, data=b"")
    with pytest.raises(InvalidInput):
        blobs.create(tenant=tenant, name=bad, data=b"")


@pytest.mark.parametrize("bad", ["../", "a/../", "/", "a//", ".x", "a/.", "a b"])
def test_prefixes_that_leave_the_folder_are_rejected(blobs: Blobs, tenant: str, bad: str) -> None:
    with pytest.raises(InvalidInput):
        blobs.names(tenant=tenant, prefix=bad)


@pytest.mark.parametrize("bad", ["", "..", "../x", "a/b", "a+"])
def test_invalid_tenant_names_are_rejected(blobs: Blobs, bad: str) -> None:
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


def test_entries_tell_size_and_time(blobs: Blobs, tenant: str) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    for name, data in (("a/b", b"123"), ("a/c", b""), ("b", b"1")):
        blobs.put(tenant=tenant, name=name, data=data)
    found = {each.name: each for each in blobs.entries(tenant=tenant, prefix="a/")}
    assert {name: each.size for name, each in found.items()} == {"a/b": 3, "a/c": 0}
    assert all(before < each.written_at < before + timedelta(minutes=5) for each in found.values())
    assert list(blobs.entries(tenant=tenant, prefix="nothing")) == []


@pytest.mark.parametrize("again", [b"1", b"2"])
def test_a_blob_is_removed_only_as_it_was_listed(blobs: Blobs, tenant: str, again: bytes) -> None:
    blobs.put(tenant=tenant, name="a", data=b"1")
    (entry,) = blobs.entries(tenant=tenant, prefix="")
    blobs.put(tenant=tenant, name="a", data=again)
    with pytest.raises(Stale):
        blobs.delete(tenant=tenant, name="a", version=entry.version)
    (entry,) = blobs.entries(tenant=tenant, prefix="")
    blobs.delete(tenant=tenant, name="a", version=entry.version)
    blobs.delete(tenant=tenant, name="a", version=entry.version)
    assert not blobs.exists(tenant=tenant, name="a")


def test_the_check_of_a_working_store_succeeds(blobs: Blobs) -> None:
    blobs.check()


def test_of_several_creations_at_once_one_succeeds(blobs: Blobs, tenant: str) -> None:
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
def test_any_two_names_are_different_blobs(blobs: Blobs, tenant: str, held: dict[str, bytes], prefix: str) -> None:
    for name in blobs.names(tenant=tenant, prefix=""):
        blobs.delete(tenant=tenant, name=name)
    for name, data in held.items():
        blobs.put(tenant=tenant, name=name, data=data)
    assert {name: blobs.get(tenant=tenant, name=name) for name in blobs.names(tenant=tenant, prefix="")} == held
    assert blobs.names(tenant=tenant, prefix=prefix) == sorted(name for name in held if name.startswith(prefix))


def test_pieces_are_written_as_they_come_and_read_in_chunks(blobs: Blobs, tenant: str) -> None:
    pieces = [bytes([number]) * 1_000_000 for number in range(10)]
    for write in (blobs.put, blobs.create):
        name = write.__name__
        assert write(tenant=tenant, name=name, data=iter(pieces))
        assert blobs.size(tenant=tenant, name=name) == 10_000_000
        read = list(blobs.pieces(tenant=tenant, name=name))
        assert b"".join(read) == b"".join(pieces)
        assert max(map(len, read)) <= CHUNK_BYTES
    assert blobs.put(tenant=tenant, name="none", data=iter(()))
    assert list(blobs.pieces(tenant=tenant, name="none")) in ([], [b""])
    assert blobs.size(tenant=tenant, name="none") == 0


def test_pieces_and_size_of_an_absent_blob_are_not_found(blobs: Blobs, tenant: str) -> None:
    with pytest.raises(NotFound, match="a"):
        next(blobs.pieces(tenant=tenant, name="a"))
    with pytest.raises(NotFound, match="a"):
        blobs.size(tenant=tenant, name="a")


def test_pieces_that_break_off_leave_no_blob(blobs: Blobs, tenant: str) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"x" * 100
        raise TooLarge("too much")

    for write in (blobs.put, blobs.create):
        with pytest.raises(TooLarge):
            write(tenant=tenant, name="a", data=breaking())
    assert not blobs.exists(tenant=tenant, name="a")


def test_a_grant_has_its_request_and_other_tokens_are_rejected(blobs: Blobs, tenant: str) -> None:
    until = datetime.now(UTC) + timedelta(minutes=15)
    grant = blobs.grant(tenant=tenant, name="import/1/content", expires_at=until)
    assert (grant.method, grant.expires_at) == ("PUT", until)
    assert grant.headers
    assert not blobs.exists(tenant=tenant, name="import/1/content")
    for bad in ("", "a.b.c", "x" * 5000):
        with pytest.raises(Unauthenticated):
            blobs.admit(bad)
