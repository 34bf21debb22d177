"""Options that say where the resources of a template are, and what its parameters are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.origin import read_origin

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
TEMPLATE = {
    "$schema": SCHEMA,
    "contentVersion": "1.0.0.0",
    "parameters": {"https": {"type": "bool"}},
    "resources": [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-05-01",
            "name": "stquay",
            "location": "westeurope",
            "kind": "StorageV2",
            "properties": {"supportsHttpsTrafficOnly": "[parameters('https')]"},
        }
    ],
}


@pytest.mark.parametrize(
    "written",
    [
        '{"$schema": "x", "contentVersion": "1.0.0.0", "parameters": {"a": {"value": 1}, /* note */}}',
        '{"parameters": {"a": {"value": 1}}} // end',
        '{"a": {"value": 1}}',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_parameter_file_in_any_form(tmp_path: Path, written: str, encoding: str) -> None:
    file = tmp_path / "main.parameters.json"
    file.write_text(written, encoding)
    found = read_origin([f"@{file}", "b=x=y"], subscription="s")
    assert found.parameters == {"a": {"value": 1}, "b": "x=y"}
    assert found.subscription == "s"


def test_the_later_of_two_values_holds(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text('{"a": {"value": 1}}', "utf-8")
    assert read_origin([f"@{file}", "a=2"]).parameters == {"a": "2"}
    assert read_origin(["a=2", f"@{file}"]).parameters == {"a": {"value": 1}}


@pytest.mark.parametrize(
    ("parameters", "named", "reason"),
    [
        (["a"], {}, "--parameter: NAME=VALUE or @FILE is expected, not 'a'"),
        (["=a"], {}, "--parameter: NAME=VALUE or @FILE is expected"),
        ([f"a={'x' * 70_000}"], {}, "--parameter: .*more than 65536 characters"),
        ([], {"api_version": "new"}, "--api-version: an api-version is expected, such as 2023-05-01"),
        ([], {"location": "/"}, "--location: the name of a location is expected"),
        ([], {"subscription": "/subscriptions/s"}, "--subscription: the id of a subscription is expected"),
    ],
)
def test_what_cannot_be_an_origin_is_refused_in_words(parameters: Any, named: Any, reason: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        read_origin(parameters, **named)
    assert re.search(reason, refused.value.format_message())


def test_a_wrong_origin_is_wrong_usage(cortex: Any) -> None:
    assert cortex("evaluate", "--location", "/", stdin=b"[]").exit_code == 2
    assert cortex("evaluate", "--parameter", "a", stdin=b"[]").exit_code == 2


def test_a_parameter_that_a_template_does_not_declare_is_told_once(cortex: Any, tmp_path: Path) -> None:
    file = tmp_path / "main.json"
    (declared,) = TEMPLATE["resources"]
    file.write_text(json.dumps({**TEMPLATE, "resources": [declared, {**declared, "name": "another"}]}), "utf-8")
    answer = cortex("evaluate", "--resource", file, "--parameter", "nope=1")
    assert answer.exit_code == 1, "nothing was judged"
    assert answer.stderr.count("the template declares none that is called 'nope'") == 1
    assert "2 left out" in answer.stderr


@pytest.mark.parametrize(
    ("name", "written", "reason"),
    [
        ("p.json", "[]", "is no parameter file"),
        ("p.json", '{"parameters": 1}', "is no parameter file"),
        ("main.bicepparam", "using './main.bicep'", "az bicep build-params"),
    ],
)
def test_a_file_without_parameters_is_refused(tmp_path: Path, name: str, written: str, reason: str) -> None:
    file = tmp_path / name
    file.write_text(written, "utf-8")
    with pytest.raises(typer.BadParameter, match=reason):
        read_origin([f"@{file}"])


@pytest.mark.parametrize(
    ("options", "state", "resource"),
    [
        (("--parameter", "https=false"), "nonCompliant", "Microsoft.Storage/storageAccounts/stquay"),
        (("--parameter", "https=true", "--subscription", "s", "--resource-group", "rg-quay"), "compliant", "/rg-quay/"),
        ((), "unknown", "stquay"),
    ],
)
def test_a_template_is_evaluated_before_it_is_deployed(
    cortex: Any, tmp_path: Path, options: tuple[str, ...], state: str, resource: str
) -> None:
    file = tmp_path / "main.json"
    file.write_text(json.dumps(TEMPLATE), "utf-8")
    answer = cortex("evaluate", "--policy", "storage-secure-transfer", "--resource", file, "--json", *options)
    found = json.loads(answer.stdout)
    assert found["state"] == state
    assert resource in found["resource"]
