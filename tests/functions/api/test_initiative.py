"""Initiatives and assignments: the catalog is one of each, and what is in force can be looked at."""

from shared.bootstrap import catalog
from shared.services import compliance
from tests.fakes.assignment import BASELINE, INITIATIVE
from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api


def test_the_default_assignment_is_listed_with_what_it_brings(api: Api) -> None:
    (found,) = api.get("/assignments").json()["items"]
    names = [each.name for each in api.ports.catalog.policies()]
    assert (found["id"], found["definition"], found["scope"]) == (BASELINE.lower(), INITIATIVE, "/")
    assert (found["policies"], found["problem"], found["enforcementMode"]) == (len(names), None, "Default")


def test_an_initiative_is_listed_and_has_its_members(api: Api) -> None:
    (listed,) = api.get("/initiatives").json()["items"]
    assert (listed["name"], listed["members"]) == ("baseline", [])
    found = api.get("/initiatives/Baseline").json()
    assert {each["reference"] for each in found["members"]} == {each.name for each in api.ports.catalog.policies()}
    assert not [each for each in found["members"] if each["problem"]]
    assert api.get("/initiatives/nothing").status_code == 404


def test_house_rules_have_parameters_without_a_default() -> None:
    (house,) = [each for each in catalog().initiatives() if each["name"] == "house-rules"]
    assert not [each for each in house["properties"]["parameters"].values() if "defaultValue" in each]


def test_an_assignment_has_one_spelling_wherever_it_is_shown(api: Api, world: World) -> None:
    world.put(account("alpha"))
    compliance.refresh(store=world.store, policies=world.policies)
    listed = {each["id"] for each in api.get("/assignments").json()["items"]}
    found = {each["assignment"] for each in api.get("/findings").json()["items"]}
    counted = {each["assignment"] for each in api.get("/compliance/summary").json()["policies"].values()}
    assert listed == found == counted == {BASELINE.lower()}
