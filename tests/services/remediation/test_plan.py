"""Plans: exact, tried on paper, refused where they would guess."""

from typing import Any

import orjson
import pytest

from shared.domain.body import fingerprint
from shared.domain.error import (
    Conflict,
    CortexError,
    Damaged,
    Forbidden,
    Locked,
    Malformed,
    Stale,
    Throttled,
    TooLarge,
    Unauthenticated,
)
from shared.domain.finding import resource_key
from shared.domain.item import ItemOutcome
from shared.domain.plan import PlanItem, RemediationPlan, item_hash
from shared.domain.remediation import Remediation, RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import content
from shared.services.policy import effective_policy
from shared.services.remediation import plan, rollback
from tests.fakes.catalog import FixingCatalog, of, patched
from tests.fakes.catalog import policy as rule
from tests.fakes.cloud import GROUP, SETTING, STORAGE, VAULT, account, resource
from tests.fakes.world import REMEDIATION, World


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


def with_policies(world: World, *more: Any) -> World:
    world.policies = effective_policy.packaged(FixingCatalog(*more))
    return world


def planned(world: World, body: dict[str, Any], *names: str) -> tuple[Remediation, list[PlanItem]]:
    world.put(body)
    world.request(body, *names)
    known = world.plan()
    return known, world.planned()


TAGGED = rule(
    "tagged",
    of(GROUP, field="tags['owner']", exists=False),
    {
        "effect": "modify",
        "details": {
            "roleDefinitionIds": ["/providers/Microsoft.Authorization/roleDefinitions/x"],
            "operations": [{"operation": "addOrReplace", "field": "tags['owner']", "value": "team-a"}],
        },
    },
)
APPENDED = rule(
    "bypass",
    of(STORAGE, field=f"{STORAGE}/networkAcls.bypass", notEquals="AzureServices"),
    {"effect": "modify", "details": {
        "roleDefinitionIds": ["/x"],
        "operations": [
            {"operation": "addOrReplace", "field": f"{STORAGE}/networkAcls.bypass", "value": "AzureServices"},
        ],
    }},
)  # fmt: skip
LOGGED = rule(
    "logged",
    {"field": "type", "equals": VAULT},
    {
        "effect": "deployIfNotExists",
        "details": {
            "type": SETTING,
            "roleDefinitionIds": ["/x"],
            "existenceCondition": {"field": f"{SETTING}/workspaceId", "exists": True},
            "deployment": {
                "properties": {
                    "mode": "incremental",
                    "parameters": {"vault": {"value": "[field('id')]"}},
                    "template": {
                        "parameters": {"vault": {"type": "string"}},
                        "resources": [
                            {
                                "type": SETTING,
                                "apiVersion": "2021-05-01-preview",
                                "name": "logs",
                                "scope": "[parameters('vault')]",
                                "properties": {"workspaceId": "/workspaces/central"},
                            }
                        ],
                    },
                }
            },
        },
    },
)


def test_a_property_patch_becomes_the_smallest_patch(world: World) -> None:
    body = account()
    known, whole = planned(world, body, "https-only")
    (item,) = whole
    (operation,) = item.operations
    assert known.status == RemediationStatus.AWAITING_APPROVAL
    assert (operation.method, operation.body) == ("PATCH", {"properties": {"supportsHttpsTrafficOnly": True}})
    assert (operation.if_match, operation.api_version) == ('"1"', "2023-05-01")
    assert operation.before == fingerprint(body)
    assert [(each.path, each.before, each.after) for each in world.item().operations[0].differences] == [
        ("properties.supportsHttpsTrafficOnly", False, True)
    ]
    assert item.notes == ("https-only: Low risk. Clients must follow. At once. None.",)
    assert world.item().notes == item.notes


def test_the_state_before_is_kept_as_read(world: World) -> None:
    body = account()
    _, whole = planned(world, body, "https-only")
    backup = whole[0].operations[0].backup
    kept = content.load_json(backup, blobs=world.store.blobs, tenant=world.store.tenant)
    assert kept == {"body": body, "etag": '"1"', "apiVersion": "2023-05-01"}


