"""The contract of the port `Control`."""

from typing import Any

import pytest

from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.control import ArmControl
from shared.domain.error import (
    Conflict,
    Forbidden,
    InvalidInput,
    Locked,
    Malformed,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
)
from shared.domain.resource import Snapshot
from shared.ports.control import Method
from tests.adapters.cloud import SCOPE, Answer, Cloud, denied, error
from tests.adapters.control.conftest import TENANT, Time

ACCOUNT = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a"
BODY = {"id": ACCOUNT, "name": "a", "type": "Microsoft.Storage/storageAccounts", "properties": {"x": 1}}
OPERATION = "{endpoint}/operations/1"


def _read(control: ArmControl, resource_id: str = ACCOUNT) -> Snapshot | None:
    return control.read(tenant=TENANT, resource_id=resource_id, api_version="2023-05-01")


def _write(control: ArmControl, method: Method = "PUT", **options: Any) -> Snapshot | None:
    options = {"body": None if method == "DELETE" else {"properties": {"x": 1}}, **options}
    return control.write(tenant=TENANT, method=method, resource_id=ACCOUNT, api_version="2023-05-01", **options)


def test_a_resource_is_read_with_its_etag(cloud: Cloud, control: ArmControl) -> None:
    cloud.bodies[ACCOUNT] = BODY
    assert _read(control) == Snapshot(BODY, '"1"')
    assert cloud.calls[0].query == {"api-version": "2023-05-01"}


def test_an_etag_in_the_body_counts(cloud: Cloud, control: ArmControl) -> None:
    cloud.answers["GET", ACCOUNT] = {**BODY, "etag": "W/7"}
    snapshot = _read(control)
    assert snapshot is not None
    assert snapshot.etag == "W/7"


def test_what_does_not_exist_is_none(control: ArmControl) -> None:
    assert _read(control) is None


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_write_sends_the_body_and_the_etag(cloud: Cloud, control: ArmControl, method: Method) -> None:
    cloud.once(ACCOUNT, Answer(200, BODY, {"ETag": '"2"'}), method=method)
    assert _write(control, method, if_match='"1"') == Snapshot(BODY, '"2"')
    call = cloud.calls[0]
    assert (call.method, call.headers["if-match"], call.body) == (method, '"1"', {"properties": {"x": 1}})
    assert len(cloud.calls) == 1


def test_a_write_without_an_etag_sends_none(cloud: Cloud, control: ArmControl) -> None:
    cloud.bodies[ACCOUNT] = BODY
    cloud.once(ACCOUNT, Answer(201, BODY), method="PUT")
    assert _write(control) == Snapshot(BODY, '"1"')
    assert "if-match" not in cloud.calls[0].headers


@pytest.mark.parametrize("answer", [Answer(200), Answer(204), error(404, "ResourceNotFound")])
def test_a_delete_is_done_when_nothing_is_left(cloud: Cloud, control: ArmControl, answer: Answer) -> None:
    cloud.once(ACCOUNT, answer, method="DELETE")
    assert _write(control, "DELETE", if_match="*") is None
    assert cloud.calls[0].headers["if-match"] == "*"


def test_a_write_needs_a_body(control: ArmControl) -> None:
    with pytest.raises(InvalidInput, match="body"):
        _write(control, body=None)


def test_an_asynchronous_operation_is_followed_to_its_end(cloud: Cloud, control: ArmControl, time: Time) -> None:
    cloud.bodies[ACCOUNT] = BODY
    cloud.once(ACCOUNT, Answer(202, None, {"Azure-AsyncOperation": OPERATION, "Retry-After": "7"}), method="PATCH")
    running = Answer(200, {"status": "InProgress"}, {"Retry-After": "7"})
    cloud.once("/operations/1", running, running, Answer(200, {"status": "Succeeded"}))
    assert _write(control, "PATCH") == Snapshot(BODY, '"1"')
    assert time.waits == [7.0, 7.0]


def test_a_location_is_followed_to_its_end(cloud: Cloud, control: ArmControl) -> None:
    cloud.once(ACCOUNT, Answer(202, None, {"Location": OPERATION}), method="DELETE")
    cloud.once("/operations/1", Answer(202, None, {"Location": OPERATION}), Answer(204))
    assert _write(control, "DELETE") is None
    assert [call.method for call in cloud.calls] == ["DELETE", "GET", "GET"]


