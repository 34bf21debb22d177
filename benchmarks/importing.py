"""How fast an exported inventory is imported, and how much memory that needs: `python -m benchmarks.importing [MB]`."""

import json
import resource
import sys
import time
from collections.abc import Iterator

from shared.domain.resource import Resource
from shared.importing import inventory_reader

_SCOPE = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers"
_KIND = "Microsoft.Storage/storageAccounts"


def _row(number: int) -> bytes:
    """Return a row of Resource Graph as it is for a storage account, about 1.5 kB."""
    properties = {
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": number % 7 > 0,
        "networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []},
        "encryption": {
            "services": {name: {"enabled": True, "keyType": "Account"} for name in ("blob", "file", "queue")}
        },
        "primaryEndpoints": {
            name: f"https://account{number}.{name}.core.windows.net/" for name in ("blob", "file", "dfs")
        },
        "provisioningState": "Succeeded",
        "creationTime": "2026-01-01T00:00:00.0000000Z",
    }
    body = {"id": f"{_SCOPE}/{_KIND}/account{number}", "name": f"account{number}", "type": _KIND.lower()}
    more = {
        "location": "westeurope",
        "tags": {"env": "prod", "owner": f"team{number % 50}"},
        "sku": {"name": "Standard_LRS"},
    }
    return json.dumps({**body, **more, "properties": properties}).encode()


def _page(size: int) -> Iterator[bytes]:
    """Yield a Resource Graph page of so many bytes, made as it is read."""
    yield b'{"totalRecords": 1, "data": ['
    made = number = 0
    while made < size:
        rows = b",".join(_row(number + offset) for offset in range(100))
        yield rows if number == 0 else b"," + rows
        made += len(rows)
        number += 100
    yield b"]}"


def main() -> None:
    """Print records, seconds of CPU without making the file, MB/s and the peak of memory."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    started = time.process_time()
    for _ in _page(size << 20):
        pass
    making = time.process_time() - started
    started = time.process_time()
    kept = sum(isinstance(each, Resource) for each in inventory_reader.read_resources(_page(size << 20)))
    seconds = time.process_time() - started - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"import: {size} MB, {kept} resources in {seconds:.1f} s of CPU: {size / seconds:.0f} MB/s, peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
