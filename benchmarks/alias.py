"""The alias table: its size, first use, memory and look-ups, beside all rows read from JSON; in fresh processes."""

import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from shared import bootstrap
from shared.engine import AliasCatalog
from shared.engine.alias_table import AliasTable, AliasTuple

ROOT = Path(__file__).parents[1]
FIRST = "Microsoft.Network/virtualNetworks/subnets[*].networkSecurityGroup.id"
"""An alias of the provider that has most."""
RUNS, LOOKUPS = 5, 20_000


def rows(table: AliasTable) -> Iterator[AliasTuple]:
    """Every row of the table."""
    for namespace in table.namespaces:
        for group in list(table.groups(namespace)):
            for name in table.names(group):
                yield from table.rows(f"{group}/{name}")


def open_json(path: str) -> AliasCatalog:
    """Open the rows kept plainly, one a line."""
    with gzip.open(path, "rb") as file:
        return AliasCatalog.from_rows(map(json.loads, file))


def open_table(path: str) -> AliasCatalog:
    """Open the packed table, as the product does."""
    return AliasCatalog({}, table=AliasTable(Path(path).read_bytes))


def probe(opened: Callable[[str], AliasCatalog], path: str, names: list[str]) -> dict[str, float]:
    """Measure in this process, which has done nothing else: ms and MB of the first use and of all names, us each."""
    before, began = rss(), time.perf_counter()
    catalog = opened(path)
    assert catalog.find(FIRST, FIRST.rpartition("/")[0].lower())
    first = {"first ms": (time.perf_counter() - began) * 1e3, "first MB": rss() - before}
    for name in names:
        assert catalog.find(name, "") is not None
    found = {**first, "all MB": rss() - before}
    some = random.Random(1).sample(names, LOOKUPS)
    best = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        for name in some:
            catalog.find(name, "")
        best = min(best, time.perf_counter() - began)
    return {**found, "look-up us": best / LOOKUPS * 1e6}


def rss() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def measure(kind: str, path: Path, names: Path) -> dict[str, float]:
    """Return the medians of several fresh processes."""
    command = [sys.executable, "-m", "benchmarks.alias", kind, str(path), str(names)]
    runs = [json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout) for _ in range(RUNS)]
    return {key: median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    """Print the figures of both, and their ratios."""
    if sys.argv[1:]:
        kind, path, listed = sys.argv[1:]
        opened = open_table if kind == "table" else open_json
        print(json.dumps(probe(opened, path, json.loads(Path(listed).read_text()))))
        return
    with TemporaryDirectory() as folder:
        packed, plain, listed = (Path(folder) / name for name in ("aliases.zip", "aliases.jsonl.gz", "names.json"))
        packed.write_bytes(bootstrap.catalog().alias_table()())
        every = list(rows(AliasTable(packed.read_bytes)))
        listed.write_text(json.dumps(sorted({row[0] for row in every})))
        lines = (json.dumps({"name": name, "path": path, "types": types.split("|")}) for name, path, types, *_ in every)
        plain.write_bytes(gzip.compress("\n".join(lines).encode()))
        ours, theirs = measure("table", packed, listed), measure("json", plain, listed)
        sizes = {"packed KB": packed.stat().st_size / 1e3}, {"packed KB": plain.stat().st_size / 1e3}
        for key, value in {**sizes[0], **ours}.items():
            other = {**sizes[1], **theirs}[key]
            print(f"alias table, {key}: {value:.1f}; rows in JSON: {other:.1f} ({value / other:.3f} x)")
        print(f"alias table: {len(every)} rows of {AliasTable(packed.read_bytes).as_of}")


if __name__ == "__main__":
    main()
