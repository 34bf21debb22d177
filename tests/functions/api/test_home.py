"""The pages: a session of the browser, what the first page shows, the reference."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from functions.api import openapi
from functions.api.http.access import SUBSCRIPTION_OPERATIONS
from functions.api.http.route import OperationRoute
from functions.pages import page
from functions.pages.page import format_number, split_words
from functions.pages.sparkline import draw_sparkline
from shared.domain.compliance import ScopeSummary
from shared.domain.identity import Role
from shared.domain.inventory import Gap, UnreadReason
from shared.services import compliance
from shared.services.policy import effective_policy
from shared.services.scan import scan
from tests.fakes.assignment import INITIATIVE, assignment
from tests.fakes.catalog import FixingCatalog
from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem


class Markup(HTMLParser):
    """Collects what a page would load or run, and checks that tags are closed."""

    VOID = frozenset({"meta", "link", "input", "br", "path", "rect", "circle", "polygon", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.styles: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [given[name] or "" for name in ("src", "href", "action") if name in given]
        self.styles += (
            [tag] if "style" in given or tag in ("style", "script") or any(n[:2] == "on" for n in given) else []
        )
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def form(api: Api, **headers: str) -> str:
    """What the form of the page at hand carries."""
    found = re.search(r'name="form" value="([0-9a-f]{64})"', api.client.get("/", headers=headers).text)
    assert found
    return found[1]


def sign_in(api: Api, *roles: Role, **more: Any) -> Any:
    return api.client.post("/session", data={"token": api.token(*roles, **more), "form": form(api)})


@pytest.fixture
def judged(world: World) -> None:
    world.put(account("alpha"), account("<b>beta", supportsHttpsTrafficOnly=True))
    compliance.refresh(store=world.store, policies=world.policies)


def test_a_stranger_sees_the_form_and_nothing_else(api: Api) -> None:
    answer = api.client.get("/")
    assert answer.status_code == 200
    assert 'name="token"' in answer.text
    assert "Compliance" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_session_is_a_cookie_that_scripts_cannot_read(api: Api) -> None:
    answer = sign_in(api)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers.get_list("set-cookie")[0]
    assert re.search(r"; HttpOnly; Max-Age=3\d\d\d; Path=/; SameSite=strict$", cookie), cookie


def test_behind_https_the_cookie_stays_there(api: Api) -> None:
    api.client.base_url = "https://testserver"
    data = {"token": api.token(), "form": form(api)}
    answer = api.client.post("/session", data=data)
    kept = answer.headers.get_list("set-cookie")
    assert all(each.startswith("__Host-cortex_") and "; Secure" in each and "Domain" not in each for each in kept)
    assert "Sign out" in api.client.get("/").text


def test_behind_a_proxy_that_ends_https_the_cookie_stays_there_too(api: Api) -> None:
    kept = api.client.get("/", headers={"x-forwarded-proto": "https"}).headers["set-cookie"]
    assert kept.startswith("__Host-cortex_form=")
    assert "; Secure" in kept


def test_a_session_is_no_token_of_the_api(api: Api) -> None:
    sign_in(api)
    assert "Sign out" in api.client.get("/").text
    problem(api.client.get("/api/v1/scans"), 401)
    problem(api.client.post("/api/v1/scans", json={}), 401)


def test_a_session_ends(api: Api) -> None:
    sign_in(api)
    assert api.client.post("/session/end", data={"form": form(api)}).status_code == 303
    assert 'name="token"' in api.client.get("/").text


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 10_000])
def test_a_bad_token_gets_the_form_again(api: Api, token: str) -> None:
    answer = api.client.post("/session", data={"token": token, "form": form(api)})
    assert answer.status_code == 401
    assert "is not accepted" in answer.text
    assert "cortex_session" not in answer.headers["set-cookie"]


def test_who_may_not_read_may_not_look(api: Api) -> None:
    assert sign_in(api, Role.SENDER).status_code == 401


FOREIGN = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"referer": "https://evil.example/testserver"},
    {"origin": "http://testserver.evil.example"},
)
OURS: tuple[dict[str, str], ...] = (
    {},
    {"sec-fetch-site": "same-origin", "origin": "null"},
    {"origin": "http://testserver"},
    {"referer": "http://testserver/"},
)
"""The first is an old browser that tells nothing."""


@pytest.mark.parametrize("path", ["/session", "/session/end"])
def test_a_form_that_the_browser_says_is_of_another_site_is_refused(api: Api, path: str) -> None:
    if path != "/session":
        sign_in(api)
    data = {"token": api.token(), "form": form(api)}
    for headers in FOREIGN:
        problem(api.client.post(path, data=data, headers=headers), 403)


def test_our_own_form_is_taken_from_any_browser(api: Api) -> None:
    for headers in OURS:
        data = {"token": api.token(), "form": form(api)}
        assert api.client.post("/session", data=data, headers=headers).status_code == 303
        assert api.client.post("/session/end", data={"form": form(api)}, headers=headers).status_code == 303


@pytest.mark.parametrize("given", [None, "", "0" * 64, "é", "that of another browser"])
def test_a_form_that_is_not_ours_is_refused_whatever_the_browser_says(api: Api, given: str | None) -> None:
    other = form(api)
    api.client.cookies.clear()
    carried = {"other": "1"} if given is None else {"form": other if given.startswith("that") else given}
    form(api)
    for headers in OURS:
        begun = api.client.post("/session", data={"token": api.token(), **carried}, headers=headers)
        assert begun.status_code == 403
        assert "out of date" in begun.text
        assert "cortex_session" not in begun.headers["set-cookie"]
    sign_in(api)
    for headers in OURS:
        problem(api.client.post("/session/end", data=carried, headers=headers), 403)
    assert "Sign out" in api.client.get("/").text


def test_a_form_without_its_cookie_is_refused_and_asked_for_again(api: Api) -> None:
    data = {"token": api.token(), "form": form(api)}
    api.client.cookies.clear()
    assert api.client.post("/session", data=data).status_code == 403
    assert sign_in(api).status_code == 303


def test_two_pages_of_one_browser_have_the_same_form(api: Api) -> None:
    assert form(api) == form(api)
    api.client.cookies.set("cortex_form", "chosen by somebody else")
    api.client.get("/")
    assert "chosen" not in str(api.client.cookies.get("cortex_form", domain="testserver.local"))


def test_a_form_of_one_session_ends_no_other(api: Api) -> None:
    sign_in(api, name="ada")
    adas = form(api)
    api.client.cookies.clear()
    sign_in(api, name="olga")
    problem(api.client.post("/session/end", data={"form": adas}), 403)


def test_other_bodies_are_no_form(api: Api) -> None:
    problem(api.client.post("/session", json={"token": api.token()}), 415)
    problem(api.client.post("/session", data={"token": "x" * 20_000}), 413)
    problem(api.client.post("/session/end", json={}), 415)


def test_before_anything_was_judged_the_page_says_how_to_begin(api: Api) -> None:
    sign_in(api)
    text = api.client.get("/").text
    assert "cortex import start inventory.json" in text
    assert "CORTEX_CLOUD_ENDPOINT" in text
    assert 'role="alert"' not in text
    assert Markup(text).open == []


def test_while_the_first_scan_runs_the_page_shows_it_and_loads_again(api: Api) -> None:
    api.post("/scans", {})
    sign_in(api)
    text = api.client.get("/").text
    assert "The estate is being read" in text
    assert "<strong>Scan</strong>" in text
    assert '<meta http-equiv="refresh" content="5">' in text
    assert Markup(text).open == []


def test_after_a_scan_that_found_nothing_the_page_says_why_and_what_to_do(api: Api, world: World) -> None:
    started = api.post("/scans", {}).json()
    scan.fail(started["id"], scan.NOTHING_TO_SCAN, store=world.store)
    compliance.refresh(store=world.store, policies=world.policies)
    sign_in(api)
    text = api.client.get("/").text
    assert f"The last scan ended with nothing: {scan.NOTHING_TO_SCAN}." in text
    assert "cortex import start inventory.json" in text
    assert 'http-equiv="refresh"' not in text


@pytest.mark.usefixtures("judged")
def test_the_page_shows_the_compliance(api: Api, world: World) -> None:
    api.post("/scans", {})
    api.post("/remediations", {"findings": [world.finding(account("alpha"), "https-only").id]})
    sign_in(api)
    text = api.client.get("/").text
    assert "25.0" in text
    assert "1 of 4 evaluations with a result comply, on 2 resources" in text
    assert "<strong>Scan</strong>" in text
    assert "<strong>Remediation</strong> of 1 finding " in text
    assert "alpha" in text
    assert len(text) < 50_000


@pytest.mark.usefixtures("judged")
def test_the_page_shows_what_could_not_be_read_and_how_old_the_data_is(api: Api, world: World) -> None:
    summary = compliance.refresh(store=world.store, policies=world.policies)
    old = summary.at - timedelta(days=3)
    gap = Gap(
        scope="/subscriptions/s", part="<resources>", reason=UnreadReason.PARTIAL, at=old, message="it was <empty>"
    )
    named = {f"s{n}": ScopeSummary(display_name=f"team{n}", as_of=old, gap_count=3) for n in range(30)}
    scopes = {**named, "never-read": ScopeSummary(resources=1)}
    result = summary.model_copy(update={"as_of": old, "gap_count": 90, "gaps": (gap,) * 9, "scopes": scopes})
    body = result.model_dump(mode="json")
    world.store.documents.put(tenant=world.store.tenant, kind=compliance.KIND, id=compliance.TENANT_ID, body=body)
    sign_in(api)
    text = api.client.get("/").text
    assert f"Oldest data: {page.format_time(old.isoformat())}" in text
    assert "90 gaps" in text
    assert text.count("&lt;resources&gt;</strong> in /subscriptions/s") == 5
    assert "it was &lt;empty&gt;" in text
    assert "and 85 more" in text
    assert text.count(">team") == 19
    assert "never-read</td>" in text
    assert "and 11 with newer data" in text
    assert Markup(text).open == []


@pytest.mark.usefixtures("judged")
def test_names_from_the_cloud_are_text_and_never_markup(api: Api) -> None:
    sign_in(api)
    text = api.client.get("/").text
    assert "<b>beta" not in text
    assert "&lt;b&gt;beta" in text


def test_names_from_the_cloud_cannot_turn_or_hide_what_a_page_says(api: Api, world: World) -> None:
    world.put(account("al\u202eahp\u200b\u2066\x9b"))
    compliance.refresh(store=world.store, policies=world.policies)
    sign_in(api)
    text = api.client.get("/").text
    assert r"al\u202eahp\u200b\u2066\x9b" in text
    assert not set(text) & set("\u202e\u200b\u2066\x9b")


@pytest.mark.usefixtures("judged")
def test_the_page_of_another_tenant_has_nothing_of_this_one(api: Api) -> None:
    sign_in(api, Role.ADMIN, tenant="fabrikam")
    text = api.client.get("/").text
    assert "alpha" not in text
    assert "Nothing has been evaluated yet" in text


@pytest.mark.usefixtures("judged")
def test_an_unchanged_page_is_not_sent_again(api: Api) -> None:
    sign_in(api)
    first = api.client.get("/")
    assert api.client.get("/", headers={"if-none-match": first.headers["etag"]}).status_code == 304


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("path", ["/", "/api/docs"])
def test_pages_load_nothing_from_elsewhere_and_run_nothing(api: Api, path: str) -> None:
    sign_in(api)
    answer = api.client.get(path)
    page = Markup(answer.text)
    assert page.open == []
    assert page.styles == []
    assert not [each for each in page.loads if "//" in each]
    assert "default-src 'none'; style-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    for each in {each for each in page.loads if each.startswith("/") and each != "/session/end"}:
        assert api.client.get(each).status_code == 200, each


@pytest.mark.parametrize("path", ["/style.css", "/icon.svg", "/api/docs", "/api/openapi.json"])
def test_what_is_public_is_sent_once(api: Api, path: str) -> None:
    first = api.client.get(path)
    assert first.status_code == 200
    assert api.client.get(path, headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_the_reference_names_every_operation_and_every_problem(api: Api) -> None:
    made = json.loads(api.client.get("/api/openapi.json").text)
    text = api.client.get("/api/docs").text
    for path, methods in made["paths"].items():
        assert path in text
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in text
    assert problem(api.client.get("/nope"), 404)["type"] == "/api/docs#not-found"
    assert 'id="not-found"' in text


def test_the_introduction_has_one_sentence_a_line() -> None:
    for line in openapi.INTRODUCTION.splitlines():
        assert line[0].isupper() or line.startswith("`"), line
        assert line.endswith("."), line


def test_latest_findings_of_a_definition_in_force_twice_say_what_brings_it(api: Api, world: World) -> None:
    world.policies = effective_policy.packaged(FixingCatalog(assignments=[assignment("strict", INITIATIVE)]))
    world.put(account("alpha"))
    compliance.refresh(store=world.store, policies=world.policies)
    sign_in(api, Role.READER)
    text = api.client.get("/").text
    assert "by baseline/https-only" in text
    assert "by strict/https-only" in text


def test_the_openapi_document_is_whole(api: Api) -> None:
    made = json.loads(api.client.get("/api/openapi.json").text)
    assert made["openapi"] == "3.1.0"
    text = json.dumps(made)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in made["components"]["schemas"], name
    assert "shared__" not in text
    assert "HTTPValidationError" not in text
    for path, methods in made["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert (operation["security"] == []) == ("x-role" not in operation)
            scope = "subscription" if operation["operationId"] in SUBSCRIPTION_OPERATIONS else "tenant"
            assert operation.get("x-scope") == (None if operation["security"] == [] else scope)
            assert "application/problem+json" in operation["responses"]["400"]["content"]


def test_every_example_has_the_shape_that_is_asked_for(api: Api) -> None:
    made = json.loads(api.client.get("/api/openapi.json").text)
    tried = 0
    for path, methods in made["paths"].items():
        body = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in body.get("examples", {}).values():
            answer = api.client.post(path, json=example["value"], headers=api.headers())
            assert answer.status_code < 500
            assert not answer.json().get("errors"), answer.text
            tried += 1
    assert tried >= 7


@pytest.mark.parametrize(
    ("scores", "first", "last"),
    [([50.0, 60.0], (8.0, 112.0), (552.0, 8.0)), ([60.0, 60.0, 60.0], (8.0, 60.0), (552.0, 60.0))],
)
def test_a_trend_fills_its_drawing(scores: list[float], first: tuple[float, float], last: tuple[float, float]) -> None:
    spark = draw_sparkline(scores)
    assert spark is not None
    assert spark.line.split()[0] == "{},{}".format(*first)
    assert spark.end == last
    assert spark.change == scores[-1] - scores[0]


def test_one_scan_is_no_trend() -> None:
    assert draw_sparkline([]) is draw_sparkline([50.0]) is None


def test_words_and_numbers_are_for_people() -> None:
    assert split_words("awaitingApproval") == "awaiting approval"
    assert format_number(1234567) == "1,234,567"


def test_the_tour_is_the_one_of_the_readme(api: Api) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    script = (page.TEMPLATE_FOLDER / "tour.sh").read_text(encoding="utf-8")
    assert script in readme
    assert "API=http://127.0.0.1:7071/api/v1" in api.client.get("/tour").text


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        ("CORTEX_PUBLIC_URL", "https://cortex.example:8443", "https://cortex.example:8443"),
        ("WEBSITE_HOSTNAME", "func-x.azurewebsites.net", "https://func-x.azurewebsites.net"),
        ("WEBSITE_HOSTNAME", "localhost:7071", "http://localhost:7071"),
    ],
)
def test_the_tour_names_the_address_of_the_settings_and_none_of_the_request(
    api: Api, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, shown: str
) -> None:
    monkeypatch.setenv(setting, value)
    named = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    result = api.client.get("/tour", headers=named).text
    assert f"API={shown}/api/v1" in result
    assert "evil" not in result


def test_no_answer_names_the_host_of_a_request(api: Api, world: World) -> None:
    world.put(*(account(f"a{number}") for number in range(3)))
    headers = {**api.headers(), "host": "evil.example", "x-forwarded-host": "evil.example"}
    paths = [each.path for each in api.app.routes if isinstance(each, OperationRoute) and "GET" in each.methods]
    for path in (*paths, "/api/v1/findings?limit=1", "/nope"):
        answer = api.client.get(path.replace("{id}", "x").replace("{name}", "x"), headers=headers)
        assert "evil" not in f"{answer.headers}{answer.text}", path
    started = api.client.post("/api/v1/scans", json={}, headers=headers)
    assert "evil" not in f"{started.headers}{started.text}"
