"""What only the file blobs promise: where files lie, and what failures leave."""

from pathlib import Path

import pytest

from shared.adapters.local.blobs import FileBlobs
from shared.domain.error import AlreadyExists, Unavailable


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_files_can_be_found_by_name(tmp_path: Path) -> None:
    FileBlobs(tmp_path).put(tenant="t", name="scan/1/page.gz", data=b"x")
    assert files(tmp_path) == ["t+/scan+/1+/page.gz"]


def test_a_refused_create_leaves_nothing(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.create(tenant="t", name="a", data=b"1")
    with pytest.raises(AlreadyExists):
        blobs.create(tenant="t", name="a", data=b"2")
    assert files(tmp_path) == ["t+/a"]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="does not answer"):
        FileBlobs(tmp_path / "file").put(tenant="t", name="a", data=b"1")


def test_a_write_cut_short_is_not_a_blob(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.put(tenant="t", name="a", data=b"1")
    (tmp_path / ".partial" / "tmpcut").write_bytes(b"hal")
    assert blobs.names(tenant="t", prefix="") == ["a"]
