"""A file that is no inventory is refused with what it seems to be, and what to run instead."""

import json
from typing import Any

import pytest

from shared.domain.inventory import RecordError
from shared.importing import hint, record_scanner
from shared.importing.inventory_reader import InventoryReader, read_resources

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"
SCHEMAS = "https://schema.management.azure.com/schemas"


def _first_bad(text: bytes | str) -> RecordError:
    raw = text if isinstance(text, bytes) else text.encode()
    first = next(iter(read_resources([raw])))
    assert isinstance(first, RecordError)
    return first


@pytest.mark.parametrize(
    ("text", "seems"),
    [
        ("NAME,TYPE\na,b\n", "CSV, as the portal exports it"),
        ("Name;Type\n", "CSV"),
        ("Name\tType\n", "tab-separated text: add `--output json`"),
        ("Name      Location\n--------  --------\nst        westeurope\n", "a table: add `--output json`"),
        ("id: /subscriptions/s\nname: a\n", "YAML: add `--output json`"),
        ("- id: /subscriptions/s\n  name: a\n", "YAML"),
        ("---\nname: a\n", "YAML"),
        ("<!DOCTYPE html>\n<html>", "XML or HTML, perhaps the page of a sign-in"),
        ("ERROR: Please run 'az login' to setup account.\n", "a message of `az`"),
        ("param location string = 'westeurope'\n", "Bicep: `az bicep build"),
        ("resource sa 'Microsoft.Storage/storageAccounts@2023-05-01' = {\n", "Bicep or Terraform"),
        ('resource "azurerm_storage_account" "a" {\n', "Bicep or Terraform"),
        (b"PK\x03\x04\x14\x00", "a zip archive or a workbook"),
        (b"%PDF-1.7\n", "a PDF document"),
        (bytes(5000), "full of NUL bytes"),
    ],
)
def test_text_that_is_no_json(text: bytes | str, seems: str) -> None:
    assert f"this seems to be {seems}" in _first_bad(text).reason


@pytest.mark.parametrize(
    "text", ["Name,Type\na,b\nc,d\n", "id: a\nname: b\n", "resource x 'a@1' = {\n  name: 'a'\n}\n"]
)
def test_a_file_that_is_something_else_is_told_once(text: str) -> None:
    assert len(list(read_resources([text.encode()]))) == 1


def test_records_behind_a_message_are_read() -> None:
    text = "WARNING: deprecated\nand so on\n"
    told, found = read_resources([f"{text}{json.dumps({'id': ID, 'name': 'a', 'location': 'x'})}\n".encode()])
    assert isinstance(told, RecordError)
    assert not isinstance(found, RecordError)


@pytest.mark.parametrize(
    ("record", "seems"),
    [
        (
            {"error": {"code": "AuthorizationFailed", "message": "no"}},
            "an error that Azure answered (AuthorizationFailed: no)",
        ),
        ({"code": "BadRequest", "message": "Please provide below info"}, "an error that Azure answered (BadRequest"),
        ({"policyRule": {"if": {}, "then": {}}}, "a policy: use `cortex policy lint FILE`"),
        ({"properties": {"policyRule": {}, "mode": "All"}}, "a policy"),
        ({"properties": {"policyDefinitions": []}}, "a policy"),
        (
            {"$schema": f"{SCHEMAS}/2019-04-01/deploymentParameters.json#", "parameters": {"a": {"value": 1}}},
            "a parameter file: name it with `--parameter @FILE`",
        ),
        (
            {"id": "11111111-1111-1111-1111-111111111111", "isDefault": True, "tenantId": "t", "name": "n"},
            "`az account` output",
        ),
        ({"Id": "1111", "HomeTenantId": "t", "Name": "n"}, "`Get-AzSubscription` output: use `Get-AzResource"),
        ({"namespace": "Microsoft.X", "resourceTypes": []}, "`az provider list` output"),
        (
            {"id": "/subscriptions/s/providers/Microsoft.X", "namespace": "Microsoft.X", "resourceTypes": []},
            "`az provider list` output",
        ),
        ({"resourceId": ID, "complianceState": "NonCompliant"}, "`az policy state` output"),
        ({"status": "Succeeded", "changes": []}, "what-if output"),
        ({"version": "2.1.0", "runs": []}, "a SARIF log, results of an analysis and no resources: use `az graph"),
        ({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": []}, "a SARIF log"),
        ({"version": 1, "interactions": []}, "a recording of requests: put the bodies of its answers"),
        ({"Entries": [], "Variables": {}}, "a recording of requests"),
        ({"$schema": f"{SCHEMAS}/2019-04-01/deploymentTemplate.json#", "parameters": {}}, "a template that deploys"),
        (
            {"$schema": f"{SCHEMAS}/2019-04-01/deploymentParameters.json#", "contentversion": 1, "parameters": {}},
            "a parameter file",
        ),
        (
            {"$schema": f"{SCHEMAS}/0.1.2-preview/CreateUIDefinition.MultiVm.json#", "handler": "x"},
            f"a document of the schema {SCHEMAS}/0.1.2-preview/CreateUIDefinition",
        ),
        ({"name": "a", "type": "microsoft.storage/storageaccounts"}, "a row of a query without the column `id`"),
        ({"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}, "a plan or state of Terraform"),
        ({"version": 4, "terraform_version": "1.9.0", "resources": [{"type": "azurerm_x"}]}, "a state of Terraform"),
    ],
)
def test_json_that_holds_no_resources(record: Any, seems: str) -> None:
    for text in (json.dumps(record), json.dumps(record, indent=2)):
        assert f"this seems to be {seems}" in _first_bad(text).reason


def test_a_query_is_not_taken_for_a_table() -> None:
    for text in (b"let Threshold = 3;\nAzureDiagnostics\n", b"// of a week, or more\nResources"):
        assert "CSV" not in _first_bad(text).reason


def test_a_list_that_leaves_the_properties_out_is_kept_and_told() -> None:
    rows = [{"id": f"{ID}{number}", "type": "Microsoft.Storage/storageAccounts"} for number in range(3)]
    file = InventoryReader([json.dumps([*rows, {**rows[0], "id": ID, "properties": {}}]).encode()])
    while not file.ended:
        file.batch(10)
    assert file.poor.startswith("3 of 4 resources came without properties")
    assert hint.EXPORT in file.poor


def test_a_complete_list_is_not_told_to_be_poor() -> None:
    file = InventoryReader([json.dumps([{"id": ID, "type": "A.B/c", "properties": {}}]).encode()])
    assert len(file.batch(10)) == 1
    assert file.poor == ""


def test_a_file_that_is_no_text_ends_with_one_remark() -> None:
    found = list(read_resources([b"\x00" * 4000 + b"\n{}\n" * 100]))
    assert len(found) == 1


def test_json_lines_behind_a_message_of_the_shell_are_read() -> None:
    bad, good = read_resources([f'WARNING: preview\n{{"id": "{ID}", "type": "A.B/c"}}\n'.encode()])
    assert isinstance(bad, RecordError)
    assert "a message of `az`" in bad.reason
    assert not isinstance(good, RecordError)


def test_later_lines_are_not_guessed_at() -> None:
    _, *rest = record_scanner.RecordScanner(iter([b"oops\nNAME,TYPE\na,b\n"]))
    assert [piece.reason for piece in rest] == ["neither an object nor an array begins here"] * 2


def test_once_records_came_each_line_that_is_none_is_told() -> None:
    told = record_scanner.RecordScanner(iter([b"NAME,TYPE\na,b\n{}\na,b\n"]))
    assert [piece.line for piece in told] == [1, 3, 4]
