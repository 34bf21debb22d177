"""Folders with a file that cannot be used: it is reported, the others are used, and the exit code says so."""

import codecs
import json
import os
from pathlib import Path
from socket import AF_UNIX, socket
from threading import Thread
from typing import Any

import pytest

from cli import input_file

RULE = {"if": {"field": "location", "notEquals": "westeurope"}, "then": {"effect": "audit"}}
GOOD = json.dumps({"properties": {"displayName": "Größe", "mode": "All", "policyRule": RULE}}, ensure_ascii=False)
RESOURCE = {
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/w",
    "type": "Microsoft.Web/sites",
    "name": "w",
    "location": "westeurope",
}
WRITTEN = {
    "utf-8": GOOD.encode(),
    "utf-8 with a mark": codecs.BOM_UTF8 + GOOD.encode(),
    "utf-16 as PowerShell writes it": codecs.BOM_UTF16_LE + GOOD.encode("utf-16-le"),
    "utf-16 the other way round": codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"),
    "utf-16 without a mark": GOOD.encode("utf-16-le"),
    "utf-16, reversed, without a mark": GOOD.encode("utf-16-be"),
    "utf-32": codecs.BOM_UTF32_LE + GOOD.encode("utf-32-le"),
    "utf-32, reversed, without a mark": GOOD.encode("utf-32-be"),
}
BROKEN = {
    "half a letter of utf-16": WRITTEN["utf-16 as PowerShell writes it"][:-1],
    "another alphabet": GOOD.encode("latin-1"),
    "not JSON": b'{"policyRule": ',
    "not a definition": b'{"properties": {"policyRule": {"if": {"field": "name", "equal": 1}, "then": {}}}}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good files around where a third goes."""
    place = tmp_path / "policies"
    place.mkdir()
    for name in ("a", "z"):
        (place / f"{name}.json").write_text(GOOD, "utf-8")
    return place


@pytest.fixture
def resource(tmp_path: Path) -> Path:
    path = tmp_path / "resource.json"
    path.write_text(json.dumps(RESOURCE), "utf-8")
    return path


@pytest.mark.parametrize("raw", WRITTEN.values(), ids=WRITTEN)
def test_files_are_read_as_editors_and_shells_write_them(cortex: Any, folder: Path, resource: Path, raw: bytes) -> None:
    (folder / "m.json").write_bytes(raw)
    linted = json.loads(cortex("policy", "lint", "--json", folder).stdout)
    assert len({each["file"] for each in linted}) == 3
    assert {each["rule"] for each in linted} == {"text-missing", "metadata-missing", "effect-fixed", "mode-all"}
    judged = cortex("evaluate", "--policy", folder, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (0, 3)
    assert cortex("policy", "fmt", folder).exit_code == 0
    assert (folder / "m.json").read_bytes() == (folder / "a.json").read_bytes()
    assert "Größe".encode() in (folder / "m.json").read_bytes()


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_used_does_not_affect_the_others(
    cortex: Any, folder: Path, resource: Path, raw: bytes
) -> None:
    (folder / "m.json").write_bytes(raw)
    lint = cortex("policy", "lint", folder)
    assert lint.exit_code == 1
    assert "m.json:1:" in lint.stdout
    assert "3 files: 1 error, " in lint.stdout
    judged = cortex("evaluate", "--policy", folder, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (4, 2)
    assert judged.stderr.count("left out") == 1
    assert "m" in judged.stderr.split("left out: ")[1]
    explained = cortex("policy", "explain", "--policy", folder, "--resource", resource)
    assert (explained.exit_code, explained.stdout.count(" on Microsoft.Web/sites/w")) == (4, 2)
    formatted = cortex("policy", "fmt", folder)
    assert formatted.exit_code == 2
    assert "2 of 3 files changed, 1 could not be formatted" in formatted.stderr
    assert (folder / "m.json").read_bytes() == raw


def test_what_cannot_be_opened_is_reported_like_any_other(cortex: Any, folder: Path) -> None:
    (folder / "m.json").symlink_to(folder / "nowhere")
    (folder / "n.json").mkdir()
    (remark,) = [
        each for each in json.loads(cortex("policy", "lint", "--json", folder).stdout) if each["level"] == "error"
    ]
    assert (remark["rule"], remark["line"]) == ("file-unreadable", 1)
    assert "No such file" in remark["message"]
    log = json.loads(cortex("policy", "lint", "--sarif", folder).stdout)["runs"][0]
    (result,) = [each for each in log["results"] if each["ruleId"] == "file-unreadable"]
    assert log["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "file-unreadable"
    assert cortex("policy", "lint", "--ignore", "file-unreadable", folder).exit_code == 0


def test_a_violation_is_worse_than_a_file_left_out(cortex: Any, folder: Path, resource: Path) -> None:
    (folder / "m.json").write_bytes(BROKEN["not JSON"])
    resource.write_text(json.dumps({**RESOURCE, "location": "eastus"}), "utf-8")
    assert cortex("evaluate", "--policy", folder, "--resource", resource).exit_code == 3


def test_where_no_policy_can_be_used_each_is_reported_and_nothing_is_judged(cortex: Any, tmp_path: Path) -> None:
    for name, raw in (("b", BROKEN["not JSON"]), ("c", BROKEN["another alphabet"])):
        (tmp_path / f"{name}.json").write_bytes(raw)
    answer = cortex("evaluate", "--policy", tmp_path, "--resource", tmp_path / "b.json")
    assert answer.stdout == ""
    assert "b.json" in str(answer.exception)
    assert "c.json" in str(answer.exception)


def test_a_file_of_resources_that_cannot_be_read_does_not_affect_the_others(
    cortex: Any, folder: Path, resource: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b broken")
    options = ("--resource", broken, "--resource", tmp_path / "absent", "--resource", resource)
    answer = cortex("evaluate", "--policy", folder / "a.json", *options)
    assert (answer.exit_code, answer.stdout.count("compliant")) == (4, 1)
    assert answer.stderr.count("left out") == 2


def test_what_powershell_calls_a_definition_is_found_by_its_name_and_id(
    cortex: Any, tmp_path: Path, resource: Path
) -> None:
    scope = "/subscriptions/s/providers/Microsoft.Authorization/policyDefinitions"
    shown = {"Name": "p", "ResourceId": f"{scope}/p", "Properties": {"Mode": "All", "PolicyRule": RULE}}
    (tmp_path / "other-name.json").write_text(json.dumps(shown), "utf-8")
    members = [{"policyDefinitionId": f"{scope}/p", "policyDefinitionReferenceId": "r"}]
    (tmp_path / "set.json").write_text(json.dumps({"name": "i", "properties": {"policyDefinitions": members}}), "utf-8")
    answer = cortex("evaluate", "--json", "--policy", tmp_path / "other-name.json", "--resource", resource)
    assert json.loads(answer.stdout)["policy"] == "p"
    both = ("--policy", tmp_path / "other-name.json", "--policy", tmp_path / "set.json")
    answer = cortex("evaluate", "--json", *both, "--resource", resource)
    assert json.loads(answer.stdout)["initiative"] == "i"


def test_a_catalog_of_aliases_may_begin_with_a_mark(cortex: Any, folder: Path, tmp_path: Path) -> None:
    row = json.dumps([{"name": "Microsoft.Web/sites/x", "path": "properties.x", "types": ["microsoft.web/sites"]}])
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "aliases").write_text(row, encoding)
        assert cortex("policy", "lint", folder, "--aliases", tmp_path / "aliases").exit_code == 0


TRUNCATED = (b'{"properties": {"displayName": "cut', b'[{"policyRule": ')


@pytest.mark.parametrize("raw", TRUNCATED)
def test_what_is_no_json_is_reported_wherever_it_is_found(cortex: Any, tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "cut.json").write_bytes(raw)
    lint = cortex("policy", "lint", tmp_path)
    assert (lint.exit_code, "1 file: 1 error" in lint.stdout) == (1, True)
    formatted = cortex("policy", "fmt", "--check", tmp_path)
    assert (formatted.exit_code, "cut.json" in formatted.stderr) == (2, True)


def test_logs_and_repeated_keys_of_what_is_no_policy_are_no_concern(cortex: Any, folder: Path) -> None:
    (folder / "requests.json").write_text('{"status": 200}\n{"status": 404}\n', "utf-8")
    (folder / "params.json").write_text('{"location": "a", "location": "b"}', "utf-8")
    assert "2 files: " in cortex("policy", "lint", folder).stdout
    (folder / "blank.json").write_text("\n", "utf-8")
    (folder / "page.json").write_text("{{ define }}", "utf-8")
    assert "2 files: " in cortex("policy", "lint", folder).stdout
    (folder / "twice.json").write_text(GOOD + GOOD, "utf-8")
    assert "3 files: 1 error" in cortex("policy", "lint", folder).stdout


def test_a_folder_without_a_policy_is_reported_and_does_not_affect_the_others(
    cortex: Any, folder: Path, resource: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "settings.json").write_text("[1]", "utf-8")
    lint = cortex("policy", "lint", empty, folder)
    assert (lint.exit_code, f"no policy is in the folder {empty}" in lint.stdout) == (1, True)
    assert "3 files: 1 error" in lint.stdout
    formatted = cortex("policy", "fmt", "--check", empty)
    assert (formatted.exit_code, "no policy is in the folder" in formatted.stderr) == (2, True)
    judged = cortex("evaluate", "--policy", folder, "--policy", empty, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (4, 2)


def test_a_folder_of_commented_files_lists_and_templates_is_read(cortex: Any, tmp_path: Path, resource: Path) -> None:
    place = tmp_path / "mixed"
    place.mkdir()
    (place / "epac.jsonc").write_text("// team\n" + GOOD, "utf-8")
    (place / "list.json").write_text(json.dumps([{"name": "one", "policyRule": RULE}, {"policyRule": RULE}]), "utf-8")
    deployed = {"type": "Microsoft.Authorization/policyDefinitions", "name": "two", "properties": {"policyRule": RULE}}
    (place / "template.json").write_text(
        json.dumps({"contentVersion": "1.0.0.0", "resources": [{**deployed, "apiVersion": "2023-04-01"}]}), "utf-8"
    )
    (place / "tsconfig.json").write_text("{// no policy\n}", "utf-8")
    linted = json.loads(cortex("policy", "lint", "--json", place).stdout)
    assert {Path(each["file"]).name for each in linted} == {"epac.jsonc", "list.json", "template.json"}
    assert {each["line"] for each in linted if each["file"].endswith("epac.jsonc")} == {2}
    judged = cortex("evaluate", "--policy", place, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (0, 4)


def test_what_cannot_be_used_is_named_by_file_and_line(cortex: Any, tmp_path: Path, resource: Path) -> None:
    bad = {"name": "5a7d3b1e-0000-4000-8000-000000000000", "properties": {"policyRule": {"if": {}, "then": {}}}}
    (tmp_path / "bad.json").write_text(json.dumps([bad], indent=1), "utf-8")
    judged = cortex("evaluate", "--policy", tmp_path / "bad.json", "--resource", resource)
    assert judged.exit_code
    shown = f"{judged.stderr}{judged.exception}"
    assert f"{tmp_path / 'bad.json'}:7: " in shown
    assert "5a7d3b1e" not in shown


PARAMETERS = {"effect": {"type": "String", "defaultValue": "audit", "allowedValues": ["audit", "disabled"]}}
OPEN_RULE = {**RULE, "then": {"effect": "[parameters('effect')]"}}


@pytest.mark.parametrize("front", ["", "azurepolicy."])
def test_a_rule_is_read_with_the_parameters_beside_it(cortex: Any, tmp_path: Path, resource: Path, front: str) -> None:
    place = tmp_path / "split"
    place.mkdir()
    (place / f"{front}rules.json").write_text(json.dumps(OPEN_RULE), "utf-8")
    (place / f"{front}parameters.json").write_text(json.dumps({"x": {"type": "Odd"}, **PARAMETERS}, indent=1), "utf-8")
    (wrong,) = [
        each for each in json.loads(cortex("policy", "lint", "--json", place).stdout) if each["level"] == "error"
    ]
    assert (Path(wrong["file"]).name, wrong["line"]) == (f"{front}parameters.json", 3)
    (place / f"{front}parameters.json").write_text(json.dumps(PARAMETERS), "utf-8")
    assert cortex("policy", "lint", place / f"{front}rules.json").exit_code == 0
    judged = cortex("evaluate", "--policy", place, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (0, 1)


def test_parameters_that_cannot_be_read_are_one_remark(cortex: Any, tmp_path: Path, resource: Path) -> None:
    place = tmp_path / "split"
    for name, raw in (("one", b"\xff\xfeb"), ("two", b"{")):
        (place / name).mkdir(parents=True)
        (place / name / "rules.json").write_text(json.dumps(OPEN_RULE), "utf-8")
        (place / name / "parameters.json").write_bytes(raw)
    (place / "good.json").write_text(GOOD, "utf-8")
    linted = json.loads(cortex("policy", "lint", "--json", place).stdout)
    assert [Path(each["file"]).name for each in linted if each["level"] == "error"] == ["parameters.json"] * 2
    judged = cortex("evaluate", "--policy", place, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (4, 1)


@pytest.mark.parametrize("bare", [True, False])
def test_in_a_folder_parts_are_left_to_the_whole(cortex: Any, tmp_path: Path, *, bare: bool) -> None:
    (tmp_path / "azurepolicy.json").write_text(json.dumps({"parameters": PARAMETERS, "policyRule": OPEN_RULE}), "utf-8")
    rule = json.dumps(OPEN_RULE if bare else {"policyRule": OPEN_RULE})
    (tmp_path / "azurepolicy.rules.json").write_text(rule, "utf-8")
    (tmp_path / "azurepolicy.parameters.json").write_text(json.dumps(PARAMETERS), "utf-8")
    assert "1 file: " in cortex("policy", "lint", tmp_path).stdout


def test_members_that_are_built_in_definitions_do_not_affect_the_others(
    cortex: Any, tmp_path: Path, resource: Path
) -> None:
    known = "/providers/Microsoft.Authorization/policyDefinitions"
    members = [
        {"policyDefinitionId": f"{known}/{name}", "policyDefinitionReferenceId": name}
        for name in ("5a7d3b1e-0000-4000-8000-000000000001", "5a7d3b1e-0000-4000-8000-000000000002", "own")
    ]
    (tmp_path / "set.json").write_text(json.dumps({"name": "i", "properties": {"policyDefinitions": members}}), "utf-8")
    (tmp_path / "own.json").write_text(GOOD, "utf-8")
    judged = cortex("evaluate", "--policy", tmp_path, "--resource", resource)
    assert (judged.exit_code, judged.stdout.count("compliant")) == (4, 1)
    assert "set.json:1: 2 members are built-in definitions without a file here, and not judged" in judged.stderr
    assert "5a7d3b1e" not in judged.stderr


def test_what_many_assignments_of_a_node_lack_is_one_remark(cortex: Any, tmp_path: Path, resource: Path) -> None:
    groups = [f"/providers/Microsoft.Management/managementGroups/{name}" for name in ("a", "b")]
    node = {"nodeName": "n", "assignment": {"name": "x", "displayName": "X"}, "scope": {"dev": groups}}
    tree = {**node, "definitionEntry": {"policySetName": "s"}, "parameterFile": "effects.csv"}
    (tmp_path / "tree.jsonc").write_text(json.dumps(tree), "utf-8")
    (tmp_path / "good.json").write_text(GOOD, "utf-8")
    judged = cortex("evaluate", "--policy", tmp_path, "--resource", resource)
    assert (judged.exit_code, judged.stderr.count("effects.csv")) == (4, 1)


@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_that_policies_are_escaped_is_said_once(cortex: Any, tmp_path: Path, resource: Path, command: str) -> None:
    place = tmp_path / "escaped"
    place.mkdir()
    rule = {**RULE, "then": {"effect": "[[parameters('effect')]"}}
    for name in ("a", "b"):
        source = {"mode": "All", "parameters": PARAMETERS, "policyRule": rule}
        (place / f"{name}.json").write_text(json.dumps(source), "utf-8")
    words = ("evaluate",) if command == "evaluate" else ("policy", "explain")
    judged = cortex(*words, "--policy", place, "--resource", resource)
    assert judged.exit_code == 0
    assert judged.stderr.count("the expressions of 2 policies are escaped with '[['") == 1


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket(AF_UNIX) as made:
        made.bind(str(path))


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = {"a named pipe": _pipe, "a socket": _socket, "a device": _device}
FOLDER_COMMANDS = {
    "evaluate --policy": ("evaluate", "--policy", "{folder}", "--resource", "{resource}"),
    "evaluate --resource": ("evaluate", "--policy", "{policy}", "--resource", "{folder}"),
    "policy lint": ("policy", "lint", "{folder}"),
    "policy fmt": ("policy", "fmt", "--check", "{folder}"),
    "policy test": ("policy", "test", "{folder}"),
    "import start": ("import", "start", "{folder}"),
}


@pytest.mark.usefixtures("import_api")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("command", FOLDER_COMMANDS)
def test_what_is_no_file_in_a_folder_is_named_and_never_opened(
    cortex: Any, resource: Path, tmp_path: Path, command: str, kind: str
) -> None:
    folder, policy = tmp_path / "f", tmp_path / "policy.json"
    folder.mkdir()
    policy.write_text(GOOD, "utf-8")
    (folder / "good.json").write_text(resource.read_text() if "resource" in command else GOOD, "utf-8")
    name = "p.yaml" if command == "policy test" else "p.json"
    SPECIAL[kind](folder / name)
    places = {"folder": folder, "resource": resource, "policy": policy}
    found = cortex(*(each.format(**places) for each in FOLDER_COMMANDS[command]))
    told = " ".join((found.stdout + found.stderr).split())
    assert f"{name} is {kind}: of a folder, only files are read" in told
    assert found.exit_code


def test_a_pipe_that_is_named_by_itself_is_read(cortex: Any, resource: Path, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "policy.json")
    writing = Thread(target=pipe.write_text, args=(GOOD, "utf-8"))
    writing.start()
    assert cortex("evaluate", "--policy", pipe, "--resource", resource).exit_code == 0
    writing.join()


@pytest.mark.parametrize(
    "arguments",
    [
        ("policy", "lint", "/dev/zero"),
        ("policy", "lint", "{folder}"),
        ("policy", "test", "{folder}/big.yaml"),
        ("policy", "fmt", "--check", "/dev/zero"),
        ("policy", "fmt", "-"),
        ("evaluate", "--policy", "/dev/zero", "--resource", "{resource}"),
        ("evaluate", "--policy", "{folder}", "--resource", "{resource}"),
        ("evaluate", "--policy", "storage-minimum-tls", "--parameters", "@/dev/zero", "--resource", "{resource}"),
        ("evaluate", "--policy", "storage-minimum-tls", "--parameter", "@/dev/zero", "--resource", "{resource}"),
    ],
    ids=" ".join,
)
def test_no_file_is_read_further_than_its_bound(
    cortex: Any, resource: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(input_file, "TEXT_FILE_BYTES", 1 << 20)
    (folder := tmp_path / "f").mkdir()
    for name in ("big.json", "big.yaml"):
        with (folder / name).open("wb") as file:
            file.truncate(1 << 40)
    found = cortex(*(each.format(folder=folder, resource=resource) for each in arguments), stdin=b" " * (2 << 20))
    told = " ".join((found.stdout + found.stderr + str(found.exception)).replace("│", " ").split())
    assert "cannot be read: it has more than 1 MB" in told
    assert found.exit_code
