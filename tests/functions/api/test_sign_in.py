"""Sign-in links: each opens one session, once and soon; looking at it does not use it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from functions.pages.session import LINK_DURATION
from functions.pages.sign_in import WAITING_LINKS, SignInLinks
from shared.domain.error import Throttled
from shared.domain.identity import Role
from tests.fakes.clock import Clock
from tests.functions.api.conftest import Api, problem


def link(api: Api, *roles: Role, **more: Any) -> str:
    made = api.post("/sign-in-links", None, *roles, **more)
    assert made.status_code == 201
    path: str = made.json()["path"]
    return path


def refused(answer: Any) -> None:
    assert answer.status_code == 410
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<code>cortex sign-in</code> for a new one" in answer.text
    assert "cortex_session" not in answer.headers.get("set-cookie", "")


def test_a_link_opens_a_session_and_goes_home(api: Api) -> None:
    path = link(api, Role.OPERATOR, name="olga")
    assert re.fullmatch(r"/sign-in\?code=[\w-]{22}", path)
    answer = api.client.get(path)
    assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/", b"")
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers.get_list("set-cookie")[0]
    assert re.search(r"^cortex_session=.*; HttpOnly; Max-Age=3\d\d\d; Path=/; SameSite=strict$", cookie), cookie
    assert "<strong>olga</strong>" in api.client.get("/").text


def test_a_link_works_once_and_a_new_one_then(api: Api) -> None:
    path = link(api)
    assert api.client.get(path).status_code == 303
    refused(api.client.get(path))
    assert api.client.get(link(api)).status_code == 303


def test_of_many_who_open_a_link_at_once_one_gets_in(api: Api) -> None:
    path = link(api)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.client.get(path), range(8)))
    assert sorted(each.status_code for each in answers) == [303] + [410] * 7


def test_a_link_expires(api: Api, clock: Clock) -> None:
    early, late = link(api), link(api)
    clock.at += LINK_DURATION - timedelta(seconds=1)
    assert api.client.get(early).status_code == 303
    clock.at += timedelta(seconds=1)
    refused(api.client.get(late))


def test_a_link_is_of_one_start(api: Api) -> None:
    path = link(api)
    api.app.state.sign_in_links = SignInLinks(api.ports.now)
    refused(api.client.get(path))


@pytest.mark.parametrize("code", ["", "?code=", "?code=x", "?code=" + "a" * 5000, "?code=%00", "?code[]=x", "?Code=x"])
def test_what_is_no_code_is_refused(api: Api, code: str) -> None:
    link(api)
    refused(api.client.get(f"/sign-in{code}"))


def test_looking_does_not_use_a_link(api: Api) -> None:
    path = link(api)
    looked = api.client.head(path)
    assert (looked.status_code, looked.headers["location"]) == (303, "/")
    assert "set-cookie" not in looked.headers
    for name, value in (("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")):
        ahead = api.client.get(path, headers={name: value})
        assert ahead.status_code == 503
        assert "set-cookie" not in ahead.headers
    assert api.client.options(path).status_code == 204
    problem(api.client.post(path), 405)
    assert api.client.get(path).status_code == 303


def test_a_link_in_another_site_leads_over_a_page_of_ours(api: Api) -> None:
    """A browser sends a strict cookie only where a page of ours leads."""
    answer = api.client.get(link(api), headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text
    assert answer.headers["set-cookie"].startswith("cortex_session=")


def test_a_link_leads_nowhere_else(api: Api) -> None:
    hosts = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-prefix": "//evil.example"}
    for more in ("&next=//evil.example", "&redirect=https://evil.example", "&url=%2F%5Cevil.example"):
        answer = api.client.get(link(api) + more, headers=hosts)
        assert answer.headers["location"] == "/"
        assert "evil" not in f"{answer.headers}"


def test_a_link_takes_the_role_of_its_token_and_no_more(api: Api) -> None:
    problem(api.client.post("/api/v1/sign-in-links"), 401)
    problem(api.post("/sign-in-links", None, Role.SENDER), 403)
    api.client.get(link(api, Role.READER, name="ruth"))
    assert "(reader)" in api.client.get("/").text
    problem(api.client.post("/api/v1/sign-in-links"), 401)


def test_a_link_for_a_token_that_is_valid_no_more_is_refused(api: Api) -> None:
    code, _ = api.app.state.sign_in_links.create("no token")
    answer = api.client.get(f"/sign-in?code={code}")
    assert answer.status_code == 401
    assert "not accepted" in answer.text


def test_links_that_wait_are_bounded(clock: Clock) -> None:
    links = SignInLinks(clock)
    codes = {links.create("t")[0] for _ in range(WAITING_LINKS)}
    assert len(codes) == WAITING_LINKS
    with pytest.raises(Throttled) as error:
        links.create("t")
    assert 0 < error.value.retry_after <= LINK_DURATION.total_seconds()
    assert links.redeem(codes.pop()) == "t"
    assert links.create("t")
    clock.at += LINK_DURATION
    assert links.create("t")


def test_the_page_without_a_session_says_how_to_get_a_link(api: Api) -> None:
    assert "cortex sign-in" in api.client.get("/").text
