"""Files of resources: folders, pipes, and files that change or cannot be read."""

import gzip
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import remark, resource_file
from cli.resource_file import ResourceFile

SECURE = ("evaluate", "--policy", "storage-secure-transfer", "--json")


def account(name: str) -> bytes:
    kind = "Microsoft.Storage/storageAccounts"
    identity = f"/subscriptions/s/resourceGroups/rg/providers/{kind}/{name}"
    body = {"id": identity, "type": kind, "name": name, "properties": {"supportsHttpsTrafficOnly": True}}
    return json.dumps(body).encode()


def names(answer: Any) -> list[str]:
    return [json.loads(each)["resource"].rpartition("/")[2] for each in answer.stdout.splitlines()]


def test_of_a_folder_the_json_files_are_read_in_their_order(cortex: Any, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.json").write_bytes(account("a"))
    (tmp_path / "deep" / "b.jsonl").write_bytes(account("b"))
    (tmp_path / "deep" / "er" / "c.json.gz").write_bytes(gzip.compress(account("c")))
    (tmp_path / "README.md").write_text("# the estate")
    (tmp_path / "deep" / "again").symlink_to(tmp_path)
    answer = cortex(*SECURE, "--resource", tmp_path)
    assert (names(answer), answer.exit_code, answer.stderr.count("left out")) == (["a", "b", "c"], 0, 0)


def test_a_bad_file_of_a_folder_is_named_and_costs_itself_alone(cortex: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(account("a"))
    (tmp_path / "b.json").write_text("[1]")
    (tmp_path / "c.json").symlink_to(tmp_path / "c.json")
    (tmp_path / "d.json").symlink_to(tmp_path / "absent")
    (tmp_path / "e.json").write_bytes(b"\0" * 500)
    (tmp_path / "f.json").write_bytes(account("f").decode().encode("utf-32"))
    answer = cortex(*SECURE, "--resource", tmp_path)
    assert (names(answer), answer.exit_code) == (["a", "f"], 4)
    assert f"{tmp_path / 'b.json'}, record 1, line 1: not an object" in answer.stderr
    assert f"{tmp_path / 'c.json'} cannot be opened" in answer.stderr
    assert f"there is no file {tmp_path / 'd.json'}" in answer.stderr
    assert "full of NUL bytes" in answer.stderr


def test_a_folder_without_json_is_told(cortex: Any, tmp_path: Path) -> None:
    answer = cortex(*SECURE, "--resource", tmp_path)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"{tmp_path} is a folder without JSON files" in answer.stderr


NOTHING = {
    "nothing": b"",
    "an empty list": b"[]",
    "Bicep": b"resource x 'Microsoft.Storage/storageAccounts@2023-01-01' = {}",
    "broken JSON": b'{"id": "x",\n "name": }',
    "a parameter file": b'{"contentVersion": "1.0.0.0", "parameters": {}}',
}


@pytest.mark.parametrize("raw", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize("within", [True, False])
def test_where_nothing_was_evaluated_the_exit_code_is_the_same(
    cortex: Any, tmp_path: Path, raw: bytes, *, within: bool
) -> None:
    (tmp_path / "a.json").write_bytes(raw)
    answer = cortex(*SECURE, "--resource", tmp_path if within else tmp_path / "a.json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "in the input: nothing was evaluated" in str(answer.exception)


@pytest.mark.parametrize("command", [(*SECURE, "--resource"), ("import", "start")], ids=["evaluate", "import"])
@pytest.mark.usefixtures("import_api")
def test_a_file_that_is_not_there_is_wrong_usage(cortex: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    answer = cortex(*command, tmp_path / "absent.json")
    assert (answer.exit_code, "there is no file" in answer.stderr) == (2, True)


def test_a_place_that_cannot_be_opened_is_refused(cortex: Any, tmp_path: Path) -> None:
    place = tmp_path / "loop"
    place.symlink_to(place)
    answer = cortex(*SECURE, "--resource", place)
    assert answer.exit_code == 1
    assert "cannot be opened" in str(answer.exception)


def test_a_pipe_is_read_as_a_file_is(cortex: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(account("a"),))
    writer.start()
    answer = cortex(*SECURE, "--resource", pipe)
    writer.join()
    assert (names(answer), answer.exit_code) == (["a"], 0)


def test_a_file_that_grows_meanwhile_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(account("a") + b"\n")
    told: list[str] = []
    records = resource_file.read_records([ResourceFile("a.json", file)], told.append)
    next(records)
    with file.open("ab") as more:
        more.write(account("b") + b"\n")
    assert len(list(records)) <= 1
    assert told == ["a.json was changed while it was read: evaluate it again"]


def test_a_file_that_is_gone_before_its_turn_is_reported(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.json").write_bytes(account(name))
    told: list[str] = []
    records = resource_file.read_records([ResourceFile("here", tmp_path)], told.append)
    next(records)
    (tmp_path / "b.json").unlink()
    assert list(records) == []
    assert told == [f"{tmp_path / 'b.json'}: there is no file {tmp_path / 'b.json'}"]


def test_of_many_remarks_the_rest_are_counted(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remark, "REMARK_LINES", 3)
    answer = cortex(*SECURE, stdin=b'{"no": "id"}\n' * 1203)
    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[3:] == [
        "0 resources, 1 policy: 1203 left out",
        "left out: 1,200 more, of 1,203 altogether",
    ]


def test_folders_of_any_size_are_read_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    for at in range(50):
        (tmp_path / f"{at:02}.json").write_bytes(account(str(at)))
    real = resource_file.open_input

    def note(place: str) -> Any:
        opened.append(place)
        return real(place)

    monkeypatch.setattr(resource_file, "open_input", note)
    records: Iterator[Any] = resource_file.read_records([ResourceFile("here", tmp_path)])
    next(records)
    assert len(opened) == 1


def test_broken_json_is_told_with_the_line_of_the_file_where_it_breaks_off(cortex: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\n" + account("a") + b'\n{"id": "x",\n "name": }\n')
    answer = cortex(*SECURE, "--resource", tmp_path / "a.json")
    (told,) = [each for each in answer.stderr.splitlines() if "left out: record" in each]
    assert told.startswith("left out: record 2, line 4: not JSON: ")
    assert told.endswith(" at column 10")
