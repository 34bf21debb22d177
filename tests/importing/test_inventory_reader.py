"""Inventories are read in every form in which tools export them."""

import gzip
import io
import json
import os
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.error import TooLarge
from shared.domain.import_job import ImportOrigin
from shared.domain.inventory import RecordError
from shared.domain.resource import Resource, Unread
from shared.importing import inventory_reader
from shared.importing.inventory_reader import read_resources

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
STORAGE = "Microsoft.Storage/storageAccounts"
TYPES = [{"type": STORAGE}, {"type": f"{STORAGE}/blobServices"}]


def _id(name: str = "a") -> str:
    return f"{GROUP}/providers/{STORAGE}/{name}"


def _body(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": _id(name), "name": name, "type": STORAGE, "properties": {"x": 1}, **more}


def _read(content: Any, **options: Any) -> list[Resource | RecordError]:
    data = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    return list(read_resources(io.BytesIO(data), **options))


def _good(found: list[Resource | RecordError]) -> list[Resource]:
    assert all(isinstance(each, Resource) for each in found), found
    return [each for each in found if isinstance(each, Resource)]


def test_az_resource_list_has_no_properties() -> None:
    listed = {
        **_body(),
        "properties": None,
        "resourceGroup": "rg",
        "kind": "StorageV2",
        "managedBy": "",
        "sku": None,
        "tags": {"env": "dev"},
    }
    found = _good(_read(json.dumps([listed], indent=2)))[0]
    assert found.body == {"id": _id(), "name": "a", "type": STORAGE, "kind": "StorageV2", "tags": {"env": "dev"}}
    assert found.unread["properties"].reason == "notCollected"


@pytest.mark.parametrize(
    "page",
    [
        {"count": 2, "data": ["ROWS"], "skip_token": None, "total_records": 2},
        {"totalRecords": 2, "count": 2, "data": ["ROWS"], "facets": [], "resultTruncated": "false"},
    ],
)
def test_pages_of_resource_graph_are_read(page: dict[str, Any]) -> None:
    rows = [
        {**_body(each), "type": STORAGE.lower(), "tenantId": "t", "subscriptionId": "s", "zones": None} for each in "ab"
    ]
    for text in (json.dumps({**page, "data": rows}), json.dumps({**page, "data": rows}, indent=1)):
        found = _good(_read(text, resource_types=TYPES))
        assert [each.body for each in found] == [_body("a"), _body("b")]
        assert not found[0].unread


def test_graph_pages_one_after_the_other() -> None:
    pages = [json.dumps({"count": 1, "data": [_body(name)]}) for name in "abc"]
    assert [each.id for each in _good(_read("\n".join(pages)))] == [_id(name) for name in "abc"]


def test_a_graph_table() -> None:
    columns = [{"name": name, "type": "string"} for name in ("id", "type", "properties", "tenantId")]
    table = {"count": 2, "data": {"columns": columns, "rows": [[_id(), STORAGE, {"x": 1}, "t"], [_id("b"), STORAGE]]}}
    good, bad = _read(table)
    assert isinstance(good, Resource)
    assert good.body == {"id": _id(), "type": STORAGE, "properties": {"x": 1}}
    assert isinstance(bad, RecordError)
    assert "4 values" in bad.reason


def test_an_arm_body_is_complete_as_it_is() -> None:
    plain = {"id": f"{GROUP}/providers/Microsoft.Network/routeTables/r", "type": "Microsoft.Network/routeTables"}
    assert _good(_read({**plain, "properties": {}})) == [Resource({**plain, "properties": {}})]


@pytest.mark.parametrize("more", [{}, {"resourceGroup": "rg"}, {"minimumTlsVersion": "TLS1_0"}])
def test_of_a_body_without_properties_they_are_not_known(more: dict[str, str]) -> None:
    """Commands such as `az storage account show` flatten them; no answer of Resource Manager lacks them."""
    shown = {name: value for name, value in _body(**more).items() if name != "properties"}
    assert _good(_read(shown))[0].unread["properties"].reason == "notCollected"


@pytest.mark.parametrize("bare_first", [True, False])
def test_of_two_records_of_a_resource_the_one_with_properties_is_kept(bare_first: bool) -> None:  # noqa: FBT001 - a table
    bare = {name: value for name, value in _body().items() if name != "properties"}
    pages = [{"value": [bare]}, {"value": [_body()]}]
    data = "\n".join(map(json.dumps, pages if bare_first else pages[::-1]))
    assert [each for each in _read(data) if isinstance(each, Resource)] == [Resource(_body())]


def test_resources_without_properties_wait_for_their_bodies_in_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_reader, "BARE_RECORDS", 2)
    bare = [{"id": _id(str(at)), "type": STORAGE} for at in range(4)]
    found = _read([*bare, _body("whole"), _body("3")])
    assert [each.id.rpartition("/")[2] for each in _good(found)] == ["0", "1", "whole", "3", "2"]


