"""kill -9 anywhere: what was begun is ended, as if nothing had happened, and nothing is done twice."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.domain.difference import differences
from tests.fakes.product import ROOT, Json, Product, end_group, free_ports, until

DOCUMENTS = ("resource", "finding", "change", "summary", "scan")
Documents = dict[str, dict[str, Json]]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("killed")) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(product: Product) -> Documents:
    """What a scan leaves behind that nothing happened to."""
    product.scan()
    return left(product)


def left(product: Product) -> Documents:
    """All that a scan leaves behind, whenever it ran and however often it was begun."""
    found = {kind: product.documents(kind) for kind in DOCUMENTS}
    (scan,) = found["scan"].values()
    return found | {"scan": {"the scan": {**scan, "id": ""}}}


# A scan


def test_a_scan_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path, undisturbed: Documents) -> None:
    with Product(tmp_path) as product:
        counting = product.cloud.fault("slow", delay=0.03)
        scan = product.post("/scans")
        for more in (3, 20):
            most = product.cloud.met(counting) + more
            until(lambda: product.cloud.met(counting), lambda now, most=most: now >= most)
            kill_while_running(product, scan)
        until(lambda: product.ran("scan_step"), bool)
        kill_while_running(product, scan)
        product.ended(f"/scans/{scan['id']}")
        found = left(product)
        for kind in DOCUMENTS:
            assert not differences(undisturbed[kind], found[kind]), kind
        again = product.post("/scans")
        assert again["status"] == "requested", "the dead scan holds up no other"


def kill_while_running(product: Product, scan: Json) -> None:
    product.kill()
    assert product.documents("scan")[scan["id"]]["status"] in {"requested", "running"}
    product.start()


def test_a_scan_survives_the_death_of_the_cloud(product: Product, undisturbed: Documents) -> None:
    counting = product.cloud.fault("slow", delay=0.01)
    scan = product.post("/scans")
    until(lambda: product.cloud.met(counting), lambda now: now >= 20)
    product.cloud.kill()
    product.cloud.start()
    ended = product.ended(f"/scans/{scan['id']}")
    assert ended["status"] in {"completed", "partial"}
    for name, each in product.documents("finding").items():
        if each["open"] and each["state"] == "nonCompliant":
            assert name in undisturbed["finding"], f"{name} failed for what could not be read"
    product.scan()
    assert settled(product.documents("finding")) == settled(undisturbed["finding"])
    assert product.documents("resource") == undisturbed["resource"]


def settled(findings: dict[str, Json]) -> dict[str, tuple[str, Any]]:
    """The open findings: what they say, and why."""
    return {name: (each["state"], each["evidence"]) for name, each in findings.items() if each["open"]}


# Remediations: one for each moment, all of them under way when the host dies

Begin = Callable[[Product, ExitStack, Json], str]


def while_planning(product: Product, stack: ExitStack, found: Json) -> str:
    wait = stack.enter_context(product.cloud.held(15, method="GET", scope=found["resourceId"]))
    asked = product.post("/remediations", {"findings": [found["id"]]})
    wait()
    return str(asked["id"])


def while_it_waits_for_approval(product: Product, _: ExitStack, found: Json) -> str:
    return str(product.plan(found["id"])["id"])


def before_the_write(product: Product, stack: ExitStack, found: Json) -> str:
    return _approved_until(product, stack, found, 15, method="GET")


def during_the_write(product: Product, stack: ExitStack, found: Json) -> str:
    """The cloud makes it while the host is dead."""
    return _approved_until(product, stack, found, 0.5, method="PATCH")


def during_a_slow_write(product: Product, stack: ExitStack, found: Json) -> str:
    """The cloud may make it after the host that came back has looked, and written itself."""
    return _approved_until(product, stack, found, 8, method="PATCH")


def after_a_lost_answer(product: Product, stack: ExitStack, found: Json) -> str:
    """The write was made, and nobody has heard of it."""
    product.cloud.fault("lostResponse", method="PATCH", scope=found["resourceId"], times=1)
    return _approved_until(product, stack, found, 15, method="GET", skip=1)


def between_apply_and_verify(product: Product, stack: ExitStack, found: Json) -> str:
    return _approved_until(product, stack, found, 15, method="GET", skip=1)


def when_approved(product: Product, _: ExitStack, found: Json) -> str:
    planned = product.plan(found["id"])
    product.approve(planned)
    return str(planned["id"])


def when_requested(product: Product, _: ExitStack, found: Json) -> str:
    return str(product.post("/remediations", {"findings": [found["id"]]})["id"])


def _approved_until(product: Product, stack: ExitStack, found: Json, seconds: float, **match: Any) -> str:
    """Approve a plan; the cloud has got a certain request for the resource, and takes its time."""
    planned = product.plan(found["id"])
    wait = stack.enter_context(product.cloud.held(seconds, **match, scope=found["resourceId"]))
    product.approve(planned)
    wait()
    return str(planned["id"])


MOMENTS: tuple[Begin, ...] = (
    while_planning,
    while_it_waits_for_approval,
    before_the_write,
    between_apply_and_verify,
    after_a_lost_answer,
    during_a_slow_write,
    during_the_write,
    when_approved,
    when_requested,
)
"""In the order of their begin: the last ones leave the least time until the end."""


@pytest.fixture(scope="module")
def killed(product: Product, undisturbed: Documents) -> dict[str, tuple[Json, str]]:
    """For each moment its finding and its remediation. The host died in the midst of all, and soon after again."""
    assert undisturbed
    findings = product.fixable()[: len(MOMENTS)]
    with ExitStack() as stack:
        begun = {
            moment.__name__: (found, moment(product, stack, found))
            for moment, found in zip(MOMENTS, findings, strict=True)
        }
        product.kill()
    looked = product.ran("remediation_look")
    product.start()
    until(lambda: product.ran("remediation_look"), lambda now: now > looked)
    product.kill()
    product.start()
    return begun


@pytest.fixture(scope="module")
def calm(product: Product, killed: object) -> Json:
    """How a remediation ends that nothing happened to."""
    assert killed
    found = product.fixable()[-1]
    planned = product.plan(found["id"])
    product.approve(planned)
    return outcome(product, product.ended(f"/remediations/{planned['id']}"))


def outcome(product: Product, ended: Json) -> Json:
    shown = ("outcome", "reason", "refusals")
    items = [{name: item[name] for name in shown} for item in product.items(ended["id"])]
    return {"status": ended["status"], "items": items}


@pytest.mark.parametrize("moment", [each.__name__ for each in MOMENTS])
def test_a_remediation_ends_as_one_that_was_not_killed(
    product: Product, killed: dict[str, tuple[Json, str]], calm: Json, moment: str
) -> None:
    found, remediation = killed[moment]
    assert outcome(product, product.finished(remediation)) == calm
    assert product.get(f"/findings/{found['id']}")["status"] == "resolved"
    assert once(written(product, found), moment)


def once(writes: list[str], moment: str) -> bool:
    """One write; the cloud makes the slow one whenever it likes, and types without etags cannot refuse it then."""
    late = moment == during_a_slow_write.__name__
    return writes[:1] == ["PATCH"] and writes.count("PATCH") <= 1 + late


def written(product: Product, found: Json) -> list[str]:
    """The writes to the resource of a finding, since the cloud began."""
    return [each["method"] for each in product.cloud.writes() if each["id"] == found["resourceId"]]


def test_a_rollback_that_was_killed_restores_once(product: Product, killed: dict[str, tuple[Json, str]]) -> None:
    found, remediation = killed["before_the_write"]
    path = f"/remediations/{remediation}"
    product.finished(remediation)
    with product.cloud.held(0.5, method="PATCH", scope=found["resourceId"]) as wait:
        product.post(f"{path}/rollback")
        product.post(f"{path}/rollback/approve", role="approver")
        wait()
        product.kill()
    product.start()
    assert product.ended(path)["status"] == "rolledBack"
    assert written(product, found) == ["PATCH", "PATCH"]
    until(lambda: product.get(f"/findings/{found['id']}"), lambda now: now["open"])


def test_a_remediation_survives_the_death_of_the_cloud(product: Product, calm: Json) -> None:
    found, other = product.fixable()[:2]
    before = product.cloud.last()
    planned = product.plan(found["id"], other["id"])
    with product.cloud.held(method="PATCH", scope=found["resourceId"]) as wait:
        product.approve(planned)
        wait()
        product.cloud.kill()
        product.cloud.start()
    ended = product.ended(f"/remediations/{planned['id']}")
    assert {each["outcome"] for each in product.items(ended["id"])} == {calm["items"][0]["outcome"]}
    # A write of an earlier test, held back when its host died, may land only now: it is that test's own.
    planned_ids = {found["resourceId"], other["resourceId"]}
    made = Counter(each["id"] for each in product.cloud.writes(before) if each["id"] in planned_ids)
    assert made == dict.fromkeys(planned_ids, 1)


def test_what_many_deaths_left_is_what_a_scan_from_nothing_finds(
    product: Product, tmp_path: Path, killed: dict[str, tuple[Json, str]]
) -> None:
    """The state that grew through every kill, against a fresh one that reads the same cloud once."""
    for moment, (found, remediation) in killed.items():
        product.finished(remediation)
        undone = moment == "before_the_write"  # by one more write, see the rollback
        assert once(written(product, found)[: -1 if undone else None], moment), moment
    product.scan()
    with Product(tmp_path, cloud=product.cloud) as fresh:
        fresh.scan()
        assert settled(product.documents("finding")) == settled(fresh.documents("finding"))
        assert product.summary() == fresh.summary()


# Everything at once


def test_the_whole_process_group_dies_and_a_term_is_graceful(tmp_path: Path) -> None:
    port = free_ports()
    with run(port, tmp_path):
        until(lambda: scans(port, tmp_path), bool)
    with run(port, tmp_path) as second:
        (scan,) = until(lambda: scans(port, tmp_path), lambda found: found and found[0]["endedAt"])
        assert scan["status"] in {"completed", "partial"}
        second.terminate()
        assert second.wait(30) == 0
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{port + 1}/admin/health")


@contextlib.contextmanager
def run(port: int, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`cortex run`, in a process group of its own, all of which is killed in the end."""
    command = [sys.executable, "-m", "cli", "run", "--port", str(port), "--resources", "120"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
    env |= {"CORTEX_STATE": str(state)}
    with (state / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        end_group(process)


def scans(port: int, state: Path) -> list[Json]:
    """The scans as the API lists them; none while it does not answer."""
    try:
        token = json.loads((state / "local.json").read_text(encoding="utf-8"))["operator"]
        answer = httpx2.get(f"http://127.0.0.1:{port}/api/v1/scans", headers={"authorization": f"Bearer {token}"})
    except (OSError, httpx2.HTTPError):
        return []
    found: list[Json] = answer.json()["items"]
    return found