def test_findings_on_one_resource_become_one_operation(world: World) -> None:
    known, whole = planned(world, account(), "https-only", "tls-1-2")
    assert known.item_count == 1
    (operation,) = whole[0].operations
    assert operation.body == {"properties": {"supportsHttpsTrafficOnly": True, "minimumTlsVersion": "TLS1_2"}}
    assert set(world.item().policies) == {"baseline/https-only", "baseline/tls-1-2"}


def test_a_modify_of_tags_sends_all_tags(world: World) -> None:
    _, whole = planned(with_policies(world, TAGGED), resource(GROUP, "nsg", {"securityRules": []}), "tagged")
    (operation,) = whole[0].operations
    assert (operation.method, operation.body) == ("PATCH", {"tags": {"env": "test", "owner": "team-a"}})


def test_a_modify_of_properties_changes_what_it_names(world: World) -> None:
    _, whole = planned(with_policies(world, APPENDED), account(), "bypass")
    assert whole[0].operations[0].body == {"properties": {"networkAcls": {"bypass": "AzureServices"}}}


def test_an_append_puts_the_whole_body_where_patch_is_not_known_to_merge(world: World) -> None:
    member = {"name": "deny-all", "properties": {"access": "Deny"}}
    name = f"{GROUP}/securityRules[*]"
    appended = rule(
        "deny-all",
        of(GROUP, count={"field": name, "where": {"field": f"{name}.name", "equals": "deny-all"}}, less=1),
        {"effect": "append", "details": [{"field": name, "value": member}]},
    )
    nsg = resource(GROUP, "nsg", {"securityRules": [{"name": "other", "properties": {"access": "Allow"}}]})
    _, whole = planned(with_policies(world, appended), nsg, "deny-all")
    (operation,) = whole[0].operations
    assert operation.method == "PUT"
    assert [each["name"] for each in operation.body["properties"]["securityRules"]] == ["other", "deny-all"]
    assert "provisioningState" not in operation.body["properties"]
    assert "id" not in operation.body


def test_a_template_becomes_puts_of_what_it_deploys(world: World) -> None:
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    _, whole = planned(with_policies(world, LOGGED), vault, "logged")
    (operation,) = whole[0].operations
    assert operation.resource_id == f"{vault['id']}/providers/{SETTING}/logs"
    assert (operation.method, operation.before, operation.if_match) == ("PUT", None, None)
    assert operation.body == {"properties": {"workspaceId": "/workspaces/central"}}
    assert operation.target["type"] == SETTING


def test_a_template_is_laid_over_what_there_is(world: World) -> None:
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    setting = {
        "id": f"{vault['id']}/providers/{SETTING}/logs",
        "name": "logs",
        "type": SETTING,
        "properties": {"storageAccountId": "/accounts/archive"},
    }
    world.cloud.put(setting)
    _, whole = planned(with_policies(world, LOGGED), vault, "logged")
    (operation,) = whole[0].operations
    assert operation.body["properties"] == {
        "storageAccountId": "/accounts/archive",
        "workspaceId": "/workspaces/central",
    }
    assert operation.if_match == '"1"'


def changed(name: str, **changes: Any) -> Any:
    """LOGGED with another deployment."""
    source = orjson.loads(orjson.dumps(LOGGED.definition))
    deployment = source["properties"]["policyRule"]["then"]["details"]["deployment"]["properties"]
    deployment.update(changes)
    return rule(name, source["properties"]["policyRule"]["if"], source["properties"]["policyRule"]["then"])


ELSEWHERE = {"type": SETTING, "apiVersion": "1", "name": "logs", "scope": "/subscriptions/2", "properties": {}}
KEYED = {**ELSEWHERE, "scope": "[parameters('vault')]", "properties": {"key": "[listKeys('/workspaces/w', '1').key]"}}


