"""`cortex evaluate`: files and pipes, several policies, processes, exit codes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

CATALOG = Path(__file__).parents[2] / "catalog"
SCOPE = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers"


def account(name: str, **properties: Any) -> dict[str, Any]:
    identity = f"{SCOPE}/Microsoft.Storage/storageAccounts/{name}"
    body = {"id": identity, "name": name, "type": "Microsoft.Storage/storageAccounts", "location": "westeurope"}
    return {**body, "properties": properties} if properties else body


GOOD = account("good", supportsHttpsTrafficOnly=True)
BAD = account("bad", supportsHttpsTrafficOnly=False)
OTHER = {"id": f"{SCOPE}/Microsoft.Web/sites/w", "name": "w", "type": "Microsoft.Web/sites", "location": "eastus"}
SECURE = ("evaluate", "--policy", "storage-secure-transfer")


def lines(*bodies: Any) -> bytes:
    return "".join(json.dumps(body) + "\n" for body in bodies).encode()


def read(answer: Any) -> list[Any]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def in_order(found: Any) -> list[Any]:
    return sorted(found, key=lambda each: (each["resource"], each["policy"]))


@pytest.mark.parametrize(
    ("bodies", "code"),
    [((GOOD,), 0), ((GOOD, BAD), 3), ((OTHER,), 0), ((GOOD, {"no": "id"}), 4), (({"no": "id"},), 1), ((), 1)],
)
def test_the_exit_code_follows_the_worst_state(cortex: Any, bodies: tuple[Any, ...], code: int) -> None:
    assert cortex(*SECURE, stdin=lines(*bodies)).exit_code == code


def test_resources_that_no_policy_is_about_are_nothing_to_evaluate(cortex: Any) -> None:
    kind = "Microsoft.Resources/deployments"
    deployment = {"id": f"{SCOPE}/{kind}/d", "name": "d", "type": kind, "properties": {}}
    answer = cortex("evaluate", stdin=lines(deployment))
    assert answer.exit_code == 1
    assert str(answer.exception) == "no policy applies to the resources in the input: nothing was evaluated"
    assert cortex("evaluate", stdin=lines(deployment, {"no": "id"})).exit_code == 1


def test_a_policy_that_is_not_there_is_wrong_usage_and_names_the_near_ones(cortex: Any) -> None:
    answer = cortex("evaluate", "--policy", "storage-secure", stdin=lines(GOOD))
    words = " ".join(answer.stderr.replace("│", " ").split())
    assert answer.exit_code == 2
    assert "'storage-secure' is neither a file nor a folder" in words
    assert "did you mean 'storage-secure-transfer'?" in words
    both = cortex("evaluate", "--policy", "nowhere", "--policy", "storage-secure-transfer", stdin=lines(GOOD))
    assert (both.exit_code, both.stderr.count("left out")) == (4, 1)


def test_a_sentence_for_each_pair(cortex: Any) -> None:
    answer = cortex(*SECURE, "--resource", "-", stdin=lines(BAD, OTHER))
    first, second = answer.stdout.splitlines()
    assert first.startswith("nonCompliant Microsoft.Storage/storageAccounts/bad: Not compliant: properties.supports")
    assert second.startswith("notApplicable Microsoft.Web/sites/w: Not applicable")
    assert "2 resources, 1 policy: 1 nonCompliant, 1 notApplicable" in answer.stderr


def test_lines_in_lines_out_from_gzip(cortex: Any, tmp_path: Path) -> None:
    file = tmp_path / "estate.jsonl.gz"
    file.write_bytes(gzip.compress(lines(GOOD, BAD)))
    good, bad = read(cortex(*SECURE, "--resource", file, "--json"))
    assert good == {
        "policy": "storage-secure-transfer",
        "resource": GOOD["id"],
        "state": "compliant",
        "effect": good["effect"],
    }
    assert bad["evidence"][-1]["path"] == "properties.supportsHttpsTrafficOnly"
    (full,) = read(cortex(*SECURE, "--resource", file, "--json", "--explain", "--findings-only"))
    assert full["rule"]["parts"]
    assert full["fixes"][0]["path"] == "properties.supportsHttpsTrafficOnly"


@pytest.mark.parametrize("attention", [(), ("--findings-only",)])
def test_several_policies_name_themselves(cortex: Any, attention: tuple[str, ...]) -> None:
    answer = cortex(*SECURE, "--policy", CATALOG / "policies" / "governance", *attention, stdin=lines(GOOD, BAD))
    shown = answer.stdout.splitlines()
    assert any(line.startswith("nonCompliant Microsoft.Storage/storageAccounts/bad storage-secure") for line in shown)
    assert any(line.startswith("compliant ") for line in shown) == (not attention)
    assert "2 resources, " in answer.stderr


def test_the_catalog_judges_alike_in_any_number_of_processes(cortex: Any) -> None:
    bodies = lines(*(account(f"n{at}", supportsHttpsTrafficOnly=at % 3 == 0) for at in range(450)))
    options = ("evaluate", "--policy", "catalog", "--json")
    one = cortex(*options, stdin=bodies)
    two = cortex(*options, "--jobs", 2, stdin=bodies)
    assert len(read(one)) > 450
    assert {each["assignment"].rpartition("/")[2] for each in read(one)} == {"security-baseline"}
    assert two.stdout == one.stdout
    assert (one.exit_code, two.exit_code) == (3, 3)
    attention = cortex(*options, "--findings-only", stdin=bodies)
    assert in_order(read(attention)) == in_order(each for each in read(one) if each["state"] != "compliant")
    assert attention.stderr == one.stderr


def test_every_version_of_a_resource_is_judged_and_each_broken_line_reported(cortex: Any) -> None:
    stdin = lines(BAD) + b'{"id": [}\n{"no": "id"}\n' + lines(account("bad", supportsHttpsTrafficOnly=True))
    for jobs in (1, 2):
        answer = cortex(*SECURE, "--json", "--jobs", jobs, stdin=stdin)
        assert [each["state"] for each in read(answer)] == ["nonCompliant", "compliant"]
        assert "record 2, line 2: not JSON" in answer.stderr
        assert "record 3, line 3: there is no type" in answer.stderr
        assert "2 left out" in answer.stderr


def test_a_body_that_is_still_to_be_made_needs_no_id(cortex: Any) -> None:
    body = {name: each for name, each in BAD.items() if name != "id"}
    answer = cortex(*SECURE, stdin=lines(body))
    assert answer.stdout.startswith("nonCompliant Microsoft.Storage/storageAccounts/bad: Not compliant")
    (found,) = read(cortex(*SECURE, "--json", stdin=lines(body)))
    assert (found["resource"], found["state"]) == ("Microsoft.Storage/storageAccounts/bad", "nonCompliant")


def test_parameters_go_to_the_policies_that_declare_them(cortex: Any) -> None:
    options = ("--policy", "allowed-locations", "--parameters", '{"allowedLocations": ["northeurope"]}', "--json")
    found = {each["policy"]: each["state"] for each in read(cortex(*SECURE, *options, stdin=lines(GOOD)))}
    assert found == {"storage-secure-transfer": "compliant", "allowed-locations": "nonCompliant"}


def test_several_files_are_read_one_after_the_other(cortex: Any, tmp_path: Path) -> None:
    for name, body in (("a", GOOD), ("b", BAD)):
        (tmp_path / name).write_bytes(lines(body))
    found = read(cortex(*SECURE, "--json", "--resource", tmp_path / "a", "--resource", tmp_path / "b"))
    assert [each["state"] for each in found] == ["compliant", "nonCompliant"]


def test_unknown_aliases_are_unknown_and_named(cortex: Any, tmp_path: Path) -> None:
    rule = {"if": {"field": "Microsoft.Storage/storageAccounts/no.such", "equals": 1}, "then": {"effect": "audit"}}
    (tmp_path / "p.json").write_text(json.dumps(rule), "utf-8")
    answer = cortex("evaluate", "--policy", tmp_path / "p.json", "--json", stdin=lines(GOOD))
    (found,) = read(answer)
    assert (found["state"], answer.exit_code) == ("unknown", 4)
    assert found["missing"] == [
        {
            "part": "alias Microsoft.Storage/storageAccounts/no.such",
            "reason": "unknownAlias",
            "permission": None,
            "scope": None,
        }
    ]
    row = {"name": "Microsoft.Storage/storageAccounts/no.such", "path": "properties.such", "types": []}
    (tmp_path / "aliases.json").write_text(json.dumps([row]), "utf-8")
    options = ("evaluate", "--policy", tmp_path / "p.json", "--json", "--aliases", tmp_path / "aliases.json")
    assert read(cortex(*options, stdin=lines(account("a", such=1))))[0]["state"] == "nonCompliant"


def test_pages_that_are_missing_leave_the_answer_open(cortex: Any, tmp_path: Path) -> None:
    first, last = tmp_path / "first.json", tmp_path / "last.json"
    first.write_text(json.dumps({"value": [GOOD], "nextLink": "https://management.azure.com/next"}))
    last.write_text(json.dumps({"value": [account("also", supportsHttpsTrafficOnly=True)]}))
    alone = cortex(*SECURE, "--resource", str(first))
    assert alone.exit_code == 4
    assert "one page of a list: 1 record, and nextLink points to more" in alone.stderr
    both = cortex(*SECURE, "--resource", str(first), "--resource", str(last))
    assert (both.exit_code, "page" in both.stderr) == (0, False)


def test_a_list_without_properties_is_told_to_be_one(cortex: Any) -> None:
    answer = cortex(*SECURE, stdin=json.dumps([account("a"), account("b")]).encode())
    assert "2 of 2 resources came without properties" in answer.stderr
    assert "az graph query" in answer.stderr
    assert "without properties" not in cortex(*SECURE, stdin=lines(GOOD)).stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_record_without_properties_does_not_repeat_a_resource(cortex: Any, jobs: int) -> None:
    bare = {**GOOD, "id": GOOD["id"].replace("Storage", "storage"), "properties": None}
    answer = cortex(*SECURE, "--jobs", jobs, stdin=lines(GOOD, bare))
    assert answer.exit_code == 0
    assert len(answer.stdout.splitlines()) == 1
    assert "properties" not in answer.stderr


def test_a_resource_that_was_evaluated_without_its_properties_is_told(cortex: Any) -> None:
    answer = cortex(*SECURE, stdin=lines({**GOOD, "properties": None}, GOOD))
    assert answer.exit_code == 4
    assert f"{GOOD['id']} was evaluated before without its properties, which this record has" in answer.stderr
    assert "1 of" not in answer.stderr


def test_a_file_counts_once_by_whatever_names(cortex: Any, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(lines(GOOD))
    (tmp_path / "y.json").symlink_to(file.name)
    answer = cortex(*SECURE, "--resource", tmp_path, "--resource", file)
    assert len(answer.stdout.splitlines()) == 1


def test_flattened_output_is_told_to_be_that(cortex: Any) -> None:
    answer = cortex(
        *SECURE, stdin=lines({**account("a"), "provisioningState": "Succeeded", "enableHttpsTrafficOnly": 1})
    )
    assert "1 of 1 resources came with members at the top level that belong in properties" in answer.stderr
    assert "as `az <service> show` flattens them: use `az resource show --ids ID`" in answer.stderr


def test_a_first_page_is_told_to_be_one(cortex: Any) -> None:
    page = {"count": 1, "data": [GOOD], "skip_token": "abc", "total_records": 5}
    answer = cortex(*SECURE, stdin=json.dumps(page).encode())
    assert answer.exit_code == 4
    assert "one page of a list: 1 of 5 records" in answer.stderr


def test_a_count_of_more_members_than_azure_takes_is_told(cortex: Any, tmp_path: Path) -> None:
    counted = {"value": "[parameters('names')]", "name": "n", "where": {"value": "[current('n')]", "equals": "n7"}}
    rule = {"if": {"count": counted, "greater": 0}, "then": {"effect": "audit"}}
    parameters = {"names": {"type": "Array", "defaultValue": ["n7"]}}
    file = tmp_path / "long.json"
    file.write_text(json.dumps({"properties": {"mode": "All", "parameters": parameters, "policyRule": rule}}), "utf-8")
    plain = cortex("evaluate", "--policy", file, stdin=lines(GOOD))
    assert "documented" not in plain.stderr
    many = json.dumps({"names": [f"n{number}" for number in range(101)]})
    told = cortex("evaluate", "--policy", file, "--parameters", many, stdin=lines(GOOD))
    assert "long: the count goes through 101 members, 100 are documented; Azure may refuse it" in told.stderr
    rule["if"] = {"count": {**counted, "name": "m", "where": rule["if"]}, "greater": 0}
    file.write_text(json.dumps({"properties": {"mode": "All", "parameters": parameters, "policyRule": rule}}), "utf-8")
    few = json.dumps({"names": [f"n{number}" for number in range(20)]})
    told = cortex("evaluate", "--policy", file, "--parameters", few, stdin=lines(GOOD))
    message = "the count goes through 20 members for each of 20 around it, 100 in all are documented"
    assert f"long: {message}; Azure may refuse it" in told.stderr


def test_a_policy_that_is_named_by_a_guid_is_called_by_its_display_name(cortex: Any, tmp_path: Path) -> None:
    rule = {"if": {"field": "type", "equals": BAD["type"]}, "then": {"effect": "audit"}}
    for name in ("f0b4a01d-f65e-4a49-91e3-bf87831fb207", "plain"):
        inner = {"displayName": f"Accounts of {name[:5]}", "mode": "All", "policyRule": rule}
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "properties": inner}), "utf-8")
    told = cortex("evaluate", "--policy", tmp_path, stdin=lines(BAD)).stdout
    assert [each.split(": ")[0].split("/bad ")[1] for each in told.splitlines()] == ["Accounts of f0b4a", "plain"]
