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
from tests.product.product import Json, Product

pytestmark = pytest.mark.xdist_group("product")

COMMANDS = (
    "run", "token", "estate", "import", "scan", "status", "findings", "explain", "evaluate", "remediate", "approve",
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
    told = cortex(product, name, "--help")
    assert told.code == 0
    assert f"cortex {name}" in told.out or f"{name} [OPTIONS]" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


def test_status(product: Product) -> None:
    told = cortex(product, "status")
    assert told.code == 0
    assert "% compliant" in told.out
    assert "nist-800-53-r5" in told.out
    assert cortex(product, "status", "--json").json() == product.get("/compliance/summary")


def test_findings(product: Product) -> None:
    told = cortex(product, "findings", "--severity", "high", "--limit", "3")
    assert told.code == 0
    assert told.out.startswith("3 findings")
    assert max(map(len, told.out.splitlines())) <= 80
    listed = cortex(product, "findings", "--limit", "100000", "--json").json()
    assert {each["id"] for each in listed} == {each["id"] for each in product.findings()}


def test_findings_fail_a_pipeline_that_asks_for_it(product: Product) -> None:
    assert cortex(product, "findings", "--limit", "1", "--fail-on", "low").code == 3
    assert cortex(product, "findings", "--limit", "1", "--fail-on", "high", "--severity", "low").code == 0
    wrong = cortex(product, "findings", "--fail-on", "awful")
    assert wrong.code == 2
    assert "'awful' is none of critical, high, medium, low" in " ".join(wrong.err.replace("│", " ").split())
    refused = cortex(product, "findings", "--severity", "awful")
    assert refused.code == 1
    assert "severity" in refused.err


def test_explain(product: Product, tmp_path: Path) -> None:
    cortex(product, "import", written(tmp_path / "inventory.json", account("explained", https=False)))
    (found,) = imported(product, "explained")
    told = cortex(product, "explain", found["id"])
    assert told.code == 0
    assert "observed false" in told.out
    assert "would make it right: properties.supportsHttpsTrafficOnly = true" in " ".join(told.out.split())
    assert cortex(product, "explain", found["id"], "--json").json()["finding"]["id"] == found["id"]
    unknown = cortex(product, "explain", "nothing.of-that-name")
    assert unknown.code == 1
    assert "nothing.of-that-name" in unknown.err


def test_scan(product: Product) -> None:
    told = cortex(product, "scan", "--no-collect")
    assert told.code == 0
    assert "completed" in told.out
    absent = cortex(product, "scan", "--subscription", ELSEWHERE.replace("b", "f"), "--json")
    assert (absent.code, absent.json()["status"], absent.json()["gaps"][0]["reason"]) == (2, "partial", "forbidden")
    wrong = cortex(product, "scan", "--subscription", "../../x")
    assert wrong.code == 1
    assert "a GUID is expected" in wrong.err


def test_a_fix_from_the_plan_to_the_end(product: Product) -> None:
    found = product.fixable()[0]
    planned = cortex(product, "remediate", found["id"], "--note", "a test")
    assert planned.code == 0
    assert "→" in planned.out
    name = planned.out.rpartition("cortex approve ")[2].strip()
    refused = cortex(product, "approve", name, given="n\n")
    assert refused.code == 1
    assert "Aborted" in refused.err
    assert product.get(f"/remediations/{name}")["status"] == "awaitingApproval"
    done = cortex(product, "approve", name, given="y\n")
    assert (done.code, "succeeded" in done.out) == (0, True)
    assert product.get(f"/findings/{found['id']}")["life"] == "resolved"
    again = cortex(product, "remediate", found["id"])
    assert again.code == 1
    assert "not open any more" in again.err


def test_a_fix_of_nothing(product: Product, tmp_path: Path) -> None:
    """What was only imported is not there to be changed."""
    cortex(product, "import", written(tmp_path / "inventory.json", account("elsewhere", https=False)))
    (found,) = imported(product, "elsewhere")
    told = cortex(product, "remediate", found["id"])
    assert told.code == 1
    assert "not in the connected cloud" in " ".join(told.out.split())
    assert "cortex approve" not in told.out


def test_text_of_others_is_no_markup(product: Product, tmp_path: Path) -> None:
    body = {**account("a[red]b", https=False), "tags": {"owner": "[/bold]ada[link]"}}
    file = written(tmp_path / "inventory.json", [body, {"id": "[/nonsense]"}])
    assert "record 2" in cortex(product, "import", file).out
    (found,) = imported(product, "a[red]b")
    assert "a[red]b, [/bold]ada[link]" in cortex(product, "findings", "--owner", "[/bold]ada[link]").out
    assert "a[red]b" in "".join(cortex(product, "explain", found["id"]).out.split())
    assert "a[red]b" in cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", file).out
    assert "[red]x" in cortex(product, "explain", "[red]x").err


def test_import_of_a_subscription_of_any_name(product: Product, tmp_path: Path) -> None:
    body = json.dumps(account("odd", https=False)).replace(ELSEWHERE, "{subscription-id}")
    told = cortex(product, "import", written(tmp_path / "inventory.json", body))
    assert told.code == 0, told.err
    assert product.findings(subscription="{subscription-id}", policy="storage-secure-transfer")


def test_who_asks_cannot_approve(product: Product) -> None:
    planned = cortex(product, "remediate", product.fixable()[0]["id"], "--json").json()["remediation"]
    operator = cortex(product, "token", "--role", "operator").out.strip()
    refused = cortex(product, "approve", planned["id"], "--hash", planned["planHash"], CORTEX_TOKEN=operator)
    assert refused.code == 1
    assert "approver" in refused.err


def test_token(product: Product) -> None:
    token = cortex(product, "token", "--role", "reader", "--name", "rob").out.strip()
    assert token.count(".") == 2
    assert cortex(product, "status", CORTEX_TOKEN=token).code == 0
    assert cortex(product, "scan", CORTEX_TOKEN=token).code == 1
    assert "Set CORTEX_TOKEN" in cortex(product, "status", CORTEX_TOKEN=f"{token}x").err


def test_a_product_that_is_not_there(product: Product) -> None:
    told = cortex(product, "status", CORTEX_URL="http://127.0.0.1:9")
    assert told.code == 1
    assert "cortex run" in told.err


def test_estate(product: Product) -> None:
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
        told = cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", resource)
        assert (told.code, told.out.split()[0]) == expected


def test_evaluate_stdin_by_a_policy_file(product: Product, tmp_path: Path) -> None:
    rule = {"if": {"field": "location", "equals": "[parameters('where')]"}, "then": {"effect": "deny"}}
    parameters = {"where": {"type": "String"}}
    policy = written(tmp_path / "policy.json", {"properties": {"policyRule": rule, "parameters": parameters}})
    lines = "\n".join(json.dumps(account(f"a{number}")) for number in range(3))
    asked = ("evaluate", "--policy", policy, "--resource", "-", "--json", "--parameters")
    told = cortex(product, *asked, '{"where": "westeurope"}', given=lines)
    assert told.code == 3
    assert [json.loads(line)["state"] for line in told.out.splitlines()] == ["nonCompliant"] * 3
    assert cortex(product, *asked, '{"where": "eastus"}', given=lines).code == 0


GOOD = ("--policy", "storage-secure-transfer", "--resource", "account.json")
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no such policy": (("--policy", "nothing", "--resource", "account.json"), "neither a file nor a policy"),
    "no such file": (("--policy", "storage-secure-transfer", "--resource", "nothing.json"), "there is no file"),
    "not a policy": (("--policy", "account.json", "--resource", "account.json"), "policyRule"),
    "not JSON": (("--policy", "garbage.json", "--resource", "account.json"), "not JSON"),
    "parameters": (
        ("--policy", "storage-secure-transfer", "--resource", "account.json", "--parameters", "["),
        "not JSON",
    ),
    "a list": (("--policy", "storage-secure-transfer", "--resource", "account.json", "--parameters", "[]"), "object"),
    "nothing": ((), "Missing option"),
}