def test_the_loops_of_a_template_become_puts(world: World) -> None:
    copied = {
        **KEYED,
        "name": "[concat('logs-', copyIndex(1))]",
        "copy": {"name": "all", "count": 2},
        "properties": {"workspaceId": "/workspaces/central"},
    }
    template = {"parameters": {"vault": {"type": "string"}}, "resources": [copied]}
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    _, whole = planned(with_policies(world, changed("logged", template=template)), vault, "logged")
    assert [each.resource_id.rpartition("/")[2] for each in whole[0].operations] == ["logs-1", "logs-2"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"template": None}, "no template"),
        ({"mode": "Complete"}, "incremental"),
        ({"template": {"resources": [ELSEWHERE]}}, "not in the resource's subscription"),
        ({"template": {"resources": [{**ELSEWHERE, "copy": {"count": 2}}]}}, "copy"),
        ({"template": {"resources": [{**ELSEWHERE, "scope": "[reference('x').id]"}]}}, "reference"),
        (
            {"template": {"parameters": {"vault": {}}, "resources": [KEYED, ELSEWHERE]}},
            f"properties.key of {SETTING} logs (known after deployment: listKeys('/workspaces/w', '1').key); start a",
        ),
        (
            {"template": {"resources": [{**ELSEWHERE, "properties": {f"k{n}": "[newGuid()]" for n in range(7)}}]}},
            f"properties.k4 of {SETTING} logs (known after deployment: newGuid()) and 2 more; start",
        ),
        ({"template": {"resources": [{**ELSEWHERE, "scope": "[parameters('nobody')]"}]}}, "nobody"),
    ],
)
def test_what_cannot_be_told_exactly_is_refused(world: World, changes: dict[str, Any], why: str) -> None:
    known, whole = planned(
        with_policies(world, changed("logged", **changes)),
        resource(VAULT, "kv", {"enablePurgeProtection": True}),
        "logged",
    )
    assert known.status == RemediationStatus.FAILED
    assert (world.item().outcome, whole[0].operations) == (ItemOutcome.REFUSED, ())
    assert why in world.item().reason


def test_fixes_that_undo_each_other_are_refused_by_name(world: World) -> None:
    tls_3 = rule(
        "tls-1-3",
        of(STORAGE, field=f"{STORAGE}/minimumTlsVersion", notEquals="TLS1_3"),
        **patched(STORAGE, minimumTlsVersion="TLS1_3"),
    )
    known, whole = planned(with_policies(world, tls_3), account(), "https-only", "tls-1-2", "tls-1-3")
    (item,) = whole
    assert [refusal.reason for refusal in item.refusals] == [
        "its fix and that of baseline/tls-1-3 want different values for the same part of the resource",
        "its fix and that of baseline/tls-1-2 want different values for the same part of the resource",
    ]
    assert item.operations[0].body == {"properties": {"supportsHttpsTrafficOnly": True}}
    assert known.status == RemediationStatus.AWAITING_APPROVAL


def test_a_fix_that_would_not_help_is_refused(world: World) -> None:
    useless = rule(
        "owned", of(STORAGE, field="tags['owner']", exists=False), **patched(STORAGE, minimumTlsVersion="TLS1_2")
    )
    known, _ = planned(with_policies(world, useless), account(), "owned")
    assert known.status == RemediationStatus.FAILED
    assert "would leave the resource nonCompliant" in world.item().reason


def test_a_fix_that_would_break_another_policy_is_refused(world: World) -> None:
    legacy = rule("legacy-tls", of(STORAGE, field=f"{STORAGE}/minimumTlsVersion", equals="TLS1_2"))
    known, _ = planned(with_policies(world, legacy), account(), "tls-1-2")
    assert known.status == RemediationStatus.FAILED
    assert "would violate baseline/legacy-tls" in world.item().reason


