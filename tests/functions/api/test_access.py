"""Who may do what: every cell of roles x operations, and every place a token must not come from."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from functions.api.app import ROUTERS, build
from functions.api.http.access import OPERATION_ROLES, SUBSCRIPTION_OPERATIONS
from functions.api.http.route import OperationRoute, make_router
from shared.adapters.local.identity import NoIdentity, SignedTokens
from shared.domain.identity import IMPLIED_ROLES, CallerKind, Role
from tests.fakes.clock import TENANT
from tests.fakes.cloud import SUBSCRIPTION
from tests.functions.api.conftest import Api, problem


def operations() -> Iterator[OperationRoute]:
    for noun in ROUTERS:
        for route in noun.router.routes:
            assert isinstance(route, OperationRoute), f"{route} has no role"
            yield route


OPERATIONS = {route.name: route for route in operations()}
GUARDED = [name for name, route in OPERATIONS.items() if route.role is not None]


def call(api: Api, route: OperationRoute, **headers: str) -> int:
    method = next(iter(route.methods))
    path = route.path.replace("{id}", "none").replace("{name}", "none")
    return api.client.request(method, path, headers=headers).status_code


def test_every_operation_is_in_the_table_and_nothing_else_is() -> None:
    assert set(OPERATION_ROLES) == set(OPERATIONS)


def test_every_route_of_the_app_is_an_operation(api: Api) -> None:
    assert {type(route) for route in api.app.routes if isinstance(route, Route)} == {OperationRoute}


def test_a_route_without_a_role_cannot_be_made() -> None:
    with pytest.raises(KeyError, match="forgotten"):
        make_router("Any").add_api_route("/forgotten", lambda: None, name="forgotten")


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_what_it_implies_and_no_more(api: Api, role: Role) -> None:
    headers = api.headers(role)
    answers = {name: call(api, OPERATIONS[name], **headers) for name in GUARDED}
    assert not {name: status for name, status in answers.items() if status in (401, 500)}
    allowed = {name for name, status in answers.items() if status != 403}
    assert allowed == {name for name in GUARDED if OPERATIONS[name].role in IMPLIED_ROLES[role]}


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
    assert body["detail"] == "the token is missing or not accepted; send `Authorization: Bearer <token>`"


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
        for given in ({}, {"authorization": "Bearer x"}, {"authorization": f"Bearer {api.token()}x"})
    ]
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="policycortex"'}


def test_a_refusal_names_the_role_that_is_missing(api: Api) -> None:
    body = problem(api.post("/scans", {}, Role.READER), 403)
    assert body["detail"] == "this needs the role 'operator'; the token has: reader"
    assert body["permission"] == "operator"


def test_who_is_not_allowed_is_refused_before_the_body_is_read(api: Api) -> None:
    problem(api.client.post("/api/v1/scans", content=b"\xff", headers=api.headers(Role.READER)), 403)
    problem(api.client.post("/api/v1/scans", content=b"\xff"), 401)


def test_where_no_identity_is_configured_everything_guarded_is_refused(api: Api) -> None:
    app = build(replace(api.ports, identity=NoIdentity()))
    problem(TestClient(app).get("/api/v1/scans", headers=api.headers()), 401)


def scoped(api: Api, role: Role, *scopes: str) -> dict[str, str]:
    identity = api.ports.identity
    assert isinstance(identity, SignedTokens)
    token = identity.mint("ada", [role], TENANT, timedelta(hours=1), scopes=scopes)
    return {"authorization": f"Bearer {token}"}


def test_a_role_in_a_subscription_opens_only_what_keeps_to_subscriptions(api: Api) -> None:
    headers = scoped(api, Role.ADMIN, f"/subscriptions/{SUBSCRIPTION}")
    allowed = {name for name in GUARDED if call(api, OPERATIONS[name], **headers) != 403}
    assert allowed == SUBSCRIPTION_OPERATIONS


def test_a_refusal_names_the_scope_that_is_missing(api: Api) -> None:
    body = problem(api.client.get("/api/v1/scans", headers=scoped(api, Role.READER, "/subscriptions/s")), 403)
    assert (body["permission"], body["scope"]) == ("reader", "/")


def test_a_program_is_known_as_one(api: Api) -> None:
    identity = api.ports.identity
    assert isinstance(identity, SignedTokens)
    token = identity.mint("pipeline", [Role.APPROVER], TENANT, timedelta(hours=1), kind=CallerKind.APPLICATION)
    known = identity.authenticate(token)
    assert (known.kind, known.subject) == (CallerKind.APPLICATION, "pipeline")
    assert identity.authenticate(api.token()).kind is CallerKind.USER
    assert known.token_id != identity.authenticate(api.token()).token_id


def test_a_role_in_the_tenant_and_in_a_subscription_counts_in_the_tenant(api: Api) -> None:
    headers = scoped(api, Role.READER, "/", "/subscriptions/s")
    assert api.client.get("/api/v1/scans", headers=headers).status_code == 200
