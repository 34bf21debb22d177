"""The tenant is in everything that is stored, sent or remembered: ports, messages, cursors, caches, streams."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from shared import bootstrap
from shared.adapters.listing import PagePosition, read_cursor, write_cursor
from shared.domain.error import InvalidInput
from shared.ports.documents import Query
from shared.services.message import MessageBody

ROOT = Path(__file__).parents[2]
WITHOUT = {
    "documents.check": "tries the store itself",
    "documents.request_units": "what this process has spent, of whoever",
    "blobs.check": "tries the store itself",
    "blobs.admit": "answers the tenant that a signed grant names",
    "queue.send": "the body is a `Message`, which names the tenant",
    "queue.send_text": "puts a body back as it was",
    "queue.receive": "a queue serves all tenants; each message names its own",
    "queue.delete": "names a delivery by its receipt",
    "queue.release": "names a delivery by its receipt",
    "queue.renew": "names a delivery by its receipt",
    "queue.length": "a number over all tenants",
    "queue.check": "tries the queue itself",
    "catalog.policies": "the same for every tenant",
    "catalog.initiatives": "the same for every tenant",
    "catalog.assignments": "the same for every tenant",
    "catalog.frameworks": "the same for every tenant",
    "catalog.aliases": "the same for every tenant",
    "catalog.alias_table": "the same for every tenant",
    "catalog.resource_types": "the same for every tenant",
    "catalog.facts_digest": "the same for every tenant",
    "identity.authenticate": "answers the tenant of a token",
}
"""Port methods that name no tenant, and why they need none."""


def methods() -> Iterator[tuple[str, Any]]:
    for name, port in get_type_hints(bootstrap.Ports).items():
        if getattr(port, "_is_protocol", False):
            yield from ((f"{name}.{each}", method) for each, method in vars(port).items() if inspect.isfunction(method))


PUBLIC = {name: method for name, method in methods() if not name.partition(".")[2].startswith("_")}


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - WITHOUT.keys()))
def test_a_port_method_cannot_be_called_without_a_tenant(name: str) -> None:
    tenant = inspect.signature(PUBLIC[name]).parameters.get("tenant")
    assert tenant is not None, f"{name} names no tenant"
    assert (tenant.kind, tenant.default) == (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty)
    assert tenant.annotation in (str, "str")


def test_what_is_let_off_is_a_port_method_that_names_no_tenant() -> None:
    assert {name for name in WITHOUT if "tenant" in inspect.signature(PUBLIC[name]).parameters} == set()


def sends() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a queue's `send` outside of the adapters."""
    for path in sorted([*ROOT.glob("shared/services/**/*.py"), *ROOT.glob("functions/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "send":
                owner = node.func.value
                if (owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")).endswith("queue"):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_message_that_is_sent_names_its_tenant() -> None:
    found = dict(sends())
    assert len(found) > 10
    unnamed = [place for place, call in found.items() if not ast.unparse(call.args[1]).startswith("message.write(")]
    assert unnamed == []
    assert MessageBody.model_fields["tenant"].is_required()


def test_no_door_calls_a_store_a_queue_or_a_cloud() -> None:
    asking = re.compile(r"\.(documents|blobs|queue|inventory|control|catalog)\.\w+\(")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted(ROOT.glob("functions/**/*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if asking.search(line)
    ]
    assert found == []


def test_a_cursor_resumes_no_listing_of_another_tenant() -> None:
    cursor = write_cursor("contoso", "finding", Query(), PagePosition(None, "x"))
    assert read_cursor("contoso", "finding", Query(), cursor) == PagePosition(None, "x")
    with pytest.raises(InvalidInput):
        read_cursor("fabrikam", "finding", Query(), cursor)
