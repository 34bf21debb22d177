"""Read aliases: from the packaged catalog, a file, or a tenant's own provider listing."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.authoring.lint.subject import LintFacts
from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.json_text import Unreadable
from shared.engine import AliasCatalog
from shared.engine.alias_table import AliasTable
from shared.importing import decompression
from shared.importing.decompression import ByteSource
from shared.ports.catalog import Catalog

FILE_BYTES = 256 << 20
"""Bytes of an alias file; Azure's own listing has about 60 MB."""

FactRow = Mapping[str, Any]


def facts(rows: Iterable[FactRow], types: Iterable[FactRow] = ()) -> LintFacts:
    """Build facts from rows of aliases {name, path, types, kind?, …} and of resource types."""
    # Rows may come from a generator, and are needed twice.
    listed = list(rows)
    return LintFacts(
        aliases=AliasCatalog.from_rows(listed, types),
        kinds={row["name"].lower(): row["kind"].lower() for row in listed if row.get("kind")},
    )


def packaged(catalog: Catalog) -> LintFacts:
    """Return what the packaged catalog knows: what its policies need and, for the rest, the table of everything."""
    table = AliasTable(catalog.alias_table())
    return LintFacts(AliasCatalog.from_rows(catalog.aliases(), type_rows(catalog), table=table))


def type_rows(catalog: Catalog) -> Iterator[FactRow]:
    """Yield the packaged facts on resource types, as the engine takes them."""
    return ({**row, "hasLocations": row.get("supportsLocation")} for row in catalog.resource_types())


def facts_of_listing(listing: Any, *, as_of: str = "") -> LintFacts:  # noqa: ANN401 - any JSON
    """Build facts from a provider listing (`GET /providers?$expand=resourceTypes/aliases`) and the date it is from."""
    names = [alias for kind in kinds_of(listing) for alias in kind.get("aliases") or ()]
    held = ((alias["name"], (alias.get("defaultMetadata") or {}).get("type")) for alias in names)
    return LintFacts(
        aliases=AliasCatalog.from_providers(listing, as_of=as_of),
        kinds={name.lower(): kind.lower() for name, kind in held if kind and kind != "NotSpecified"},
    )


def kinds_of(listing: Any) -> Iterator[FactRow]:  # noqa: ANN401 - any JSON
    """Yield the resource types of a listing, which is a list of providers, one of them, or has them under `value`."""
    providers = listing.get("value", [listing]) if isinstance(listing, Mapping) else listing
    for provider in providers:
        yield from provider.get("resourceTypes") or ()


def merge(one: LintFacts, two: LintFacts) -> LintFacts:
    """Return both together; where both know a name or a type, `two` wins."""
    return LintFacts(one.aliases.merge(two.aliases), {**one.kinds, **two.kinds})


def read(source: ByteSource) -> LintFacts:
    """Build facts from a file: a provider listing, a list of rows, or rows as JSON lines; gzip too.

    Raises:
        InvalidInput: it is none of these.
    """
    text = b"".join(decompression.decompress(source, largest=FILE_BYTES)).removeprefix(codecs.BOM_UTF8).strip()
    try:
        loaded = _loaded(text)
        rows = isinstance(loaded, list) and loaded and "path" in loaded[0]
        found = facts(loaded) if rows else facts_of_listing(loaded)
    except Unreadable as error:
        raise InvalidInput(f"the alias file cannot be read: {error.message}", path="--aliases") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the alias file has something other than aliases: {error!r}", path="--aliases") from None
    if not len(found.aliases):
        raise InvalidInput("the alias file has no aliases", path="--aliases")
    return found


def _loaded(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return decode(text)
    except Unreadable:
        # JSON lines look like broken JSON to the first attempt; anything else keeps its error.
        if b"\n{" not in text:
            raise
    return [decode(line) for line in text.splitlines() if line.strip()]
