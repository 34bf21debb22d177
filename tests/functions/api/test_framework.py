"""Frameworks over HTTP: what adds up, what is hidden from nobody, and what a caller of one subscription sees."""

import pytest

from shared.services import compliance
from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem


@pytest.fixture
def judged(world: World) -> None:
    world.put(account("alpha"), account("beta", supportsHttpsTrafficOnly=True))
    compliance.refresh(store=world.store, policies=world.policies)


@pytest.mark.parametrize("path", ["/frameworks", "/frameworks/soc-2", "/frameworks/soc-2/controls"])
def test_before_anything_was_judged_the_next_step_is_told(api: Api, path: str) -> None:
    assert "POST /api/v1/scans" in problem(api.get(path), 404)["detail"]


@pytest.mark.usefixtures("judged")
def test_every_control_of_a_framework_is_in_its_counts(api: Api) -> None:
    items = api.get("/frameworks").json()["items"]
    assert [each["id"] for each in items] == sorted(each.id for each in api.ports.catalog.frameworks())
    for each in items:
        assert sum(each["states"].values()) == sum(each["kinds"].values()) == each["controlCount"]
        assert each["notAssessable"] == each["controlCount"] - each["kinds"]["automated"]
        assert api.get(f"/frameworks/{each['id']}").json() == each


@pytest.mark.usefixtures("judged")
def test_controls_come_in_the_order_of_the_framework_page_by_page(api: Api) -> None:
    wanted = {each.id: [control.id for control in each.controls] for each in api.ports.catalog.frameworks()}
    for name, ids in wanted.items():
        found, cursor = list[str](), ""
        while True:
            page = api.get(f"/frameworks/{name}/controls?limit=97{cursor and f'&cursor={cursor}'}").json()
            found += [each["id"] for each in page["items"]]
            if not page["nextCursor"]:
                break
            cursor = page["nextCursor"]
        assert found == ids


@pytest.mark.usefixtures("judged")
def test_a_control_that_is_not_met_names_the_policy_that_decides_it(api: Api) -> None:
    not_met = api.get("/frameworks/nist-800-53-r5/controls?state=notMet").json()["items"]
    assert not_met
    for each in not_met:
        assert each["kind"] == "automated"
        assert "are non-compliant" in each["reason"]
        assert any(policy["decides"] and policy["nonCompliant"] for policy in each["policies"])
    others = api.get("/frameworks/nist-800-53-r5/controls?kind=attested&kind=inherited&total=true").json()
    assert others["total"] == sum(
        api.get("/frameworks/nist-800-53-r5").json()["kinds"][kind] for kind in ("attested", "inherited")
    )
    assert {each["state"] for each in others["items"]} == {"notAssessed"}


@pytest.mark.usefixtures("judged")
def test_a_baseline_is_a_part_of_its_framework(api: Api) -> None:
    found = api.get("/frameworks/nist-800-53-r5?baseline=moderate").json()
    listed = api.get("/frameworks/nist-800-53-r5/controls?baseline=moderate&total=true").json()
    assert found["controlCount"] == listed["total"] == 287
    assert all("moderate" in each["baselines"] for each in listed["items"])
    told = problem(api.get("/frameworks/nist-800-53-r5?baseline=medium"), 404)["detail"]
    assert told == "nist-800-53-r5 has no baseline medium; it has high, low, moderate"
    assert "it has none" in problem(api.get("/frameworks/soc-2/controls?baseline=low"), 404)["detail"]


@pytest.mark.usefixtures("judged")
def test_what_is_not_there_or_no_filter_is_told(api: Api) -> None:
    assert "GET /api/v1/frameworks" in problem(api.get("/frameworks/nothing"), 404)["detail"]
    assert problem(api.get("/frameworks/nothing/controls"), 404)
    assert problem(api.get("/frameworks/soc-2/controls?state=good"), 400)
