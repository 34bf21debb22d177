"""Policies with the same intent as one of Azure's built-in ones judge real bodies as it does, or it is said why not.

`built_in.json` has, by policy, the built-in definition with values for its parameters, the resources on which the two
differ, and because of what.
"""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import AliasCatalog, Policy, compile_definition, judge
from tests.catalog.conftest import FOLDER

DATA = Path(os.environ.get("CORTEX_TEST_DATA", FOLDER.parents[1] / "shared"))
BUILT_IN, BODIES = DATA / "azure-policy/policyDefinitions.jsonl.gz", DATA / "policy-cases/resources.jsonl.gz"
PAIRS: dict[str, Any] = json.loads(Path(__file__).with_name("built_in.json").read_bytes())


def lines(path: Path) -> Iterator[Any]:
    if not path.is_file():
        pytest.skip(f"{path} is not there: set CORTEX_TEST_DATA to a folder with public definitions and bodies")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


@cache
def built_in() -> Mapping[str, Any]:
    wanted = {pair["builtIn"] for pair in PAIRS.values()}
    public = (row["definition"] for row in lines(BUILT_IN) if row["cloud"] == "AzureCloud")
    return {each["name"]: each for each in public if each["name"] in wanted}


@cache
def resources() -> Mapping[str, Resource]:
    """The bodies by their ids in the collection, each with its children among them."""
    read = {row["rid"]: Resource(row["resource"], row.get("apiVersion")) for row in lines(BODIES)}
    children: dict[str, dict[str, tuple[Resource, ...]]] = {}
    for each in read.values():
        kinds = children.setdefault(each.id.lower().rsplit("/", 2)[0], {})
        kinds[each.type.lower()] = (*kinds.get(each.type.lower(), ()), each)
    return {rid: replace(each, related=children.get(each.id.lower(), {})) for rid, each in read.items()}


def finding(policy: Policy, resource: Resource) -> State:
    """The verdict as it counts: what a policy is not about is no finding, as what complies is none."""
    state = judge(policy, resource).state
    return State.COMPLIANT if state is State.NOT_APPLICABLE else state


@pytest.mark.parametrize("name", PAIRS)
def test_bodies_are_judged_as_by_the_built_in_policy(
    name: str, policies: Mapping[str, Policy], aliases: AliasCatalog
) -> None:
    pair = PAIRS[name]
    theirs = compile_definition(built_in()[pair["builtIn"]], aliases=aliases, parameters=pair.get("parameters", {}))
    found = [rid for rid, each in resources().items() if finding(policies[name], each) != finding(theirs, each)]
    assert sorted(found) == pair.get("differences", [])


def test_most_policies_have_a_built_in_one_to_be_compared_with() -> None:
    assert len(PAIRS) >= 79
    assert all(("because" in pair) == bool(pair.get("differences")) for pair in PAIRS.values())
