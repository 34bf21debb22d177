"""The pages: a session of the browser, what the first page shows, the reference."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from functions.api import page
from functions.api.page import number, words
from functions.api.spark import draw
from shared.domain.identity import Role
from shared.services import compliance
from tests.cloud import account
from tests.functions.api.conftest import Api, problem
from tests.world import World


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


def sign_in(api: Api, *roles: Role, **more: Any) -> Any:
    return api.client.post("/session", data={"token": api.token(*roles, **more)})


@pytest.fixture
def judged(world: World) -> None:
    world.put(account("alpha"), account("<b>beta", supportsHttpsTrafficOnly=True))
    compliance.refresh(store=world.store, book=world.book)


def test_a_stranger_sees_the_form_and_nothing_else(api: Api) -> None:
    answer = api.client.get("/")
    assert answer.status_code == 200
    assert 'name="token"' in answer.text
    assert "Compliance" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_session_is_a_cookie_that_scripts_cannot_read(api: Api) -> None:
    answer = sign_in(api)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert re.search(r"; HttpOnly; Max-Age=3\d\d\d; Path=/; SameSite=strict$", cookie), cookie


def test_behind_https_the_cookie_stays_there(api: Api) -> None:
    answer = api.client.post("/session", data={"token": api.token()}, headers={"x-forwarded-proto": "https"})
    assert "; Secure" in answer.headers["set-cookie"]


def test_a_session_is_no_token_of_the_api(api: Api) -> None:
    sign_in(api)
    assert "Sign out" in api.client.get("/").text
    problem(api.client.get("/api/v1/scans"), 401)
    problem(api.client.post("/api/v1/scans", json={}), 401)


def test_a_session_ends(api: Api) -> None:
    sign_in(api)
    assert api.client.post("/session/end").status_code == 303
    assert 'name="token"' in api.client.get("/").text


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 10_000])
def test_a_bad_token_gets_the_form_again(api: Api, token: str) -> None:
    answer = api.client.post("/session", data={"token": token})
    assert answer.status_code == 401
    assert "not one we accept" in answer.text
    assert "set-cookie" not in answer.headers


def test_who_may_not_read_may_not_look(api: Api) -> None:
    assert sign_in(api, Role.SENDER).status_code == 401


def test_other_sites_cannot_sign_anybody_in_or_out(api: Api) -> None:
    for path in ("/session", "/session/end"):
        for site in ("cross-site", "same-site"):
            answer = api.client.post(path, data={"token": api.token()}, headers={"sec-fetch-site": site})
            problem(answer, 403)


def test_other_bodies_are_no_form(api: Api) -> None:
    problem(api.client.post("/session", json={"token": api.token()}), 415)
    problem(api.client.post("/session", data={"token": "x" * 20_000}), 413)


def test_before_anything_was_judged_the_page_tells_how_to_begin(api: Api) -> None:
    sign_in(api)
    assert "cortex scan" in api.client.get("/").text


@pytest.mark.usefixtures("judged")
def test_the_page_shows_how_things_stand(api: Api, world: World) -> None:
    api.post("/scans", {})
    api.post("/remediations", {"findings": [world.finding(account("alpha"), "https-only").id]})
    sign_in(api)
    text = api.client.get("/").text
    assert "25.0" in text
    assert "1 of 4 settled judgements comply, on 2 resources" in text
    assert "<strong>Scan</strong>" in text
    assert "<strong>Remediation</strong> of 1 finding " in text
    assert "alpha" in text
    assert len(text) < 50_000


@pytest.mark.usefixtures("judged")
def test_names_from_the_cloud_are_text_and_never_markup(api: Api) -> None:
    sign_in(api)
    text = api.client.get("/").text
    assert "<b>beta" not in text
    assert "&lt;b&gt;beta" in text


@pytest.mark.usefixtures("judged")
def test_the_page_of_another_tenant_has_nothing_of_this_one(api: Api) -> None:
    sign_in(api, Role.ADMIN, tenant="fabrikam")
    text = api.client.get("/").text
    assert "alpha" not in text
    assert "Nothing has been judged yet" in text


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
            assert "application/problem+json" in operation["responses"]["400"]["content"]


def test_every_example_has_the_shape_that_is_asked_for(api: Api) -> None:
    made = json.loads(api.client.get("/api/openapi.json").text)
    tried = 0
    for path, methods in made["paths"].items():
        body = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in body.get("examples", {}).values():
            answer = api.client.post(path, json=example["value"], headers=api.headers())
            assert answer.status_code < 500
            assert "errors" not in answer.json(), answer.text
            tried += 1
    assert tried >= 7


@pytest.mark.parametrize(
    ("scores", "first", "last"),
    [([50.0, 60.0], (8.0, 112.0), (552.0, 8.0)), ([60.0, 60.0, 60.0], (8.0, 60.0), (552.0, 60.0))],
)
def test_a_trend_fills_its_drawing(scores: list[float], first: tuple[float, float], last: tuple[float, float]) -> None:
    spark = draw(scores)
    assert spark is not None
    assert spark.line.split()[0] == "{},{}".format(*first)
    assert spark.end == last
    assert spark.change == scores[-1] - scores[0]


def test_one_scan_is_no_trend() -> None:
    assert draw([]) is draw([50.0]) is None


def test_words_and_numbers_are_for_people() -> None:
    assert words("awaitingApproval") == "awaiting approval"
    assert number(1234567) == "1,234,567"


def test_the_tour_is_the_one_of_the_readme_at_this_address(api: Api) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    script = (page.FOLDER / "tour.sh").read_text(encoding="utf-8")
    assert script in readme
    shown = api.client.get("/tour", headers={"host": "cortex.example:8080"})
    assert shown.status_code == 200
    assert "API=http://cortex.example:8080/api/v1" in shown.text
    assert "<script" not in api.client.get("/tour", headers={"host": "<script>"}).text
