"""Packs the aliases and resource-type facts of public listings into `catalog/aliases.zip`, and extracts the catalog's.

Usage: `python scripts/aliases.py`, which extracts alone, or `… --date 2026-08-22 FILE…` where a file is the output of
`az provider list --expand resourceTypes/aliases`, or rows as a JSON list or JSON lines; each plain or gzip; or a table
that was packed before. Rows are aliases {name, path, types, paths?, modifiable?}, facts {type, supportsTags?,
hasLocations?, kind?}, or built-in definitions {definition}: what one of those modifies may be modified, which no public
listing says. Where two files say different things, the later one is right. Rows {name, types, without} add the newest
api-version of these types that does not have a property, as the descriptions of the REST API tell. The date is that of
the newest listing.

`catalog/aliases.json` gets the aliases that the policies of the catalog use, so that judging by them reads no table.
"""
# ruff: noqa: INP001, T201 - a script, run by its path, that prints

import argparse
import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from shared.engine.alias import Alias, AliasCatalog, provider_rows  # noqa: E402 - the path comes first
from shared.engine.alias_table import AliasTable  # noqa: E402

TABLE, EXTRACT = ROOT / "catalog/aliases.zip", ROOT / "catalog/aliases.json"
NAMED = re.compile(r""" "field":\ "([^"]+)" | (?:field|current) \( '([^']+)' \) """, re.IGNORECASE | re.VERBOSE)
Row = dict[str, Any]


def read(path: Path) -> Iterator[Row]:
    """Yield the rows and the facts of a file."""
    packed = path.read_bytes()
    if path.suffix == TABLE.suffix:
        yield from packed_rows(AliasTable(lambda: packed))
        return
    text = gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed
    try:
        loaded = json.loads(text)
    except json.JSONDecodeError:
        loaded = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not isinstance(loaded, list) or "namespace" in loaded[0]:
        yield from chain.from_iterable(provider_rows(loaded))
        return
    for row in loaded:
        yield from modified(row["definition"]) if "definition" in row else (located(row),)


def packed_rows(table: AliasTable) -> Iterator[Row]:
    """Yield the rows and the facts of a packed table."""
    whole = AliasCatalog({}, table=table)
    for group in chain.from_iterable(map(table.groups, table.namespaces)):
        known = table.capability(group)
        yield {"type": group, "supportsTags": known.tags, "hasLocations": known.location, "kind": known.kind}
        for alias in chain.from_iterable(whole.rows(f"{group}/{name}") for name in table.names(group)):
            yield as_row(alias)


def modified(definition: Row) -> Iterator[Row]:
    """Yield a row {name, modifiable} for each alias that a definition modifies."""
    details = definition["properties"].get("policyRule", {}).get("then", {}).get("details")
    for each in details.get("operations", ()) if isinstance(details, dict) else ():
        if "/" in each["field"] and not each["field"].startswith("["):
            yield {"name": each["field"], "modifiable": True}


def located(row: Row) -> Row:
    """Return a fact whose `hasLocations` says whether resources have one, as far as where a type is offered shows it.

    A child is offered where its parent is, and what is retired nowhere. What has tags has a location.
    """
    tags, offered = row.get("supportsTags"), row.get("hasLocations")
    return row | {"hasLocations": offered if offered is bool(tags) else None}


def merge(rows: Iterable[Row]) -> AliasCatalog:
    """Return the catalog of all rows and facts: the later one is right where two say different things."""
    found: dict[tuple[str, ...], Row] = {}
    modifiable: dict[str, bool] = {}
    for row in rows:
        said = {key: value for key, value in row.items() if value is not None}
        key = (row["name"].lower(), *map(str.lower, row.get("types", ()))) if "name" in row else (row["type"].lower(),)
        if "modifiable" in said:
            modifiable[key[0]] = said["modifiable"]
        if "without" in row and key in found:
            absent = {"path": "", "apiVersions": [row["without"]]}
            found[key] = {
                **found[key],
                "paths": [each for each in found[key].get("paths", ()) if each["path"]] + [absent],
            }
        elif "path" in row or "type" in row:
            found[key] = {**found.get(key, {}), **said}
    aliases = [{**row, "modifiable": modifiable.get(key[0])} for key, row in found.items() if "name" in row]
    return AliasCatalog.from_rows(aliases, (row for row in found.values() if "name" not in row))


def extract(catalog: AliasCatalog) -> list[Mapping[str, Any]]:
    """Return the rows of the aliases that the policies of the catalog name."""
    rules = [
        json.loads(path.read_bytes())["properties"]["policyRule"] for path in ROOT.glob("catalog/policies/*/*.json")
    ]
    named = {(field or called).lower() for field, called in NAMED.findall(json.dumps(rules))}
    return [as_row(alias) for name in sorted(named) if "/" in name for alias in catalog.rows(name)]


def as_row(alias: Alias) -> Row:
    """Return an alias as a row, with the paths that differ from the default one by their api-versions."""
    by_path: dict[str, list[str]] = {}
    for version, path in sorted(alias.versions.items()):
        by_path.setdefault(path, []).append(version)
    paths = [{"path": path, "apiVersions": each} for path, each in by_path.items()]
    row = {"name": alias.name, "path": alias.path, "types": sorted(alias.types), "modifiable": alias.modifiable}
    return row | ({"paths": paths} if paths else {})


def main() -> int:
    """Pack, and print what the table has."""
    parser = argparse.ArgumentParser(description="Pack the alias table from listings of resource providers.")
    parser.add_argument(
        "files", type=Path, nargs="*", metavar="FILE", help="listings, or rows (default: the table as it is)"
    )
    parser.add_argument("--date", type=date.fromisoformat, help="the date of the newest listing")
    options = parser.parse_args()
    if bool(options.files) != bool(options.date):
        parser.error("files need a date, and a date files")
    if options.files:
        catalog = merge(row for path in options.files for row in read(path))
        TABLE.write_bytes(catalog.pack(as_of=options.date.isoformat()))
        print(f"{TABLE}: {len(catalog)} aliases of {options.date} in {TABLE.stat().st_size} bytes")
    own = extract(AliasCatalog({}, table=AliasTable(TABLE.read_bytes)))
    EXTRACT.write_text(json.dumps(own, indent=2) + "\n", encoding="utf-8")
    print(f"{EXTRACT}: {len(own)} aliases that the catalog's policies use")
    return 0


if __name__ == "__main__":
    sys.exit(main())
