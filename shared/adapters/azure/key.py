"""Keys of the Cosmos DB container: the partition and the id of a record, and the indexing policy."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.adapters.record import check_id, check_scope

_OTHER_CHARACTER = re.compile(r"[^A-Za-z0-9_.:@+,~-]")
_ID_CHARACTERS = 1000
"""Cosmos DB allows 1023 bytes of id."""


def partition(tenant: str, kind: str, group: str | None = None) -> str:
    """Return the partition key: "tenant/kind" for single documents, "tenant/kind/group" for those created together.

    None of the parts can hold a slash, so no two places share a partition.
    """
    check_scope(tenant, kind)
    if group is None:
        return f"{tenant}/{kind}"
    check_id(group, path="group")
    return f"{tenant}/{kind}/{group}"


def group_names(tenant: str, kind: str) -> str:
    """Return the partition that holds a marker for each group of a kind."""
    return f"{partition(tenant, kind)}/"


def item_id(text: str) -> str:
    """Return the id in the container: plain characters as they are, all others as "=" and their UTF-8 in hexadecimal.

    Cosmos DB puts ids into URLs, where dots, blanks and percent signs do not all survive. What gets too long becomes
    "==" and its digest. Different texts have different ids.
    """
    check_id(text)
    # '.' and '..' would be resolved as path segments.
    if not text.strip("."):
        return "=2E" * len(text)
    escaped = _OTHER_CHARACTER.sub(lambda found: "".join(f"={byte:02X}" for byte in found.group().encode()), text)
    return escaped if len(escaped) <= _ID_CHARACTERS else f"=={hashlib.sha256(text.encode()).hexdigest()}"


def indexing_policy(indexes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the container's indexing policy: only the filtered fields, because each indexed path costs request units.

    The composite indexes serve "ordered by a field, ties by id", up and down.
    Source: Azure Cosmos DB, "Indexing policies in Azure Cosmos DB".
    """
    fields = sorted({field for fields in indexes.values() for field in fields})
    # Each field by itself and as a list of members: queries filter by both.
    paths = ["/pk/?", "/key/?", *(f"/body/{field}/{part}" for field in fields for part in ("?", "[]/?"))]
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": path} for path in paths],
        "excludedPaths": [{"path": "/*"}],
        "compositeIndexes": [
            [{"path": f"/body/{field}", "order": "ascending"}, {"path": "/key", "order": "ascending"}]
            for field in fields
        ],
    }
