"""What only the file blobs promise: where files lie, and what failures leave."""

from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from shared.adapters.local.blobs import FileBlobs
from shared.domain.error import AlreadyExists, Damaged, Unauthenticated
from shared.ports.blobs import Admission


def files(root: Path) -> list[str]:
    """All but those of the folder's own, whose names begin with a dot."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if not path.parts[0].startswith("."))


def test_files_can_be_found_by_name(tmp_path: Path) -> None:
    FileBlobs(tmp_path).put(tenant="t", name="scan/1/page.gz", data=b"x")
    assert files(tmp_path) == ["t+/scan+/1+/page.gz"]


def test_a_rejected_creation_leaves_no_file(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.create(tenant="t", name="a", data=b"1")
    with pytest.raises(AlreadyExists):
        blobs.create(tenant="t", name="a", data=b"2")
    assert files(tmp_path) == ["t+/a"]


def test_a_file_in_place_of_the_folder_is_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Damaged, match="file is not a folder"):
        FileBlobs(tmp_path / "file")


def test_an_interrupted_write_leaves_no_blob(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.put(tenant="t", name="a", data=b"1")
    (tmp_path / ".partial" / "tmpcut").write_bytes(b"hal")
    assert blobs.names(tenant="t", prefix="") == ["a"]


def test_the_token_of_a_grant_creates_only_its_blob(tmp_path: Path) -> None:
    until = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    grant = FileBlobs(tmp_path).grant(tenant="t", name="import/1/content", expires_at=until)
    (token,) = grant.headers.values()
    other = FileBlobs(tmp_path)  # another process over the same folder
    assert other.admit(token) == Admission("t", "import/1/content", until)
    assert other.names(tenant="t", prefix="") == []
    assert (tmp_path / ".upload-key").stat().st_mode & 0o077 == 0
    head, claims, signature = token.split(".")
    wrong = jwt.encode({"tenant": "t", "name": "x", "expires": until.isoformat()}, b"k" * 32, "HS256")
    unsigned = jwt.encode({"tenant": "t", "name": "x", "expires": until.isoformat()}, None, "none")
    for bad in (f"{head}.{claims}.", f"{head}.{claims[:-2]}.{signature}", wrong, unsigned, token + "é"):
        with pytest.raises(Unauthenticated):
            other.admit(bad)
