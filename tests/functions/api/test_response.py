"""Pages, links, etags."""

from typing import Any

import orjson
import pytest

from shared.domain.finding import Finding
from shared.services import read_model
from shared.services.version_cache import VersionCache
from tests.fakes.finding import example
from tests.functions.api.conftest import Api, problem


def stored(api: Api, number: int, **more: Any) -> dict[str, Any]:
    body = example(number, **more)
    api.ports.documents.put(tenant="contoso", kind="finding", id=body["id"], body=body)
    return body


@pytest.fixture
def many(api: Api) -> list[dict[str, Any]]:
    bodies = [example(number) for number in range(60)]
    api.ports.documents.put_many(tenant="contoso", kind="finding", items={each["id"]: each for each in bodies})
    return bodies


def walk(api: Api, path: str) -> list[dict[str, Any]]:
    """The items of all pages, by the header Link."""
    found: list[dict[str, Any]] = []
    address: str | None = f"/api/v1{path}"
    while address:
        answer = api.client.get(address, headers=api.headers())
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["items"]
        links = answer.links
        address = links["next"]["url"] if "next" in links else None
        assert (body["nextCursor"] is None) == (address is None)
    return found


@pytest.mark.parametrize("order", ["changedAt", "openedAt", "id"])
@pytest.mark.parametrize("limit", [7, 60, 200])
def test_pages_give_everything_once(api: Api, many: list[dict[str, Any]], order: str, limit: int) -> None:
    found = walk(api, f"/findings?limit={limit}&order={order}")
    assert sorted(each["id"] for each in found) == sorted(each["id"] for each in many)
    keys = [each[order] for each in found]
    assert keys == sorted(keys, reverse=order != "id")


def test_findings_by_severity_have_the_worst_first_and_of_those_the_latest(api: Api) -> None:
    bodies = [Finding.model_validate(example(number)).model_dump(mode="json") for number in range(60)]
    api.ports.documents.put_many(tenant="contoso", kind="finding", items={each["id"]: each for each in bodies})
    found = walk(api, "/findings?limit=7&order=severity")
    worst = ["critical", "high", "medium", "low"]
    keys = [(worst.index(each["severity"]), each["openedAt"]) for each in found]
    assert keys == sorted(sorted(keys, key=lambda key: key[1], reverse=True), key=lambda key: key[0])
    assert len(keys) == 60


@pytest.mark.parametrize("query", ["", "&open=true", "&severity=critical&severity=low", "&owner=nobody"])
def test_a_list_counts_the_matches_over_all_pages(api: Api, many: list[dict[str, Any]], query: str) -> None:
    assert many
    result = api.get(f"/findings?limit=2&total=true{query}").json()["total"]
    assert result == len(walk(api, f"/findings?limit=200{query}"))
    assert "total" not in api.get(f"/findings?limit=2{query}").json()


@pytest.mark.parametrize("noun", ["scans", "resources", "policies", "remediations", "exemptions", "imports"])
def test_every_list_can_count_the_matches(api: Api, noun: str) -> None:
    expected = len(api.ports.catalog.policies()) if noun == "policies" else 0
    assert api.get(f"/{noun}?total=true").json()["total"] == expected


def test_the_next_page_keeps_the_filters(api: Api, many: list[dict[str, Any]]) -> None:
    found = walk(api, "/findings?limit=3&severity=critical&severity=low&open=true&owner=owner1")
    expected = [
        each for each in many if each["severity"] in ("critical", "low") and each["open"] and each["owner"] == "owner1"
    ]
    assert sorted(each["id"] for each in found) == sorted(each["id"] for each in expected)
    assert expected


def test_a_cursor_fits_its_own_listing_only(api: Api, many: list[dict[str, Any]]) -> None:
    assert many
    cursor = api.get("/findings?limit=5").json()["nextCursor"]
    for other in (f"/findings?limit=5&open=true&cursor={cursor}", f"/scans?cursor={cursor}", "/findings?cursor=AAAA"):
        assert problem(api.get(other), 400)["path"] == "cursor"


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=ten", "query.limit"),
        ("severity=huge", "query.severity.0"),
        ("open=perhaps", "query.open"),
        ("sevrity=high", "query.sevrity"),
        ("order=name", "query.order"),
        ("cursor=" + "a" * 5000, "query.cursor"),
    ],
)
def test_a_query_that_cannot_be_used_is_reported(api: Api, query: str, path: str) -> None:
    assert problem(api.get(f"/findings?{query}"), 400)["path"] == path


def test_lists_leave_the_evidence_to_the_single_thing(api: Api) -> None:
    body = stored(api, 1)
    assert "evidence" not in api.get("/findings").json()["items"][0]
    assert api.get(f"/findings/{body['id']}").json()["evidence"][0]["operator"] == "equals"


def test_an_unchanged_thing_is_not_sent_again(api: Api) -> None:
    body = stored(api, 1)
    path = f"/findings/{body['id']}"
    first = api.get(path)
    again = api.get(path, if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    stored(api, 1, owner="somebody else")
    changed = api.get(path, if_none_match=first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


def test_another_release_that_answers_otherwise_has_another_etag(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/findings/{stored(api, 1)['id']}"
    first = api.get(path)
    assert not first.headers["etag"].startswith("W/")
    monkeypatch.setattr(read_model, "_TEXTS", VersionCache(1))  # another process has none of this one's
    monkeypatch.setattr(Finding, "model_dump_json", lambda *_, **__: orjson.dumps(first.json()).decode() + "\n")
    again = api.get(path, if_none_match=first.headers["etag"])
    assert (again.status_code, again.json(), again.content[-1:]) == (200, first.json(), b"\n")
    assert again.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["/findings", "/scans", "/policies", "/policies/https-only", "/resources"])
def test_listings_have_an_etag_of_what_they_say(api: Api, path: str) -> None:
    stored(api, 1)
    first = api.get(path)
    assert api.get(path, if_none_match=first.headers["etag"]).status_code == 304
    assert api.get(path, if_none_match='W/"another"').status_code == 200


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*", '"x",W/{} ,"y"'])
def test_if_none_match_is_read_as_the_rfc_has_it(api: Api, form: str) -> None:
    body = stored(api, 1)
    etag = api.get(f"/findings/{body['id']}").headers["etag"]
    assert api.get(f"/findings/{body['id']}", if_none_match=form.format(etag)).status_code == 304


def test_answers_are_for_the_caller_alone(api: Api) -> None:
    answer = api.get("/findings")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Authorization"