def test_an_operation_that_does_not_end_is_given_up_in_time(cloud: Cloud, control: ArmControl, time: Time) -> None:
    cloud.once(ACCOUNT, Answer(202, None, {"Azure-AsyncOperation": OPERATION, "Retry-After": "30"}), method="PATCH")
    cloud.always("/operations/1", Answer(200, {"status": "InProgress"}, {"Retry-After": "30"}))
    with pytest.raises(Unavailable, match="was still running after 230 s and may end later"):
        _write(control, "PATCH")
    assert time.now < 240


def test_an_operation_that_fails_says_why(cloud: Cloud, control: ArmControl) -> None:
    cloud.once(ACCOUNT, Answer(202, None, {"Azure-AsyncOperation": OPERATION}), method="PATCH")
    failed = {"status": "Failed", "error": {"code": "SkuNotAvailable", "message": "not in this region"}}
    cloud.always("/operations/1", Answer(200, failed))
    with pytest.raises(Conflict, match="SkuNotAvailable: not in this region"):
        _write(control, "PATCH")


def test_a_status_link_to_another_address_is_not_followed(cloud: Cloud, control: ArmControl) -> None:
    with Cloud() as stranger:
        link = {"Azure-AsyncOperation": f"{stranger.endpoint}/operations/1"}
        cloud.once(ACCOUNT, Answer(202, None, link), method="PATCH")
        with pytest.raises(Malformed, match="another address"):
            _write(control, "PATCH")
        assert stranger.calls == []


@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
@pytest.mark.parametrize("between", ["\\@", "/\\@", "@", " @", "#@", "?@"])
def test_a_status_link_that_names_two_hosts_sends_the_token_to_neither(
    cloud: Cloud, control: ArmControl, header: str, between: str
) -> None:
    with Cloud() as stranger:
        link = stranger.endpoint + between + cloud.endpoint.partition("://")[2] + "/operations/1"
        cloud.once(ACCOUNT, Answer(202, None, {header: link}), method="DELETE")
        with pytest.raises(Malformed, match="address"):
            _write(control, "DELETE")
        assert (len(cloud.calls), stranger.calls) == (1, [])


def test_the_locks_of_a_subscription_are_those_of_all_scopes_in_it(cloud: Cloud, control: ArmControl) -> None:
    listed = f"{SCOPE}/providers/Microsoft.Authorization/locks"
    group = ACCOUNT.partition("/providers/")[0]
    at = ((SCOPE, "a", "CanNotDelete"), (group, "b", "ReadOnly"), (ACCOUNT, "c", "ReadOnly"))
    found = [
        {"id": f"{scope}/providers/Microsoft.Authorization/locks/{name}", "properties": {"level": level}}
        for scope, name, level in at
    ]
    cloud.always(listed, Answer(200, {"value": found}))
    locks = control.locks(tenant=TENANT, subscription=SCOPE.rpartition("/")[2])
    assert [(each.scope, each.name, str(each.level)) for each in locks] == list(at)


def test_a_locked_resource_names_its_locks(cloud: Cloud, control: ArmControl) -> None:
    group = ACCOUNT.partition("/providers/")[0]
    text = f"The scope '{ACCOUNT}' cannot perform write operation because following scope(s) are locked: '{group}'."
    cloud.always(ACCOUNT, error(409, "ScopeLocked", f"{text} Please remove the lock and try again."))
    listed = f"{group}/providers/Microsoft.Authorization/locks"
    lock = {"id": f"{listed}/keep", "name": "keep", "properties": {"level": "ReadOnly"}}
    cloud.always(listed, Answer(200, {"value": [lock]}))
    with pytest.raises(Locked, match=f"a lock at {group} forbids changes of {ACCOUNT}: 'keep' .ReadOnly.$"):
        _write(control)


def test_a_lock_whose_name_cannot_be_read_is_named_by_its_scope(cloud: Cloud, control: ArmControl) -> None:
    cloud.always(ACCOUNT, error(409, "ScopeLocked", "locked"))
    cloud.always("locks", error(403, "AuthorizationFailed"))
    with pytest.raises(Locked, match=f"a lock at {ACCOUNT} forbids changes"):
        _write(control)


