"""Findings over HTTP, from a cloud that was judged."""

import pytest

from tests.cloud import STORAGE, SUBSCRIPTION, account
from tests.functions.api.conftest import Api, problem
from tests.world import World


@pytest.fixture
def identity(world: World) -> str:
    """A finding: the account alpha takes plain HTTP."""
    world.put(account("alpha"))
    return world.finding(account("alpha"), "https-only").id


def test_a_finding_has_its_evidence(api: Api, identity: str) -> None:
    found = api.get(f"/findings/{identity}").json()
    assert (found["state"], found["life"], found["severity"]) == ("nonCompliant", "opened", "high")
    decided = [each for each in found["evidence"] if each["decided"] and each["field"] != "type"]
    assert [(each["path"], each["observed"]) for each in decided] == [("properties.supportsHttpsTrafficOnly", False)]


@pytest.mark.parametrize(
    "query",
    [
        "open=true",
        "severity=high",
        "state=nonCompliant&state=unknown",
        "life=opened",
        "policy=https-only",
        "category=Test",
        f"subscription={SUBSCRIPTION}",
    ],
)
def test_filters_keep_what_they_name(api: Api, identity: str, query: str) -> None:
    assert identity in [each["id"] for each in api.get(f"/findings?{query}").json()["items"]]


@pytest.mark.parametrize(
    "query",
    [
        "open=false",
        "severity=low",
        "state=exempt",
        "life=resolved",
        "policy=x",
        "category=x",
        "subscription=x",
        "owner=x",
    ],
)
def test_filters_leave_out_the_rest(api: Api, identity: str, query: str) -> None:
    assert identity
    assert api.get(f"/findings?{query}").json() == {"items": [], "nextCursor": None}


def test_findings_of_one_resource(api: Api, identity: str, world: World) -> None:
    world.put(account("beta"))
    found = api.get(f"/findings?resource={identity.partition('.')[0]}").json()["items"]
    assert {each["resourceId"].rpartition("/")[2] for each in found} == {"alpha"}


def test_a_finding_is_explained(api: Api, identity: str) -> None:
    told = api.get(f"/findings/{identity}/explain").json()
    assert told["finding"] == identity
    assert told["state"] == "nonCompliant"
    assert "supportsHttpsTrafficOnly is false" in told["sentence"]
    assert told["rule"]["kind"] == "allOf"
    assert [(each["path"], each["value"]) for each in told["fixes"]] == [("properties.supportsHttpsTrafficOnly", True)]


def test_a_finding_that_is_not_there(api: Api) -> None:
    for path in ("/findings/none", "/findings/none/explain", f"/findings/{'x' * 300}/explain"):
        problem(api.get(path), 404)


def test_a_finding_whose_resource_is_not_stored_any_more(api: Api, identity: str) -> None:
    api.ports.documents.delete(tenant="contoso", kind="resource", id=identity.partition(".")[0])
    assert "not there any more" in problem(api.get(f"/findings/{identity}/explain"), 404)["detail"]


def test_resources_are_listed_filtered_and_read(api: Api, identity: str) -> None:
    key = identity.partition(".")[0]
    listed = api.get(f"/resources?type={STORAGE.upper()}&subscription={SUBSCRIPTION.upper()}&resourceGroup=RG").json()
    assert [each["id"] for each in listed["items"]] == [key]
    assert "record" not in listed["items"][0]
    read = api.get(f"/resources/{key}").json()
    assert read["record"]["body"]["name"] == "alpha"
    assert api.get("/resources?gone=true").json()["items"] == []
    assert api.get("/resources?location=nowhere").json()["items"] == []


def test_a_resource_has_a_history(api: Api, identity: str, world: World) -> None:
    key = identity.partition(".")[0]
    assert api.get(f"/resources/{key}/history").json()["items"] == []
    world.put(account("alpha", supportsHttpsTrafficOnly=True))
    changed = api.get(f"/resources/{key}/history").json()["items"]
    assert [each["path"] for each in changed[0]["differences"]] == ["properties.supportsHttpsTrafficOnly"]
    problem(api.get("/resources/none/history"), 404)
    problem(api.get("/resources/none"), 404)