def test_a_body_that_comes_later_than_its_resource_could_wait_is_given_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_reader, "BARE_RECORDS", 1)
    bare = [{"id": _id(name), "type": STORAGE} for name in "abcd"]
    text = json.dumps([*bare, *bare, *map(_body, "abcd"), *bare])
    reader = inventory_reader.InventoryReader([text.encode()])
    found: list[Any] = []
    while not reader.ended:
        found += reader.batch(1)
    assert all(isinstance(each, Resource) for each in found)
    last = {each.id: each for each in found}
    assert [each.unread for each in last.values()] == [{}] * 4
    assert (reader.kept, reader.renewed, reader.bad, reader.position) == (4, 3, 0, 7)
    assert reader.poor == "8 records without properties repeat resources of the file"


def test_an_arm_list_page() -> None:
    assert [each.id for each in _good(_read({"value": [_body("a"), _body("b")], "nextLink": "x"}))] == [
        _id("a"),
        _id("b"),
    ]


def test_json_lines_of_anything() -> None:
    lines = [_body("a"), [_body("b")], {"value": [_body("c")]}, {"data": [_body("d")]}]
    found = _good(_read("\n".join(json.dumps(line) for line in lines)))
    assert [each.id for each in found] == [_id(name) for name in "abcd"]


def test_the_products_own_form_and_other_envelopes() -> None:
    own = Resource(_body(), "2023-05-01", "2026-01-01T00:00:00Z")
    assert _good(_read(own.to_record())) == [own]
    assert _good(_read({"rid": "r1", "apiVersion": "2023-05-01", "resource": _body()})) == [
        Resource(_body(), "2023-05-01")
    ]


def test_groups_and_subscriptions_are_called_what_policies_call_them() -> None:
    group = {"id": GROUP, "name": "rg", "type": "Microsoft.Resources/resourceGroups", "properties": {}}
    scope = {"id": GROUP.partition("/resourceGroups")[0], "type": "microsoft.resources/subscriptions", "properties": {}}
    assert [each.type for each in _good(_read([group, scope]))] == [
        "Microsoft.Resources/subscriptions/resourceGroups",
        "Microsoft.Resources/subscriptions",
    ]


@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        (GROUP, "Microsoft.Resources/subscriptions/resourceGroups"),
        (f"/subscriptions/{SUBSCRIPTION}", "Microsoft.Resources/subscriptions"),
        (f"{GROUP}/providers/microsoft.storage/storageaccounts/a", STORAGE),
        (
            f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s",
            "Microsoft.Network/virtualNetworks/subnets",
        ),
    ],
)
def test_the_id_tells_the_type_where_the_body_does_not(identity: str, kind: str) -> None:
    for type_ in ({}, {"type": None}, {"type": ""}):
        (found,) = _good(_read([{"id": identity, "properties": {}, **type_}], resource_types=TYPES))
        assert found.type == kind


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (
            "subscriptions/s/providers/Microsoft.Insights/diagnosticSettings/d",
            "/subscriptions/s/providers/Microsoft.Insights/diagnosticSettings/d",
        ),
        ("/SUBSCRIPTIONS/s/RESOURCEGROUPS/rg", "/SUBSCRIPTIONS/s/RESOURCEGROUPS/rg"),
    ],
)
def test_ids_are_taken_as_providers_spell_them(written: str, kept: str) -> None:
    (found,) = _good(_read({"id": written, "properties": {}}))
    assert found.id == kept


def test_the_id_is_right_where_the_body_names_another_type() -> None:
    """As Azure SQL answers for the administrators of a server."""
    identity = f"{GROUP}/providers/Microsoft.Sql/servers/s/administrators/ActiveDirectory"
    (found,) = _good(_read({"id": identity, "type": "Microsoft.Sql/servers", "properties": {}}))
    assert found.type == "Microsoft.Sql/servers/administrators"


def test_a_subscription_is_complete_without_properties() -> None:
    body = {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "tenantId": "t", "state": "Enabled"}
    (found,) = _good(_read(body))
    assert found == Resource({**body, "type": "Microsoft.Resources/subscriptions"})