@pytest.mark.parametrize(
    ("answer", "expected", "message"),
    [
        (error(412, "PreconditionFailed"), Stale, "read it again"),
        (error(409, "AnotherOperationInProgress", "busy"), Conflict, "busy"),
        (error(400, "InvalidRequestContent", "no such member"), InvalidInput, "no such member"),
        (error(422, "Unprocessable"), InvalidInput, "Unprocessable"),
        (error(413, "RequestEntityTooLarge"), TooLarge, "too large"),
        (error(404, "ResourceGroupNotFound"), NotFound, "ResourceGroupNotFound"),
        (error(429, "Throttled", Retry_After="600"), Throttled, "600"),
        (Answer(400, "no error object"), InvalidInput, "no code"),
        (Answer(400, ["neither"]), InvalidInput, "no code"),
    ],
)
def test_errors_of_resource_manager_are_translated(
    cloud: Cloud, control: ArmControl, answer: Answer, expected: type[Exception], message: str
) -> None:
    cloud.always(ACCOUNT, answer)
    with pytest.raises(expected, match=message) as raised:
        _write(control)
    assert type(raised.value) is expected or expected is InvalidInput
    assert len(cloud.calls) == 1


def test_a_missing_permission_is_named(cloud: Cloud, control: ArmControl) -> None:
    cloud.always(ACCOUNT, denied("Microsoft.Storage/storageAccounts/write", ACCOUNT))
    with pytest.raises(Forbidden) as raised:
        _write(control)
    assert raised.value.permission == "Microsoft.Storage/storageAccounts/write"
    assert raised.value.scope == ACCOUNT


def test_a_denial_by_azure_policy_names_the_assignment(cloud: Cloud, control: ArmControl) -> None:
    info = {"policyAssignmentName": "a1", "policyAssignmentDisplayName": "Allowed locations"}
    refused = {
        "code": "RequestDisallowedByPolicy",
        "message": "disallowed by policy",
        "additionalInfo": [{"type": "PolicyViolation", "info": info}],
    }
    cloud.always(ACCOUNT, Answer(403, {"error": refused}))
    with pytest.raises(Forbidden, match=r"Azure Policy denies .*: Allowed locations") as raised:
        _write(control)
    assert raised.value.permission is None


@pytest.mark.parametrize(
    "fault",
    [
        Answer(drop=True),
        Answer(200, BODY, cut=True),
        Answer(200, BODY, garbled=True),
        error(503, "ServiceUnavailable"),
        error(500, "Internal"),
    ],
)
def test_a_write_whose_answer_is_lost_is_not_repeated(
    cloud: Cloud, control: ArmControl, time: Time, fault: Answer
) -> None:
    cloud.once(ACCOUNT, fault)
    with pytest.raises(Unavailable, match="the write may have happened"):
        _write(control, if_match='"1"')
    assert len(cloud.calls) == 1
    assert time.waits == []


def test_a_cloud_that_cannot_be_reached_has_not_written(time: Time) -> None:
    with Cloud() as gone:
        endpoint = gone.endpoint
    control = ArmControl(ArmConnection(TENANT, endpoint, StaticToken("t")), sleep=time.sleep)
    with pytest.raises(Unavailable, match="cannot be reached"):
        _write(control)
    control.close()


def test_a_throttled_write_was_not_done_and_is_sent_again(cloud: Cloud, control: ArmControl, time: Time) -> None:
    cloud.once(ACCOUNT, error(429, "Throttled", Retry_After="2"), Answer(200, BODY, {"ETag": '"2"'}))
    assert _write(control) == Snapshot(BODY, '"2"')
    assert time.waits == [2.0]


def test_a_read_whose_answer_is_lost_is_repeated(cloud: Cloud, control: ArmControl) -> None:
    cloud.bodies[ACCOUNT] = BODY
    cloud.once(ACCOUNT, Answer(drop=True), error(503, "ServiceUnavailable"))
    assert _read(control) == Snapshot(BODY, '"1"')


def test_a_write_answered_without_the_resource_is_read(cloud: Cloud, control: ArmControl) -> None:
    cloud.bodies[ACCOUNT] = BODY
    cloud.once(ACCOUNT, Answer(200, {"status": "Accepted"}), method="PATCH")
    assert _write(control, "PATCH") == Snapshot(BODY, '"1"')


def test_another_tenant_has_no_cloud(control: ArmControl) -> None:
    with pytest.raises(NotFound, match="fabrikam"):
        control.read(tenant="fabrikam", resource_id=ACCOUNT, api_version="1")
    with pytest.raises(NotFound):
        control.write(tenant="fabrikam", method="DELETE", resource_id=ACCOUNT, api_version="1")


def test_an_id_that_is_not_a_path_is_rejected(control: ArmControl) -> None:
    with pytest.raises(InvalidInput):
        _read(control, "//evil.example/x")
