"""Who may do what: every cell of roles x operations, and every place a token must not come from."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from functions.api.access import ROLES
from functions.api.app import ROUTERS, build
from functions.api.route import Operation, router
from shared.adapters.local.identity import NoIdentity
from shared.domain.identity import IMPLIED, Role
from tests.functions.api.conftest import Api, problem


def operations() -> Iterator[Operation]:
    for noun in ROUTERS:
        for route in noun.router.routes:
            assert isinstance(route, Operation), f"{route} has no role"
            yield route


OPERATIONS = {route.name: route for route in operations()}
GUARDED = [name for name, route in OPERATIONS.items() if route.role is not None]


def call(api: Api, route: Operation, **headers: str) -> int:
    method = next(iter(route.methods))
    path = route.path.replace("{id}", "none").replace("{name}", "none")
    return api.client.request(method, path, headers=headers).status_code


def test_every_operation_is_in_the_table_and_nothing_else_is() -> None:
    assert set(ROLES) == set(OPERATIONS)


def test_every_route_of_the_app_is_an_operation(api: Api) -> None:
    assert {type(route) for route in api.app.routes if isinstance(route, Route)} == {Operation}


def test_a_route_without_a_role_cannot_be_made() -> None:
    with pytest.raises(KeyError, match="forgotten"):
        router("Any").add_api_route("/forgotten", lambda: None, name="forgotten")


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_what_it_implies_and_no_more(api: Api, role: Role) -> None:
    headers = api.headers(role)
    answers = {name: call(api, OPERATIONS[name], **headers) for name in GUARDED}
    assert not {name: status for name, status in answers.items() if status in (401, 500)}
    allowed = {name for name, status in answers.items() if status != 403}
    assert allowed == {name for name in GUARDED if OPERATIONS[name].role in IMPLIED[role]}


def test_nobody_may_do_anything_guarded(api: Api) -> None:
    assert {call(api, OPERATIONS[name]) for name in GUARDED} == {401}


def test_what_is_public_asks_for_no_token(api: Api) -> None:
    public = [name for name, route in OPERATIONS.items() if route.role is None]
    assert not {name for name in public if call(api, OPERATIONS[name]) in (401, 403)}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic YWRhOnB3"},
        {"authorization": "{token}"},
        {"authorization": "Bearer  {token}"},
        {"authorization": "Bearer {token}, Bearer {token}"},
        {"x-token": "{token}"},
        {"cookie": "cortex_session={token}; token={token}"},
    ],
)
def test_a_token_counts_in_the_authorization_header_only(api: Api, headers: dict[str, str]) -> None:
    given = {name: value.replace("{token}", api.token()) for name, value in headers.items()}
    body = problem(api.client.get("/api/v1/scans", headers=given), 401)
    assert body["detail"] == "the token is missing or not one we accept; send `Authorization: Bearer <token>`"


def test_a_token_in_the_address_does_not_count(api: Api) -> None:
    for name in ("token", "access_token", "authorization"):
        problem(api.client.get("/api/v1/scans", params={name: api.token()}), 401)


def test_two_authorization_headers_are_refused(api: Api) -> None:
    token = f"Bearer {api.token()}"
    problem(api.client.get("/api/v1/scans", headers=[("authorization", token), ("authorization", token)]), 401)


def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    assert api.client.get("/api/v1/scans", headers={"authorization": f"bearer {api.token()}"}).status_code == 200


def test_all_refusals_look_the_same(api: Api) -> None:
    answers = [
        api.client.get("/api/v1/scans", headers={"x-correlation-id": "c", **given})
        for given in ({}, {"authorization": "Bearer x"}, {"authorization": f"Bearer {api.token()[:-1]}A"})
    ]
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="policycortex"'}


def test_a_refusal_names_the_role_that_is_missing(api: Api) -> None:
    body = problem(api.post("/scans", {}, Role.READER), 403)
    assert body["detail"] == "this needs the role 'operator'; the token has: reader"
    assert body["permission"] == "operator"


def test_who_is_not_allowed_is_told_before_the_body_is_read(api: Api) -> None:
    problem(api.client.post("/api/v1/scans", content=b"\xff", headers=api.headers(Role.READER)), 403)
    problem(api.client.post("/api/v1/scans", content=b"\xff"), 401)


def test_where_no_identity_is_configured_everything_guarded_is_refused(api: Api) -> None:
    app = build(replace(api.ports, identity=NoIdentity()))
    problem(TestClient(app).get("/api/v1/scans", headers=api.headers()), 401)
