"""The rule on management ports, the longest of the catalog, over the ways a port can be opened."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Policy, judge
from tests.catalog.conftest import context_of, fixture_of

POLICY = "nsg-no-open-management"


def judged(policies: Mapping[str, Policy], **changes: Any) -> State:
    """The verdict on a group with one rule that opens port 22 to everyone, changed; None removes a property."""
    body = deepcopy(fixture_of(POLICY)["pass"]["body"])
    rule = body["properties"]["securityRules"][0]
    rule["properties"] |= {"sourceAddressPrefix": "*", "destinationPortRange": "22", **changes}
    rule["properties"] = {key: value for key, value in rule["properties"].items() if value is not None}
    body["properties"]["securityRules"] = [rule]
    resource = Resource(body)
    return judge(policies[POLICY], resource, context_of(resource)).state


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"protocol": "*"},
        {"sourceAddressPrefix": "Internet"},
        {"sourceAddressPrefix": "0.0.0.0/0"},
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["10.0.0.0/8", "::/0"]},
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["0.0.0.0/1", "128.0.0.0/1"]},
        {"destinationPortRange": "*"},
        {"destinationPortRange": "3389"},
        {"destinationPortRange": "20-25"},
        {"destinationPortRange": None, "destinationPortRanges": ["443", "3000-4000"]},
        {"destinationPortRange": "", "destinationPortRanges": ["5985"]},
    ],
)
def test_open_ports_are_found(changes: dict[str, Any], policies: Mapping[str, Policy]) -> None:
    assert judged(policies, **changes) == State.NON_COMPLIANT


@pytest.mark.parametrize(
    "changes",
    [
        {"access": "Deny"},
        {"direction": "Outbound"},
        {"protocol": "Udp"},
        {"sourceAddressPrefix": "10.0.0.0/8"},
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["10.0.0.0/8"]},
        {"destinationPortRange": "443"},
        {"destinationPortRange": "23-3388"},
        {"destinationPortRange": None, "destinationPortRanges": []},
        {"destinationPortRange": None, "destinationPortRanges": ["80", "8000-9000"]},
    ],
)
def test_closed_ports_are_left_alone(changes: dict[str, Any], policies: Mapping[str, Policy]) -> None:
    assert judged(policies, **changes) == State.COMPLIANT
