"""`cortex import start FOLDER`: its files are one import; a file that is not whole is one remark."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli.import_folder import join_files
from shared.domain.resource import Resource
from shared.importing.inventory_reader import read_resources

KIND = "Microsoft.Storage/storageAccounts"


def account(name: str) -> dict[str, Any]:
    identity = f"/subscriptions/s/resourceGroups/rg/providers/{KIND}/{name}"
    return {"id": identity, "type": KIND, "name": name, "properties": {"supportsHttpsTrafficOnly": True}}


GOOD = json.dumps(account("a"), indent=1).encode()
PAGE = json.dumps({"value": [account("b"), account("c")]}).encode()
BROKEN = {
    "truncated": PAGE[:-20],
    "an open text": GOOD.replace(b'"a"', b'"a'),
    "an open comment": GOOD + b"\n/* and so on",
    "binary": b"\0" * 500,
    "half of a gzip": gzip.compress(GOOD)[:-9],
    "csv": b"name,type\na,b\n",
}


def join(folder: Path, into: Path) -> tuple[list[str], list[str], Any]:
    told: list[str] = []
    joined = join_files(folder, into, told.append)
    found = read_resources(io.BytesIO(into.read_bytes()))
    return [each.body["name"] if isinstance(each, Resource) else each.reason for each in found], told, joined


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_not_whole_is_one_remark_and_costs_itself_alone(tmp_path: Path, raw: bytes) -> None:
    folder = tmp_path / "estate"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_bytes(GOOD)
    (folder / "b.json").write_bytes(raw)
    (folder / "deep" / "c.jsonl.gz").write_bytes(gzip.compress(PAGE))
    (folder / "deep" / "again").symlink_to(folder)
    kept, told, _ = join(folder, tmp_path / "joined")
    assert kept == ["a", "b", "c"]
    assert [each.startswith(f"{folder / 'b.json'}: ") for each in told] == [True]


def test_files_are_read_in_the_encoding_of_each(tmp_path: Path) -> None:
    folder = tmp_path / "estate"
    folder.mkdir()
    for number, encoding in enumerate(("utf-8-sig", "utf-16", "utf-32")):
        (folder / f"{number}.json").write_text(json.dumps(account(f"ü{number}"), ensure_ascii=False), encoding)
    assert join(folder, tmp_path / "joined")[:2] == (["ü0", "ü1", "ü2"], [])


def test_a_bad_record_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    folder = tmp_path / "estate"
    folder.mkdir()
    (folder / "a.json").write_bytes(GOOD)
    (folder / "b.json").write_bytes(b'\n\n{"no": "id"}')
    told: list[str] = []
    joined = join_files(folder, tmp_path / "joined", told.append)
    bad = [
        each for each in read_resources(io.BytesIO(joined.source.path.read_bytes())) if not isinstance(each, Resource)
    ]
    assert [joined.place(each.line) for each in bad] == [(str(folder / "b.json"), 3)]


def test_the_folder_is_sent_as_one_file_and_the_remark_settles_the_exit_code(
    cortex: Any, import_api: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(GOOD)
    assert cortex("import", "start", tmp_path, "--no-scan").exit_code == 0
    assert gzip.decompress(import_api[0].content) == GOOD + b"\n"
    assert import_api[0].url.params["name"] == f"{tmp_path.name}.json.gz"
    (tmp_path / "b.json").write_bytes(BROKEN["truncated"])
    answer = cortex("import", "start", tmp_path, "--no-scan")
    assert (answer.exit_code, answer.stderr.count("left out")) == (4, 1)
    (tmp_path / "a.json").unlink()
    asked = len(import_api)
    assert "none of its files can be read whole" in str(cortex("import", "start", tmp_path).exception)
    assert len(import_api) == asked
