"""Findings over HTTP, from a cloud that was judged."""

import pytest

from shared.domain.estate import Estate
from shared.domain.finding import resource_key
from shared.eventstore.store import Store
from tests.fakes.clock import TENANT
from tests.fakes.cloud import STORAGE, SUBSCRIPTION, account
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem


@pytest.fixture
def identity(world: World) -> str:
    """A finding: the account alpha takes plain HTTP."""
    world.put(account("alpha"))
    return world.finding(account("alpha"), "https-only").id


def test_a_finding_has_its_evidence(api: Api, identity: str) -> None:
    found = api.get(f"/findings/{identity}").json()
    assert (found["state"], found["status"], found["severity"]) == ("nonCompliant", "opened", "high")
    assert found["title"] == "Something is wrong"  # the policy's finding title, not its display name
    decided = [each for each in found["evidence"] if each["decided"] and each["field"] != "type"]
    assert [(each["path"], each["observed"]) for each in decided] == [("properties.supportsHttpsTrafficOnly", False)]


@pytest.mark.parametrize(
    "query",
    [
        "open=true",
        "severity=high",
        "state=nonCompliant&state=unknown",
        "status=opened",
        "policy=https-only",
        "category=Test",
        f"subscription={SUBSCRIPTION}",
        f"subscription={SUBSCRIPTION.upper()}",
        "policy=HTTPS-Only",
        "policy=HTTPS-Only&strict=false",
        f"resourceType={STORAGE}&resourceGroup=RG",
        "framework=NIST-800-53-r5&control=sc-8",
        "assignment=Baseline",
        "remediable=true&text=ALPHA",
        "since=2020-01-01T00:00:00Z",
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
        "status=resolved",
        "policy=x",
        "category=x",
        "subscription=x",
        "owner=x",
        "environment=x",
        "resourceType=x",
        "resourceGroup=x",
        "framework=x",
        "control=x",
        "remediable=false",
        "text=beta",
        "since=2999-01-01T00:00:00Z",
    ],
)
def test_filters_leave_out_the_rest(api: Api, identity: str, query: str) -> None:
    assert identity
    assert api.get(f"/findings?{query}").json() == {"items": [], "nextCursor": None}


def test_a_misspelt_filter_is_refused_where_that_is_asked_for(api: Api, identity: str, store: Store) -> None:
    assert identity
    assert "nothing was evaluated yet" in problem(api.get("/findings?strict=true"), 400)["detail"]
    ended = Estate(subscription=SUBSCRIPTION, judged_at=store.now()).model_dump(mode="json")
    api.ports.documents.put(tenant=TENANT, kind="estate", id=SUBSCRIPTION, body=ended)
    refused = problem(api.get("/findings?strict=true&policy=https-onyl"), 400)
    assert refused["path"] == "query.policy"
    assert refused["detail"] == "nothing has the policy 'https-onyl'; did you mean 'https-only'?"
    assert api.get("/findings?strict=true&policy=https-only").json()["items"]


def test_findings_of_one_resource(api: Api, identity: str, world: World) -> None:
    world.put(account("beta"))
    found = api.get(f"/findings?resource={identity.partition('.')[0]}").json()["items"]
    assert {each["resourceId"].rpartition("/")[2] for each in found} == {"alpha"}


def test_a_finding_is_explained(api: Api, identity: str) -> None:
    result = api.get(f"/findings/{identity}/explain").json()
    assert result["finding"] == identity
    assert result["state"] == "nonCompliant"
    assert "supportsHttpsTrafficOnly is false" in result["summary"]
    assert result["rule"]["kind"] == "allOf"
    assert [(each["path"], each["value"]) for each in result["fixes"]] == [
        ("properties.supportsHttpsTrafficOnly", True)
    ]


def test_a_finding_that_is_not_there(api: Api) -> None:
    for path in ("/findings/none", "/findings/none/explain", f"/findings/{'x' * 300}/explain"):
        problem(api.get(path), 404)


def test_a_finding_whose_resource_is_not_stored_any_more(api: Api, identity: str) -> None:
    api.ports.documents.delete(tenant="contoso", kind="resource", id=identity.partition(".")[0])
    assert "no longer exists" in problem(api.get(f"/findings/{identity}/explain"), 404)["detail"]


def test_resources_are_listed_filtered_and_read(api: Api, identity: str) -> None:
    key = identity.partition(".")[0]
    listed = api.get(f"/resources?type={STORAGE.upper()}&subscription={SUBSCRIPTION.upper()}&resourceGroup=RG").json()
    assert [each["id"] for each in listed["items"]] == [key]
    assert "record" not in listed["items"][0]
    read = api.get(f"/resources/{key}").json()
    assert read["record"]["body"]["name"] == "alpha"
    assert api.get("/resources?gone=true").json()["items"] == []
    assert api.get("/resources?location=nowhere").json()["items"] == []


def test_a_large_resource_is_read_whole_and_listed_without_its_body(api: Api, world: World) -> None:
    big = account("big", note="x" * 3_000_000)
    world.put(big)
    key = resource_key(big["id"])
    read = api.get(f"/resources/{key}")
    assert read.json()["record"]["body"] == big
    assert "recordBlob" not in read.json()
    assert api.get(f"/resources/{key}", if_none_match=read.headers["etag"]).status_code == 304
    listed = api.get("/resources").json()["items"]
    assert [each.keys() & {"record", "recordBlob"} for each in listed] == [set()]


def test_resources_by_time_have_the_latest_first(api: Api, world: World) -> None:
    world.put(account("alpha"), account("beta"))
    world.put(account("alpha", supportsHttpsTrafficOnly=True))
    listed = api.get("/resources?order=changedAt").json()["items"]
    assert [each["name"] for each in listed] == ["alpha", "beta"]
    assert [each["changedAt"] for each in listed] == sorted((each["changedAt"] for each in listed), reverse=True)


def test_a_resource_has_a_history(api: Api, identity: str, world: World) -> None:
    key = identity.partition(".")[0]
    assert api.get(f"/resources/{key}/history").json()["items"] == []
    world.put(account("alpha", supportsHttpsTrafficOnly=True))
    changed = api.get(f"/resources/{key}/history").json()["items"]
    assert [each["path"] for each in changed[0]["differences"]] == ["properties.supportsHttpsTrafficOnly"]
    problem(api.get("/resources/none/history"), 404)
    problem(api.get("/resources/none"), 404)
