"""What is known of aliases: by the packaged catalog, by a file, by a tenant's own provider listing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.notation import Unreadable
from shared.engine import AliasCatalog
from shared.ports.catalog import Catalog
from shared.services import decompression
from shared.services.decompression import Source
from shared.services.lint.subject import Facts

LARGEST = 256 << 20
"""Bytes of an alias file; Azure's own listing has about 60 MB."""

Row = Mapping[str, Any]


def facts(rows: Iterable[Row], types: Iterable[Row] = ()) -> Facts:
    """Facts from rows of aliases {name, path, types, kind?, …} and of resource types, as the engine takes them."""
    listed = list(rows)
    return Facts(
        aliases=AliasCatalog.from_rows(listed, types),
        kinds={row["name"].lower(): row["kind"].lower() for row in listed if row.get("kind")},
        groups=frozenset(row["name"].rpartition("/")[0].lower() for row in listed),
    )


def packaged(catalog: Catalog) -> Facts:
    """What the packaged catalog knows."""
    return facts(catalog.aliases(), type_rows(catalog))


def type_rows(catalog: Catalog) -> Iterator[Row]:
    """The packaged facts on resource types, as the engine takes them."""
    return ({**row, "hasLocations": row.get("supportsLocation")} for row in catalog.resource_types())


def listed(listing: Any) -> Facts:  # noqa: ANN401 - any JSON
    """Facts from a provider listing (`GET /providers?$expand=resourceTypes/aliases`)."""
    names = [alias for kind in kinds_of(listing) for alias in kind.get("aliases") or ()]
    held = ((alias["name"], (alias.get("defaultMetadata") or {}).get("type")) for alias in names)
    return Facts(
        aliases=AliasCatalog.from_providers(listing),
        kinds={name.lower(): kind.lower() for name, kind in held if kind and kind != "NotSpecified"},
        groups=frozenset(alias["name"].rpartition("/")[0].lower() for alias in names),
    )


def kinds_of(listing: Any) -> Iterator[Row]:  # noqa: ANN401 - any JSON
    """The resource types of a listing, which is a list of providers, one of them, or has them under `value`."""
    providers = listing.get("value", [listing]) if isinstance(listing, Mapping) else listing
    for provider in providers:
        yield from provider.get("resourceTypes") or ()


def merged(one: Facts, two: Facts) -> Facts:
    """Both together; where both know a name or a type, `two` wins."""
    return Facts(one.aliases.merge(two.aliases), {**one.kinds, **two.kinds}, one.groups | two.groups)


def read(source: Source) -> Facts:
    """Facts from a file: a provider listing, a list of rows, or rows as JSON lines; gzip too.

    Raises:
        InvalidInput: it is none of these.
    """
    text = b"".join(decompression.chunks(source, largest=LARGEST)).strip()
    try:
        found = _facts(_loaded(text))
    except Unreadable as error:
        raise InvalidInput(f"the alias file cannot be read: {error.message}", path="--aliases") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the alias file holds something else than aliases: {error!r}", path="--aliases") from None
    if not len(found.aliases):
        raise InvalidInput("the alias file holds no aliases", path="--aliases")
    return found


def _loaded(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return decode(text)
    except Unreadable:
        if b"\n{" not in text:
            raise
    return [decode(line) for line in text.splitlines() if line.strip()]


def _facts(loaded: Any) -> Facts:  # noqa: ANN401 - any JSON
    if isinstance(loaded, list) and loaded and "path" in loaded[0]:
        return facts(loaded)
    return listed(loaded)
