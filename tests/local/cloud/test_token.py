"""Only tokens of this sandbox that have not expired are accepted."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Sandbox, sandbox

PATH = "/subscriptions"


def status(http: Any, header: str) -> tuple[int, str]:
    reply = http("GET", PATH, version="2022-12-01", Authorization=header)
    return reply.status, reply.error if reply.status != 200 else ""


def test_a_valid_token_is_accepted(look: Any, still: Sandbox) -> None:
    assert status(look, f"Bearer {still.new_token(60)}") == (200, "")
    assert status(look, f"bearer {still.token}") == (200, "")
    assert status(look, f"Bearer {still.new_token(-1)}") == (401, "ExpiredAuthenticationToken")


def test_a_token_expires_at_its_time(start: Any, connect: Any, clock: Any) -> None:
    cloud = start(clock=clock)
    header = f"Bearer {cloud.new_token(60)}"
    assert status(connect(cloud), header)[0] == 200
    clock.at += timedelta(seconds=60)
    assert status(connect(cloud), header)[0] == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda token: token,
        lambda token: f"Basic {token}",
        lambda _: "Bearer ",
        lambda _: "Bearer x",
        lambda token: f"Bearer {token}x",
        lambda token: "Bearer " + token.replace(".", ".9", 1),
        lambda token: f"Bearer {token}.{token}",
        lambda token: "Bearer sandbox.x." + token.rpartition(".")[2],
    ],
)
def test_a_forged_token_is_refused(look: Any, still: Sandbox, spoil: Any) -> None:
    reply = look("GET", PATH, version="2022-12-01", Authorization=spoil(still.token))
    assert (reply.status, reply.error in {"AuthenticationFailed", "InvalidAuthenticationToken"}) == (401, True)
    assert reply.headers["www-authenticate"].startswith("Bearer ")


def test_a_token_of_another_sandbox_is_refused(look: Any, tmp_path: Path) -> None:
    with sandbox(tmp_path / "other.db", resources=0) as other:
        assert status(look, f"Bearer {other.token}") == (401, "InvalidAuthenticationToken")
