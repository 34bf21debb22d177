"""The rebuild operations: an admin asks for one and sees how far it is; nobody else may."""

from shared.domain.identity import Role
from shared.eventstore.store import Store
from shared.services import rebuild
from shared.services.policy import effective_policy
from tests.fakes.catalog import FixingCatalog
from tests.functions.api.conftest import Api


def test_a_rebuild_is_asked_for_and_looked_at(api: Api, store: Store) -> None:
    asked = api.post("/rebuilds", {"check": True})
    assert asked.status_code == 202
    assert asked.headers["location"].endswith("/api/v1/rebuilds/latest")
    begun = asked.json()
    assert (begun["phase"], begun["check"], begun["requestedBy"]) == ("projecting", True, "ada")
    policies = effective_policy.packaged(FixingCatalog())
    ports = api.ports
    for _ in range(10):
        rebuild.run(
            begun["id"], store=store, generations=ports.generations, queue=ports.queue, policies=lambda: policies
        )
    found = api.get("/rebuilds/latest").json()
    assert (found["phase"], found["different"]) == ("completed", {})
    assert found["endedAt"] is not None


def test_one_rebuild_goes_on_at_a_time(api: Api) -> None:
    first = api.post("/rebuilds").json()
    refused = api.post("/rebuilds")
    assert refused.status_code == 409
    assert first["id"] in refused.json()["detail"]


def test_only_an_admin_may(api: Api) -> None:
    for role in set(Role) - {Role.ADMIN}:
        assert api.post("/rebuilds", None, role).status_code == 403
        assert api.get("/rebuilds/latest", role).status_code == 403


def test_before_the_first_there_is_none(api: Api) -> None:
    assert api.get("/rebuilds/latest").status_code == 404