@pytest.mark.parametrize("name", BAD)
def test_evaluate_says_what_is_wrong(product: Product, tmp_path: Path, name: str) -> None:
    written(tmp_path / "account.json", account("a"))
    written(tmp_path / "garbage.json", "{ not json")
    arguments, reason = BAD[name]
    paths = [str(tmp_path / each) if each.endswith(".json") else each for each in arguments]
    told = cortex(product, "evaluate", *paths)
    assert told.code in {1, 2}
    assert reason in " ".join(told.err.split())


def test_evaluate_goes_on_past_a_bad_record(product: Product, tmp_path: Path) -> None:
    lines = written(tmp_path / "lines.jsonl", f"{json.dumps(account('a'))}\n{{ not json\n{json.dumps(account('b'))}\n")
    told = cortex(product, "evaluate", "--policy", "storage-secure-transfer", "--resource", lines)
    assert told.code == 4
    assert told.out.count("compliant") == 2
    assert "left out: record 2" in told.err


# Imports


def test_import_all(product: Product, tmp_path: Path) -> None:
    bodies = [account("good"), account("bad", https=False)]
    file = tmp_path / "inventory.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, bodies)).encode()))
    told = cortex(product, "import", file)
    assert told.code == 0
    assert "2 of 2 records kept" in told.out
    assert [len(imported(product, name)) for name in ("good", "bad")] == [0, 1]


def test_import_of_a_partly_bad_file(product: Product, tmp_path: Path) -> None:
    bodies: list[Any] = [account("kept"), {"id": "nonsense"}, 7]
    told = cortex(product, "import", "--no-scan", written(tmp_path / "inventory.json", bodies))
    assert told.code == 2
    assert "1 of 3 records kept" in " ".join(told.out.split())
    assert "left out: record 2" in told.out


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x17 garbage", b"{ not json", b"\x1f\x8b broken gzip"])
def test_import_of_garbage(product: Product, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "garbage").write_bytes(content)
    told = cortex(product, "import", "--json", tmp_path / "garbage")
    assert told.code in {1, 2}
    assert told.err or told.json()["firstBad"] or told.json()["reason"]


def test_import_of_a_file_that_is_not_there(product: Product) -> None:
    told = cortex(product, "import", "/nothing.json")
    assert told.code == 2
    assert "does not exist" in " ".join(told.err.replace("│", " ").split())
