"""What a file that holds no resources seems to be, and what to run instead."""

import re
from collections.abc import Callable, Mapping

from shared.domain.resource import Json

EXPORT = '`az graph query -q "resources" --first 1000`'
_POWERSHELL = "`Get-AzResource -ExpandProperties | ConvertTo-Json -Depth 100`"
_PARAMETER_FILE = frozenset({"$schema", "contentVersion", "parameters", "metadata"})
_TOP_LEVEL = frozenset(
    [
        "apiVersion",
        "changedTime",
        "createdTime",
        "etag",
        "extendedLocation",
        "id",
        "identity",
        "kind",
        "location",
        "managedBy",
        "managedByExtended",
        "name",
        "plan",
        "provisioningState",
        "resourceGroup",
        "scale",
        "sku",
        "subscriptionId",
        "systemData",
        "tags",
        "tenantId",
        "type",
        "zones",
    ]
)
"""Members that resources have outside their properties, with those that lists of the command line add."""
_MESSAGE_CHARACTERS = 200

_BINARY: Mapping[bytes, str] = {
    b"PK\x03\x04": "a zip archive or a workbook: unpack it, or save it as JSON",
    b"%PDF": "a PDF document",
    b"\x00": "full of NUL bytes, as a download that broke off leaves it: copy it again",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or use gzip",
    b"BZh": "compressed with bzip2: unpack it, or use gzip",
    b"\xfd7zXZ": "compressed with xz: unpack it, or use gzip",
}
"""The first bytes of files that hold no text -> what they are."""
_TEXTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\s*<"), f"XML or HTML, perhaps the page of a sign-in: use {EXPORT}"),
    (re.compile(rb"(?:ERROR|WARNING): "), "a message of `az`: write only its output to the file, `az … > FILE`"),
    (
        re.compile(rb"(?:targetScope|param|var|module|using|@\w+)\b(?![^\n]*[,;\t])"),
        "Bicep: `az bicep build --file FILE` makes a template of it",
    ),
    (
        re.compile(rb'resource\s+\w+\s+\'|resource\s+"[^"]*"\s+"'),
        f"Bicep or Terraform: use the template of `az bicep build`, or {EXPORT}",
    ),
    (re.compile(rb"---|- \w+:|[\w$]+:(?: |\r?$)", re.MULTILINE), "YAML: add `--output json` to the command"),
    (re.compile(rb"[^\n]*\S {2,}\S[^\n]*\n-{2,}"), "a table: add `--output json` to the command"),
    (re.compile(rb"[^\n]*\t"), "tab-separated text: add `--output json` to the command"),
    (re.compile(rb"[^\n{}\[\]]+[,;][^\s,;]"), f"CSV, as the portal exports it, which has no properties: use {EXPORT}"),
)
"""How texts begin that are not JSON -> what they are."""


def is_binary(first: bytes) -> bool:
    """Return whether a file that begins so holds no text, so that nothing in it is worth looking for."""
    return any(map(first.startswith, _BINARY))


def seems_text(first: bytes) -> str:
    """Return what a file seems to be that begins so and not as JSON does, and what to run instead; "" if unknown."""
    binary = next((said for magic, said in _BINARY.items() if first.startswith(magic)), "")
    return binary or next((said for pattern, said in _TEXTS if pattern.match(first)), "")


def seems_record(value: Json, head: Mapping[str, Json]) -> str:
    """Return what a record seems to be that is no resource, and what to run instead; "" if unknown.

    `head` is what the file says of all its records.
    """
    if "terraform_version" in head:
        return f"a state of Terraform: use {EXPORT}"
    if not isinstance(value, Mapping):
        return ""
    return next((said for is_one, said in _RECORDS if is_one(value)), "") or _error(value) or _schema(value)


def _error(value: Mapping[str, Json]) -> str:
    """Return that a record is an error, as ARM and Resource Graph answer it."""
    error = value.get("error", value)
    if not isinstance(error, Mapping) or "code" not in error or "message" not in error:
        return ""
    said = f"{error['code']}: {error['message']}"[:_MESSAGE_CHARACTERS]
    return f"an error that Azure answered ({said}): run the command again once it is allowed"


def _schema(value: Mapping[str, Json]) -> str:
    """Return the schema that a record names, as the forms of the portal and the settings of editors do."""
    schema = value.get("$schema")
    return f"a document of the schema {schema[:_MESSAGE_CHARACTERS]}" if isinstance(schema, str) and schema else ""


def _is_policy(value: Mapping[str, Json]) -> bool:
    inner = value.get("properties")
    members = {**value, **(inner if isinstance(inner, Mapping) else {})}
    return not {"policyRule", "policyDefinitions", "policyDefinitionId", "PolicyRule"}.isdisjoint(members)


_RECORDS: tuple[tuple[Callable[[Mapping[str, Json]], bool], str], ...] = (
    (lambda value: "terraform_version" in value, f"a plan or state of Terraform: use {EXPORT}"),
    (_is_policy, "a policy: use `cortex policy lint FILE`"),
    (
        lambda value: (
            "parameters" in value
            and (value.keys() <= _PARAMETER_FILE or "deploymentparameters" in str(value.get("$schema")).lower())
            and "deploymenttemplate" not in str(value.get("$schema")).lower()
        ),
        "a parameter file: name it with `--parameter @FILE` and give its template",
    ),
    (
        lambda value: "isDefault" in value and "tenantId" in value,
        f"`az account` output, which names subscriptions and none of their resources: use {EXPORT}",
    ),
    (lambda value: "HomeTenantId" in value, f"`Get-AzSubscription` output: use {_POWERSHELL}"),
    (
        lambda value: "namespace" in value and "resourceTypes" in value,
        "`az provider list` output, which names types and no resources: name it with `--aliases`",
    ),
    (lambda value: "complianceState" in value, f"`az policy state` output, verdicts and no resources: use {EXPORT}"),
    (
        lambda value: "interactions" in value or ("Entries" in value and "Variables" in value),
        "a recording of requests: put the bodies of its answers into a file, one after the other, and take that",
    ),
    (
        lambda value: "deploymenttemplate" in str(value.get("$schema")).lower(),
        "a template that deploys nothing: it has no resources",
    ),
    (
        lambda value: isinstance(value.get("runs"), list) and "version" in value,
        f"a SARIF log, results of an analysis and no resources: use {EXPORT}",
    ),
    (lambda value: "changes" in value, "what-if output: use the template itself, with its parameters"),
    (lambda value: "configurationItems" in value, "a snapshot of AWS Config; only exports of Azure are read"),
    (
        lambda value: "type" in value and "name" in value and "id" not in value,
        f"a row of a query without the column `id`: use {EXPORT}, which gives all columns",
    ),
)
"""Signs of records that are no resources -> what they are."""


def is_flattened(body: Mapping[str, Json]) -> bool:
    """Return whether a body has no properties, but members at the top level that belong in them."""
    return "properties" not in body and not body.keys() <= _TOP_LEVEL


def without_properties(number: int, total: int, *, flattened: bool) -> str:
    """Return that resources came without properties, and what gives them; "" when none did.

    `flattened`: there are some among them whose properties are at the top level.
    """
    if not number:
        return ""
    if flattened:
        misplaced = "members at the top level that belong in properties, as `az <service> show` flattens them"
        return f"{number} of {total} resources came with {misplaced}: use `az resource show --ids ID`, or {EXPORT}"
    lists = "as `az resource list` and `Get-AzResource` leave them out"
    return f"{number} of {total} resources came without properties, {lists}: use {EXPORT}, or {_POWERSHELL}"
