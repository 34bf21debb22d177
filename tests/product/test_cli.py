"""The `cortex` command against a running product, as a person or a pipeline calls it."""

import gzip
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from cli.main import main
from tests.fakes.product import Json, Product

COMMANDS = (
    "run", "sign-in", "token", "estate", "rebuild", "doctor", "completion", "status", "evaluate", "finding", "resource",
    "scan", "import", "remediation", "exemption", "policy", "assignment", "initiative", "settings",
)  # fmt: skip
ELSEWHERE = "00000000-0000-4000-8000-00000000000b"


def account(name: str, *, https: bool | None = True) -> dict[str, Any]:
    group = f"/subscriptions/{ELSEWHERE}/resourceGroups/rg"
    properties = {} if https is None else {"supportsHttpsTrafficOnly": https}
    return {
        "id": f"{group}/providers/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": "westeurope",
        "properties": properties,
    }


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def cortex(product: Product, *arguments: str | Path, given: str = "", **env: str) -> Ran:
    """Run `cortex` as its process would be; no command may show a stack."""
    out, err = StringIO(), StringIO()
    stdin = TextIOWrapper(BytesIO(given.encode()), encoding="utf-8")
    with (
        patch.dict(os.environ, {**product.env, **env}, clear=True),
        patch.object(sys, "argv", ["cortex", *map(str, arguments)]),
        patch.object(sys, "stdin", stdin),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def test_help_reads_well_in_80_columns(product: Product) -> None:
    overview = cortex(product, "--help")
    assert overview.code == 0
    for name in COMMANDS:
        assert f" {name} " in overview.out
    assert max(map(len, overview.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(product: Product, name: str) -> None:
    result = cortex(product, name, "--help")
    assert result.code == 0
    assert f"cortex {name}" in result.out or f"{name} [OPTIONS]" in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_status_shows_the_compliance_summary(product: Product) -> None:
    result = cortex(product, "status")
    assert result.code == 0
    assert "% compliant" in result.out
    assert "nist-800-53-r5" in result.out
    assert cortex(product, "status", "--json").json() == product.get("/compliance/summary")


def test_findings_are_listed_and_filtered(product: Product) -> None:
    result = cortex(product, "finding", "list", "--severity", "high", "--limit", "3")
    assert result.code == 0
    assert result.out.startswith("3 of 14 findings: 14 violations\n")
    listed = cortex(product, "finding", "list", "--limit", "100000", "--json").json()
    assert {each["id"] for each in listed} == {each["id"] for each in product.findings()}


def test_findings_fail_a_pipeline_that_asks_for_it(product: Product) -> None:
    assert cortex(product, "finding", "list", "--limit", "1", "--fail-on", "low").code == 3
    assert cortex(product, "finding", "list", "--limit", "1", "--fail-on", "high", "--severity", "low").code == 0
    wrong = cortex(product, "finding", "list", "--fail-on", "awful")
    assert wrong.code == 2
    assert "'awful' is not one of" in " ".join(wrong.err.replace("│", " ").split())
    misspelt = cortex(product, "finding", "list", "--type", "Microsoft.Storage/storageAccount", "--fail-on", "low")
    assert misspelt.code == 2
    assert "did you mean 'microsoft.storage/storageaccounts'?" in " ".join(misspelt.err.replace("│", " ").split())


def test_a_finding_is_explained(product: Product, tmp_path: Path) -> None:
    cortex(
        product,
        "import",
        "start",
        written(tmp_path / "inventory.json", account("explained", https=False)),
    )
    (found,) = imported(product, "explained")
    result = cortex(product, "finding", "explain", found["id"])
    assert result.code == 0
    told = " ".join(result.out.split())
    assert "where properties.supportsHttpsTrafficOnly is false" in told
    assert "fix set properties.supportsHttpsTrafficOnly to true" in told
    assert "· found false" in cortex(product, "finding", "explain", found["id"], "--verbose").out
    assert cortex(product, "finding", "explain", found["id"], "--json").json()["finding"]["id"] == found["id"]
    unknown = cortex(product, "finding", "explain", "nothing.of-that-name")
    assert unknown.code == 1
    assert "nothing.of-that-name" in unknown.err


def test_doctor_of_a_sound_product(product: Product) -> None:
    result = cortex(product, "doctor")
    assert result.code == 0, result.out
    lines = result.out.splitlines()
    assert lines[-1].startswith("no problems found at http://127.0.0.1:")
    for name in ("address", "token", "documents", "blobs", "queue", "subscriptions", "permissions", "queues"):
        assert any(line.startswith(f"✓ {name}") for line in lines), name
    found = cortex(product, "doctor", "--json").json()
    assert found["healthy"]
    assert product.env["CORTEX_TOKEN" if "CORTEX_TOKEN" in product.env else "CORTEX_STATE"] not in result.out


def test_a_scan_is_run_to_its_end(product: Product) -> None:
    result = cortex(product, "scan", "start", "--no-collect")
    assert result.code == 0
    assert "completed" in result.out
    absent = cortex(product, "scan", "start", "--subscription", ELSEWHERE.replace("b", "f"), "--json")
    assert (absent.code, absent.json()["status"], absent.json()["gaps"][0]["reason"]) == (1, "failed", "forbidden")
    wrong = cortex(product, "scan", "start", "--subscription", "../../x")
    assert wrong.code == 1
    assert "a GUID is expected" in wrong.err


def test_a_fix_from_the_plan_to_the_end(product: Product) -> None:
    found = product.fixable()[0]
    planned = cortex(product, "remediation", "request", found["id"], "--note", "a test")
    assert planned.code == 0
    assert "→" in planned.out
    assert found["resourceId"] in "".join(planned.out.split())
    name = planned.out.rpartition("cortex remediation approve ")[2].strip()
    refused = cortex(product, "remediation", "approve", name, given="n\n")
    assert refused.code == 1
    assert "Aborted" in refused.err
    assert product.get(f"/remediations/{name}")["status"] == "awaitingApproval"
    done = cortex(product, "remediation", "approve", name, given="y\n")
    assert (done.code, "succeeded" in done.out) == (0, True)
    assert product.get(f"/findings/{found['id']}")["status"] == "resolved"
    again = cortex(product, "remediation", "request", found["id"])
    assert again.code == 1
    assert "not open any more" in again.err


def test_a_fix_of_nothing(product: Product, tmp_path: Path) -> None:
    """What was only imported is not there to be changed."""
    cortex(
        product,
        "import",
        "start",
        written(tmp_path / "inventory.json", account("elsewhere", https=False)),
    )
    (found,) = imported(product, "elsewhere")
    result = cortex(product, "remediation", "request", found["id"])
    assert result.code == 1
    assert "or our identity has no role on it" in " ".join(result.out.split())
    assert "cortex remediation approve" not in result.out


def test_text_of_others_is_no_markup(product: Product, tmp_path: Path) -> None:
    body = {**account("a[red]b", https=False), "tags": {"owner": "[/bold]ada[link]"}}
    file = written(tmp_path / "inventory.json", [body, {"id": "[/nonsense]"}])
    assert "record 2" in cortex(product, "import", "start", file).out
    (found,) = imported(product, "a[red]b")
    listed = cortex(product, "finding", "list", "--owner", "[/bold]ada[link]").out
    assert "a[red]b" in listed
    assert "[/bold]ada[link]" in listed
    assert "a[red]b" in "".join(cortex(product, "finding", "explain", found["id"]).out.split())
    assert "a[red]b" in cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", file).out
    assert "[red]x" in cortex(product, "finding", "explain", "[red]x").err


def test_import_of_a_subscription_of_any_name(product: Product, tmp_path: Path) -> None:
    body = json.dumps(account("odd", https=False)).replace(ELSEWHERE, "{subscription-id}")
    result = cortex(product, "import", "start", written(tmp_path / "inventory.json", body))
    assert result.code == 0, result.err
    assert product.findings(subscription="{subscription-id}", policy="storage-secure-transfer")


def test_who_asks_cannot_approve(product: Product) -> None:
    planned = cortex(product, "remediation", "request", product.fixable()[0]["id"], "--json").json()["remediation"]
    operator = cortex(product, "token", "--role", "operator").out.strip()
    refused = cortex(
        product, "remediation", "approve", planned["id"], "--hash", planned["planHash"], CORTEX_TOKEN=operator
    )
    assert refused.code == 1
    assert "approver" in refused.err


def test_a_token_has_its_role(product: Product) -> None:
    token = cortex(product, "token", "--role", "reader", "--name", "rob").out.strip()
    assert token.count(".") == 2
    assert cortex(product, "status", CORTEX_TOKEN=token).code == 0
    assert cortex(product, "scan", "start", CORTEX_TOKEN=token).code == 1
    assert "Set CORTEX_TOKEN" in cortex(product, "status", CORTEX_TOKEN=f"{token}x").err


def test_a_product_that_is_not_there(product: Product) -> None:
    result = cortex(product, "status", CORTEX_URL="http://127.0.0.1:9")
    assert result.code == 1
    assert "cortex run" in result.err


def test_an_estate_is_the_same_every_time(product: Product) -> None:
    first, second = (cortex(product, "estate", "--resources", "50").out for _ in range(2))
    assert first == second
    assert sum("properties" in json.loads(line) for line in first.splitlines()) >= 50


def imported(product: Product, name: str) -> list[Json]:
    """The finding of an imported account that does not ask for HTTPS."""
    found = product.findings(subscription=ELSEWHERE, policy="storage-secure-transfer")
    return [each for each in found if each["resourceId"].endswith(f"/{name}")]


# Offline


def written(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_evaluate_a_file_by_a_policy_of_the_catalog(product: Product, tmp_path: Path) -> None:
    for https, expected in ((True, (0, "compliant")), (False, (3, "nonCompliant"))):
        resource = written(tmp_path / "account.json", account("a", https=https))
        result = cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", resource)
        assert (result.code, result.out.split()[0]) == expected


def test_evaluate_stdin_by_a_policy_file(product: Product, tmp_path: Path) -> None:
    rule = {"if": {"field": "location", "equals": "[parameters('where')]"}, "then": {"effect": "deny"}}
    parameters = {"where": {"type": "String"}}
    policy = written(tmp_path / "policy.json", {"properties": {"policyRule": rule, "parameters": parameters}})
    lines = "\n".join(json.dumps(account(f"a{number}")) for number in range(3))
    asked = ("evaluate", "--policy", policy, "--resource", "-", "--json", "--parameters")
    result = cortex(product, *asked, '{"where": "westeurope"}', given=lines)
    assert result.code == 3
    assert [json.loads(line)["state"] for line in result.out.splitlines()] == ["nonCompliant"] * 3
    assert cortex(product, *asked, '{"where": "eastus"}', given=lines).code == 0


BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no such policy": (("--policy", "nothing", "--resource", "account.json"), "neither a file nor a folder"),
    "no such file": (("--policy", "storage-secure-transfer", "--resource", "nothing.json"), "there is no file"),
    "not a policy": (("--policy", "account.json", "--resource", "account.json"), "policyRule"),
    "not JSON": (("--policy", "garbage.json", "--resource", "account.json"), "not JSON"),
    "parameters": (
        ("--policy", "storage-secure-transfer", "--resource", "account.json", "--parameters", "["),
        "not JSON",
    ),
    "a list": (("--policy", "storage-secure-transfer", "--resource", "account.json", "--parameters", "[]"), "object"),
    "nothing": ((), "there are no resources in the input: nothing was evaluated"),
}


@pytest.mark.parametrize("name", BAD)
def test_evaluate_says_what_is_wrong(product: Product, tmp_path: Path, name: str) -> None:
    written(tmp_path / "account.json", account("a"))
    written(tmp_path / "garbage.json", "{ not json")
    arguments, reason = BAD[name]
    paths = [str(tmp_path / each) if each.endswith(".json") else each for each in arguments]
    result = cortex(product, "evaluate", *paths)
    assert result.code in {1, 2}
    assert reason in " ".join(result.err.replace("│", " ").split())


def test_evaluate_goes_on_past_a_bad_record(product: Product, tmp_path: Path) -> None:
    lines = written(tmp_path / "lines.jsonl", f"{json.dumps(account('a'))}\n{{ not json\n{json.dumps(account('b'))}\n")
    result = cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", lines)
    assert result.code == 4
    assert result.out.count("compliant") == 2
    assert "left out: record 2" in result.err


# Imports


def test_a_file_is_imported_whole(product: Product, tmp_path: Path) -> None:
    bodies = [account("good"), account("bad", https=False)]
    file = tmp_path / "inventory.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, bodies)).encode()))
    result = cortex(product, "import", "start", file)
    assert result.code == 0
    assert "2 of 2 records imported" in result.out
    assert [len(imported(product, name)) for name in ("good", "bad")] == [0, 1]


def test_import_of_a_partly_bad_file(product: Product, tmp_path: Path) -> None:
    bodies: list[Any] = [account("kept"), {"id": "nonsense"}, 7]
    result = cortex(product, "import", "start", "--no-scan", written(tmp_path / "inventory.json", bodies))
    assert result.code == 4
    assert "1 of 3 records imported" in " ".join(result.out.split())
    assert "left out: record 2" in result.out


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x17 garbage", b"{ not json", b"\x1f\x8b broken gzip"])
def test_import_of_garbage(product: Product, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage").write_bytes(content)
    result = cortex(product, "import", "start", "--json", tmp_path / "garbage")
    assert result.code in {1, 4}
    assert result.err or result.json()["errors"] or result.json()["reason"]


def test_import_of_a_file_that_is_not_there(product: Product) -> None:
    result = cortex(product, "import", "start", "/nothing.json")
    assert result.code == 2
    assert "there is no file /nothing.json" in result.err
