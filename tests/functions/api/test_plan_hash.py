"""The hash of a plan, recomputed from API answers as docs/decisions/plan-hash.md says, without the product's code."""

import hashlib
import json
import re
from typing import Any

import rfc8785

from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api

NOT_HASHED = {"number", "hash", "outcome", "differences"}
NUMBERS = {"odd": 2**53 + 1, "even": 2**60, "double": 1e19, "whole": 1.0, "$integer": "1", "text": str(2**53 + 1)}


def tagged(value: Any) -> Any:
    """A value as the page says that it is written."""
    if isinstance(value, dict):
        return {"$" + name if re.fullmatch(r"\$+integer", name) else name: tagged(each) for name, each in value.items()}
    if isinstance(value, list):
        return [tagged(each) for each in value]
    if type(value) is int:
        written = rfc8785.dumps(float(value)).decode()
        return float(value) if written == str(value) else {"$integer": str(value)}
    return value


def digest(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(tagged(value))).hexdigest()


def test_anybody_can_recompute_the_hash_of_a_plan_from_its_pages(api: Api, world: World) -> None:
    world.put(*(account(f"a{number}", numbers={**NUMBERS, "n": number}) for number in range(3)))
    world.id = api.post("/remediations", {"filter": {"policy": "https-only"}}).json()["id"]
    world.plan()
    hashes, cursor = [], ""
    while cursor is not None:
        page = json.loads(api.get(f"/remediations/{world.id}/plan?limit=2{cursor and f'&cursor={cursor}'}").text)
        for item in page["items"]:
            assert item["operations"][0]["target"]["properties"]["numbers"].items() >= NUMBERS.items()
            assert digest({name: each for name, each in item.items() if name not in NOT_HASHED}) == item["hash"]
        hashes += [item["hash"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert len(hashes) == page["itemCount"] == 3
    assert digest({"remediation": world.id, "items": hashes}) == page["hash"]
    assert page["hash"] == api.get(f"/remediations/{world.id}").json()["planHash"]