TEMPLATE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"account": {"defaultValue": "acme", "type": "String"}},
    "variables": {},
    "resources": [
        {
            "type": STORAGE,
            "apiVersion": "2023-05-01",
            "name": "[parameters('account')]",
            "location": "westeurope",
            "properties": {"minimumTlsVersion": "TLS1_2", "self": f"[resourceId('{STORAGE}', parameters('account'))]"},
            "resources": [{"type": "blobServices", "apiVersion": "2023-05-01", "name": "default", "properties": {}}],
        },
        {
            "type": f"{STORAGE}/fileServices",
            "apiVersion": "2023-05-01",
            "name": "[concat(parameters('account'), '/default')]",
            "dependsOn": [f"[resourceId('{STORAGE}', parameters('account'))]"],
            "properties": {},
        },
    ],
}


def test_an_exported_template() -> None:
    found = _good(_read(TEMPLATE, subscription=SUBSCRIPTION, resource_group="rg"))
    assert [each.id for each in found] == [
        _id("acme"),
        f"{_id('acme')}/blobServices/default",
        f"{_id('acme')}/fileServices/default",
    ]
    assert found[0].body["properties"] == {"minimumTlsVersion": "TLS1_2", "self": _id("acme")}
    assert found[0].api_version == "2023-05-01"
    assert found[1].type == f"{STORAGE}/blobServices"
    assert "dependsOn" not in found[2].body


def test_a_template_does_not_say_where_it_is_from() -> None:
    found = _read({**TEMPLATE, "resources": [{"type": STORAGE, "name": "a", "apiVersion": "1"}]})
    assert isinstance(found[0], RecordError)
    assert "name the subscription and resource group" in found[0].reason


def test_what_only_a_deployment_knows_counts_as_unread() -> None:
    properties = {"key": "[listKeys('x', '1').key]", "list": [1, "[reference('x').id]"], "plain": 1}
    source = {"type": STORAGE, "name": "a", "apiVersion": "1", "properties": properties}
    (found,) = _good(_read({**TEMPLATE, "resources": [source]}, subscription=SUBSCRIPTION, resource_group="rg"))
    why = {"key": "known after deployment: listKeys('x', '1').key", "list": "known after deployment: reference('x').id"}
    assert found.unread == {f"properties.{name}": Unread("notCollected", detail=each) for name, each in why.items()}
    assert found.body["properties"]["plain"] == 1


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"condition": "[reference('x').on]"}, "condition is known after deployment"),
    ],
)
def test_what_may_not_be_there_is_left_out(members: Any, why: str) -> None:
    source = {"type": STORAGE, "name": "a", "apiVersion": "1", **members}
    (bad,) = _read({**TEMPLATE, "resources": [source]}, subscription=SUBSCRIPTION, resource_group="rg")
    assert isinstance(bad, RecordError)
    assert why in bad.reason


@pytest.mark.parametrize(
    "name", ["[reference('x')]", "[parameters('none')]", "[concat(]", "[split(1, 2, 3)]", "a/b", 1, None]
)
def test_what_a_template_computes_in_the_cloud_is_left_out(name: Any) -> None:
    resources = [{"type": STORAGE, "name": name, "apiVersion": "1"}, TEMPLATE["resources"][1]]
    bad, good = _read({**TEMPLATE, "resources": resources}, subscription=SUBSCRIPTION, resource_group="rg")
    assert isinstance(bad, RecordError)
    assert bad.reason
    assert isinstance(good, Resource)


@pytest.mark.parametrize(
    ("record", "path", "reason"),
    [
        ("7", "$", "not an object"),
        ('"text"', "$", "not an object"),
        ("[1]", "$", "not an object"),
        ("{}", "$.id", "no id"),
        ('{"id": 7, "type": "a/b"}', "$.id", "no id"),
        ('{"id": "7", "type": "a/b"}', "$.id", "not the id of"),
        ('{"id": "/subscriptions/s", "type": 1}', "$.type", "no type"),
        ('{"id": "/subscriptions//x", "type": "a/b"}', "$.id", "not the id of"),
        ('{"id": "/subscriptions/s/providers/a.b/c/d?e", "type": "a.b/c"}', "$.id", "not the id of"),
        (f'{{"id": "{_id()}", "type": 1}}', "$.type", "no type"),
        (f'{{"id": "{_id()}", "type": "storage"}}', "$.type", "not a resource type"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "properties": []}}', "$.properties", "not an object"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "x": NaN}}', "$", "not JSON"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "x": "\\ud800"}}', "$", "not JSON"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "x": {"1" * 5_000}}}', "$", "not JSON"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "tags": {{"a": 1, "a": 2}}}}', "$.tags", "'a' occurs twice"),
        (f'{{"id": "{_id()}", "type": "{STORAGE}", "x": {"[" * 200}{"]" * 200}}}', "$", "deeper"),
        (f'{{"id": "{_id("FIRST")}", "type": "{STORAGE}", "properties": {{}}}}', "$.id", "in the file twice"),
    ],
)
def test_a_bad_record_is_left_out_with_its_position(record: str, path: str, reason: str) -> None:
    text = f"[{json.dumps(_body('first'))}, {record}, {json.dumps(_body('last'))}]"
    first, bad, last = _read(text)
    assert isinstance(first, Resource)
    assert isinstance(last, Resource)
    assert isinstance(bad, RecordError)
    assert (bad.position, bad.path) == (2, path)
    assert bad.offset == text.index(record, 1)
    assert reason in bad.reason