def test_what_complies_by_now_is_left_alone(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.cloud.put(account(supportsHttpsTrafficOnly=True))
    known = world.plan()
    assert (known.status, world.item().outcome) == (RemediationStatus.SUCCEEDED, ItemOutcome.SKIPPED)
    assert "complies already" in world.item().reason


def test_what_is_not_in_the_cloud_cannot_be_fixed(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.cloud.bodies.clear()
    known = world.plan()
    assert (known.status, world.item().outcome, world.item().reason) == (
        RemediationStatus.FAILED,
        ItemOutcome.REFUSED,
        "the resource is not in the connected cloud: it was deleted, or was only imported",
    )


def test_a_resource_that_may_not_be_read_is_refused_and_the_others_are_planned(world: World) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(first, "https-only", more=(world.finding(second, "https-only").id,))
    world.cloud.faults.append(Forbidden("no permission to read alpha"))
    world.plan()
    assert [item.outcome for item in world.items()] == [ItemOutcome.REFUSED, ItemOutcome.PENDING]
    assert world.item().reason == "no permission to read alpha"


@pytest.mark.parametrize(
    "error", [Forbidden("no permission to read alpha"), Malformed("the cloud answered alpha with no object")]
)
def test_a_remediation_of_which_nothing_can_be_planned_says_why(world: World, error: CortexError) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.cloud.faults.append(error)
    known = world.plan()
    assert (known.status, known.reason) == (RemediationStatus.FAILED, f"1 of 1 items: {error.message}")


def test_a_plan_that_waits_says_until_when_and_why_and_gives_up_after_a_day(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.cloud.faults.append(Throttled("asked to wait 600 s", retry_after=600))
    known = world.plan()
    assert known.waiting_until is not None
    assert (known.status, known.reason) == (RemediationStatus.PLANNING, "asked to wait 600 s")
    assert world.step() == "slept"
    world.sleep(plan.GIVE_UP_AFTER.total_seconds())
    world.cloud.faults.append(Throttled("asked to wait 600 s", retry_after=600))
    ended = world.plan()
    assert (ended.status, ended.reason) == (RemediationStatus.FAILED, "given up after a day: asked to wait 600 s")


def test_a_throttled_plan_is_made_later(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    world.cloud.faults.append(Throttled("slow down", retry_after=7))
    assert world.plan().status == RemediationStatus.PLANNING
    assert world.plan_batch().status == RemediationStatus.AWAITING_APPROVAL


def test_planning_twice_records_one_plan(world: World) -> None:
    known, _ = planned(world, account(), "https-only")
    assert world.plan() == known
    assert world.event_types().count("remediationPlanned") == 1


def test_the_hash_covers_every_part_of_the_plan(world: World) -> None:
    _, whole = planned(world, account(), "https-only")
    item = whole[0]
    operation, served = item.operations[0], item.policies[0].model_copy(update={"digest": "0"})
    others = [
        operation.model_copy(update={"body": {"properties": {"supportsHttpsTrafficOnly": False}}}),
        operation.model_copy(update={"before": "0" * 64}),
        operation.model_copy(update={"if_match": '"2"'}),
        operation.model_copy(update={"api_version": "2020-01-01"}),
        operation.model_copy(update={"resource_id": "/other"}),
    ]
    items = [item, *(item.model_copy(update={"operations": (each,)}) for each in others)]
    items.append(item.model_copy(update={"policies": (served,)}))
    plans = [RemediationPlan(remediation=REMEDIATION, items=(item_hash(each),)) for each in items]
    assert len({each.hash for each in plans}) == 7
    assert plans[0].hash == world.now().plan_hash


def test_the_same_estate_gives_the_same_plan_in_any_order_of_asking(world: World) -> None:
    first, second = account("alpha"), account("beta")
    world.put(first, second)
    world.request(
        second, "tls-1-2", more=(world.finding(first, "https-only").id, world.finding(second, "https-only").id)
    )
    known = world.plan()
    assert [item.resource_id for item in world.items()] == sorted([first["id"], second["id"]], key=resource_key)
    assert known.finding_count == 3
    assert known.counts == {"pending": 2}


def test_a_cancel_while_planning_wins(world: World) -> None:
    body = account()
    world.put(body)
    world.request(body, "https-only")
    rollback.cancel(REMEDIATION, store=world.store, queue=world.queue)
    assert world.plan().status == RemediationStatus.CANCELLED


@pytest.mark.parametrize("error", [Conflict, Locked, Stale, TooLarge, Damaged, Unauthenticated, Forbidden, Malformed])
def test_a_resource_that_cannot_be_read_is_refused_and_the_others_are_planned(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[CortexError]
) -> None:
    bodies = [account(name) for name in ("alpha", "beta", "gamma")]
    world.put(*bodies)
    world.request(bodies[0], "https-only", more=tuple(world.finding(each, "https-only").id for each in bodies[1:]))
    read = world.cloud.read

    def reading(*, resource_id: str, **given: Any) -> Any:
        if resource_id.lower() == bodies[1]["id"].lower():
            raise error("no look at this one")
        return read(resource_id=resource_id, **given)

    monkeypatch.setattr(world.cloud, "read", reading)
    known = world.plan()
    assert (known.status, known.counts) == (RemediationStatus.AWAITING_APPROVAL, {"pending": 2, "refused": 1})
    (refused,) = [each for each in world.items() if each.outcome == ItemOutcome.REFUSED]
    assert (refused.resource_id, refused.reason) == (bodies[1]["id"], "no look at this one")
