"""Resource groups are planned from a seed, each by itself."""

from itertools import islice

from local.resource_template import templates
from local.workload import BLOCK_GROUPS, FIRST_BLOCK_GROUPS, WORKLOADS, guid, sample_group, sample_subscription, tenant


def test_every_workload_names_existing_templates() -> None:
    used = {name.rstrip("*") for members in WORKLOADS.values() for name in members}
    assert used <= templates().keys()
    hierarchy = {"managementGroup", "managementGroupSubscription", "subscription", "resourceGroup", "roleDefinition"}
    assert templates().keys() - used == hierarchy, "no template is forgotten"


def test_a_group_can_be_planned_without_those_before_it() -> None:
    far = FIRST_BLOCK_GROUPS * 15 + BLOCK_GROUPS * 40 + 17
    one, again = sample_group(7, far), sample_group(7, far)
    assert one.id == again.id
    assert [member.id for member in one.members()] == [member.id for member in again.members()]
    assert one.size == len(again.members())


def test_the_first_groups_of_a_block_hold_what_its_subscriptions_share() -> None:
    firsts = [sample_group(7, number) for number in range(6)]
    assert {each.workload for each in firsts} == {"management"}
    assert len({each.subscription.id for each in firsts}) == 6
    later = sample_group(7, 6)
    assert later.reference("workspace", 0) == next(
        member.id
        for each in firsts
        for member in each.members()
        if each.subscription == later.subscription and member.template.key == "workspace"
    )


def test_every_workload_is_in_the_first_groups() -> None:
    assert {sample_group(7, number).workload for number in range(16)} == WORKLOADS.keys()


def test_references_lead_to_the_resource_with_the_same_number() -> None:
    planned = next(
        each
        for each in (sample_group(7, number) for number in range(99))
        if each.workload == "machines" and each.scale > 1
    )
    ids = {(member.template.key, member.ordinal): member.id for member in planned.members()}
    assert planned.reference("vm", 1) == ids["vm", 1]
    assert planned.reference("vnet", 1) == ids["vnet", 0]
    assert ids["vmExtension", 1].startswith(ids["vm", 1] + "/extensions/")


def test_two_subscriptions_share_a_display_name_and_nothing_else() -> None:
    one, other = sample_subscription(7, 0, 0), sample_subscription(7, 0, 1)
    assert one.display_name == other.display_name
    assert one.id != other.id
    assert one.management_group != other.management_group


def test_blocks_double_up_to_their_limit() -> None:
    sizes: dict[int, int] = {}
    for number in range(FIRST_BLOCK_GROUPS * 15 + 2 * BLOCK_GROUPS):
        block = sample_group(7, number).subscription.block
        sizes[block] = sizes.get(block, 0) + 1
    assert list(islice(sizes.values(), 6)) == [100, 200, 400, 800, 1600, 1600]


def test_guids_are_valid_and_follow_from_their_parts() -> None:
    assert guid(7, "a") == guid(7, "a") != guid(7, "b")
    assert len(guid("x")) == 36
    assert guid("x")[14] == "4"
    assert tenant(7) != tenant(8)