def test_bad_utf_8_costs_its_record_alone() -> None:
    bad = json.dumps(_body("b")).encode().replace(b'"b"', b'"\xff"', 1)
    found = _read(b"[" + json.dumps(_body()).encode() + b"," + bad + b"," + json.dumps(_body("c")).encode() + b"]")
    assert [type(each) for each in found] == [Resource, RecordError, Resource]


def test_a_file_that_ends_in_the_middle_keeps_what_came_before() -> None:
    text = json.dumps([_body(f"r{number}") for number in range(50)])
    found = _read(text[:4000])
    assert all(isinstance(each, Resource) for each in found[:-1])
    assert len(found) > 15
    last = found[-1]
    assert isinstance(last, RecordError)
    assert last.offset is not None
    assert 3800 < last.offset <= 4000
    assert "ends" in last.reason


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_gzip_and_byte_order_marks(pack: Any, mark: bytes) -> None:
    assert len(_good(_read(pack(mark + json.dumps([_body("a"), _body("b")]).encode())))) == 2


def test_gzip_that_ends_early_keeps_what_came_before() -> None:
    packed = gzip.compress(json.dumps([_body(f"r{number}") for number in range(3000)]).encode())
    found = _read(packed[: len(packed) // 2])
    assert len(found) > 1000
    assert isinstance(found[-1], RecordError)
    assert "ends too early" in found[-1].reason
    assert isinstance(found[-2], Resource)


def test_a_file_of_nothing_but_bad_records_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_reader, "BAD_RECORDS", 10)
    with pytest.raises(TooLarge, match="more than 10 bad records"):
        _read([1] * 50)


def test_a_bomb_is_refused_by_name() -> None:
    with pytest.raises(TooLarge, match="bomb"):
        _read(gzip.compress(b"[" + (b'"' + b"x" * 9000 + b'",') * 5000, compresslevel=9))


@given(st.binary(max_size=400) | st.binary(max_size=100).map(lambda data: b"\x1f\x8b\x08" + data))
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_never_crash(data: bytes) -> None:
    found = _read(data)
    assert all(isinstance(each, RecordError) for each in found)


KEYS = st.sampled_from(["id", "type", "data", "value", "resources", "columns", "rows", "name", "body", "resource"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_hostile_shapes_never_crash(value: Any) -> None:
    for options in ({}, {"subscription": "s", "resource_group": "g"}):
        found = _read(value, **options)
        assert all(isinstance(each, RecordError | Resource) for each in found)


def test_memory_does_not_grow_with_the_file() -> None:
    def stream(count: int) -> Iterator[bytes]:
        yield b'{"data": ['
        for number in range(count):
            yield (b"," if number else b"") + json.dumps(_body(f"r{number}", padding="x" * 3000)).encode()
        yield b"]}"

    def peak(count: int) -> int:
        tracemalloc.reset_peak()
        assert sum(isinstance(each, Resource) for each in read_resources(stream(count))) == count
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        small, large = peak(500), peak(5000)
    finally:
        tracemalloc.stop()
    assert large < small + 1_000_000


def _test_data() -> Path:
    folder = os.environ.get("CORTEX_TEST_DATA")
    return Path(folder) if folder else Path(__file__).parents[2].parent / "shared"


def test_real_bodies_are_read() -> None:
    path = _test_data() / "policy-cases" / "resources.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no test data at {path}")
    with path.open("rb") as file:
        found = list(read_resources(file))
    bad = [each for each in found if isinstance(each, RecordError)]
    assert len(found) == 428
    assert all("in the file twice" in each.reason for each in bad)
    assert len(bad) <= 1
    with gzip.open(path) as lines:
        bodies = [json.loads(line)["resource"] for line in lines]
    again = list(read_resources([json.dumps(bodies).encode()]))
    assert Counter(map(type, again)) == Counter(map(type, found))


def test_adjacent_lines_that_cannot_be_read_are_reported_one_by_one() -> None:
    good = [json.dumps(_body(f"r{number}")) for number in range(3)]
    lines = [good[0], "oops", '{"id": "half', '{"id": 1,}', "", "{}", good[1], "null", good[2], good[2]]
    text = "\n".join(lines) + "\n"
    found = _read(text)
    bad = [each for each in found if isinstance(each, RecordError)]
    assert [(each.position, each.line) for each in bad] == [(2, 2), (3, 3), (4, 4), (5, 6), (7, 8), (9, 10)]
    starts = [sum(len(line) + 1 for line in lines[:at]) for at in range(len(lines))]
    for each in bad:
        assert each.line is not None
        assert each.offset is not None
        assert 0 <= each.offset - starts[each.line - 1] <= len(lines[each.line - 1])
    assert [each.id for each in found if isinstance(each, Resource)] == [json.loads(each)["id"] for each in good]
    assert [each.reason for each in bad[:2]] == [
        "neither an object nor an array begins here",
        "a text lacks its closing quote, or holds a control character",
    ]


def _template(*resources: dict[str, Any]) -> dict[str, Any]:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return {"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources)}


def _deployed(name: str, **more: Any) -> dict[str, Any]:
    return {"type": STORAGE, "apiVersion": "2023-01-01", "name": name, "location": "x", **more}


@pytest.mark.parametrize("last", [0, 3])
def test_records_that_yield_nothing_are_not_the_end(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    monkeypatch.setattr(inventory_reader, "BATCH_BYTES", 5_000)
    nothing = [_deployed(f"no{number}", condition=False, tags={"note": "x" * 2_000}) for number in range(40)]
    template = _template(_deployed("first"), *nothing, *(_deployed(f"last{number}") for number in range(last)))
    file = inventory_reader.InventoryReader(
        [json.dumps(template).encode()], origin=ImportOrigin(subscription=SUBSCRIPTION, resource_group="rg")
    )
    found = []
    while not file.ended:
        found += file.batch(2)
    assert [each.body["name"] for each in _good(found)] == ["first", *(f"last{number}" for number in range(last))]
    assert (file.kept, file.read, file.incomplete_reason) == (1 + last, 41 + last, "")


def test_a_file_has_ended_only_when_its_reader_says_so() -> None:
    file = inventory_reader.InventoryReader([json.dumps(_body("a")).encode()])
    assert not file.ended
    assert len(file.batch(1)) == 1
    assert not file.ended
    assert file.incomplete_reason == "1 of an unknown number of records in the file were read"
    assert file.batch(1) == []
    assert (file.ended, file.incomplete_reason) == (True, "")


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (f"/subscriptions/{'s' * 65}/resourceGroups/rg/providers/{STORAGE}/a", "more than 64 characters"),
        (f"/subscriptions/{'s' * 300}", "more than 64 characters"),
        (f"/subscriptions/\ud800/resourceGroups/rg/providers/{STORAGE}/a", ""),
    ],
)
def test_an_id_that_no_store_takes_costs_its_own_record_alone(identity: str, reason: str) -> None:
    bodies = [_body("a"), {**_body("b"), "id": identity}, _body("c")]
    first, bad, last = _read("\n".join(json.dumps(body) for body in bodies))
    assert isinstance(first, Resource)
    assert isinstance(last, Resource)
    assert isinstance(bad, RecordError)
    assert (bad.position, bad.line) == (2, 2)
    assert reason in bad.reason


@pytest.mark.parametrize("order", [1, -1])
def test_properties_that_are_null_say_nothing_of_them(order: int) -> None:
    whole = {"id": f"{GROUP}/providers/{STORAGE}/a", "type": STORAGE, "name": "a", "properties": {"a": 1}}
    empty = {**whole, "properties": None}
    (alone,) = read_resources([json.dumps(empty).encode()])
    assert isinstance(alone, Resource)
    assert ("properties" in alone.body, list(alone.unread)) == (False, ["properties"])
    (kept,) = read_resources(["\n".join(map(json.dumps, [whole, empty][::order])).encode()])
    assert isinstance(kept, Resource)
    assert (kept.body["properties"], kept.unread) == ({"a": 1}, {})
