"""The packaged catalog: read when asked, once, and errors that name the file and the part."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.error import InvalidInput

POLICY: dict[str, Any] = {
    "name": "vault-closed",
    "properties": {
        "displayName": "Vaults are closed",
        "description": "Requires vaults to be closed.",
        "metadata": {
            "version": "1.0.0",
            "category": "Vault",
            "findingTitle": "Vault is open",
            "severity": "low",
            "rationale": "Why.",
            "controls": {},
        },
    },
}
FRAMEWORK = {
    "id": "gdpr",
    "title": "GDPR",
    "version": "2016",
    "url": "https://example.com",
    "controls": [{"id": "Art.5", "title": "Principles", "family": "Principles", "responsibility": "manual"}],
}
ALIAS = {"name": "A.B/c/d", "path": "properties.d", "types": ["a.b/c"], "modifiable": False}
TYPE = {
    "type": "A.B/c",
    "apiVersion": "2024-01-01",
    "supportsTags": True,
    "supportsLocation": True,
    "resourceGraph": True,
    "permission": "A.B/c/read",
    "role": "Reader",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "policies" / "vault" / "vault-closed.json", POLICY)
    write(tmp_path / "frameworks" / "gdpr.json", FRAMEWORK)
    write(tmp_path / "aliases.json", [ALIAS])
    write(tmp_path / "resourceTypes.json", [TYPE])
    return tmp_path


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def read_all(folder: Path) -> None:
    catalog = PackagedCatalog(folder)
    catalog.policies()
    catalog.frameworks()
    catalog.aliases()
    catalog.resource_types()


def test_all_parts_of_the_catalog_are_read(folder: Path) -> None:
    catalog = PackagedCatalog(folder)
    assert [each.name for each in catalog.policies()] == ["vault-closed"]
    assert [each.id for each in catalog.frameworks()] == ["gdpr"]
    assert list(catalog.aliases()) == [ALIAS]
    assert list(catalog.resource_types()) == [TYPE]


def test_files_are_read_once_when_first_asked_for(folder: Path, tmp_path: Path) -> None:
    catalog = PackagedCatalog(tmp_path / "later")
    (tmp_path / "later").symlink_to(folder)
    first = catalog.policies()
    (folder / "policies" / "vault" / "vault-closed.json").unlink()
    assert catalog.policies() is first


def test_a_catalog_is_hashable(folder: Path) -> None:
    catalog = PackagedCatalog(folder)
    assert {catalog: 1}[catalog] == 1


def test_policies_come_by_name(folder: Path) -> None:
    write(folder / "policies" / "app" / "app-closed.json", {**POLICY, "name": "app-closed"})
    write(folder / "policies" / "web" / "web-closed.json", {**POLICY, "name": "web-closed"})
    assert [each.name for each in PackagedCatalog(folder).policies()] == ["app-closed", "vault-closed", "web-closed"]


def test_two_policies_of_one_name_are_rejected(folder: Path) -> None:
    write(folder / "policies" / "other" / "vault-closed.json", POLICY)
    with pytest.raises(InvalidInput, match=r"vault-closed\.json: the name 'vault-closed' is taken"):
        read_all(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("policies/vault/vault-closed.json", "{", "not JSON"),
        ("policies/vault/vault-closed.json", '{"a": {"b": 1, "b": 2}}', r"\$\.a: the key 'b' occurs twice"),
        ("policies/vault/vault-closed.json", [], "expected a JSON object"),
        ("policies/vault/vault-closed.json", {"name": "vault-closed"}, "'properties' is missing"),
        ("policies/vault/vault-closed.json", {**POLICY, "name": "other"}, "not named for the policy 'other'"),
        ("policies/vault/vault-closed.json", {**POLICY, "name": "No slug"}, r"\$\.name"),
        ("frameworks/gdpr.json", {**FRAMEWORK, "id": "hipaa"}, "not named for the framework 'hipaa'"),
        ("frameworks/gdpr.json", {**FRAMEWORK, "controls": [{"id": "x"}]}, r"\$\.controls\[0\]\.title"),
        ("aliases.json", {}, "expected a JSON array"),
        ("aliases.json", [ALIAS, {"name": "x"}], r"\$\[1\]\.path"),
        ("resourceTypes.json", [{**TYPE, "supportsTags": None}], r"\$\[0\]\.supportsTags"),
    ],
)
def test_errors_name_the_file_and_the_part(file: str, content: Any, message: str, folder: Path) -> None:
    write(folder / file, content)
    with pytest.raises(InvalidInput, match=message) as refused:
        read_all(folder)
    assert str(folder / file) in refused.value.message


def test_a_missing_table_is_named(folder: Path) -> None:
    (folder / "aliases.json").unlink()
    with pytest.raises(InvalidInput, match=r"aliases\.json: cannot be read"):
        PackagedCatalog(folder).aliases()


def test_an_empty_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no catalog"):
        PackagedCatalog(tmp_path).policies()
