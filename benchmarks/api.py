"""API latency in process, at 10,000 findings: the summary, a page of findings, one finding, a 304."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from statistics import quantiles

import httpx2

from benchmarks import sample
from functions.api.app import build
from shared.adapters.local.identity import SignedTokens
from shared.domain.identity import Role

CALLS = 300


async def measure(client: httpx2.AsyncClient, path: str, headers: Mapping[str, str]) -> tuple[float, float, int]:
    """Return p50 and p95 in milliseconds, and the bytes of an answer."""
    times, size = [], 0
    for _ in range(CALLS):
        began = time.perf_counter()
        answer = await client.get(path, headers=dict(headers))
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code in (200, 304), answer.text
        size = len(answer.content)
    cuts = quantiles(times, n=20)
    return cuts[9], cuts[18], size


async def run(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    """Print a line for each path."""
    listed = (await client.get("/api/v1/findings?limit=50", headers=headers)).json()["items"]
    summary = await client.get("/api/v1/compliance/summary", headers=headers)
    paths = {
        "health (no authentication)": ("/api/v1/health", {}),
        "summary": ("/api/v1/compliance/summary", {}),
        "summary, unchanged (304)": ("/api/v1/compliance/summary", {"if-none-match": summary.headers["etag"]}),
        "50 findings": ("/api/v1/findings?limit=50", {}),
        "50 findings, filtered": ("/api/v1/findings?severity=high&open=true&limit=50", {}),
        "one finding": (f"/api/v1/findings/{listed[0]['id']}", {}),
    }
    for name, (path, more) in paths.items():
        p50, p95, size = await measure(client, path, {**headers, **more})
        print(f"api, {name}: p50 {p50:.2f} ms, p95 {p95:.2f} ms, {size / 1024:.1f} kB")


def main() -> None:
    """Fill a store until there are enough findings, then call the API in process."""
    with sample.ports() as ports:
        store, policies = sample.store(ports), sample.policies(ports)
        count = sample.fill(store, 8000)
        found = sample.judge(store, policies)
        print(f"api: {count} resources, {found} open findings")
        tokens = SignedTokens("s" * 40, ports.now)
        token = tokens.mint("bench", [Role.OPERATOR], sample.TENANT, timedelta(hours=1))
        transport = httpx2.ASGITransport(app=build(ports))

        async def call() -> None:
            async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
                await run(client, {"authorization": f"Bearer {token}"})

        asyncio.run(call())


if __name__ == "__main__":
    main()
