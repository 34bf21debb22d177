"""Resource types that Azure Policy never judges, though they are in its scope.

Source: the known issues in the README of github.com/Azure/azure-policy, 2026-11, in the sections that are named below.
Data-plane modes have types of their own, such as Microsoft.KeyVault.Data/vaults/secrets, which are judged.
"""

from collections.abc import Mapping

_BYPASSING = "resources of this type are exempt from policy evaluation"
_PASSED_THROUGH = "this type stands for what Resource Manager does not manage, which Azure Policy leaves out"
_TOO_MANY = "there are too many resources of this type for Azure Policy to look at them"
_ALONE: Mapping[str, str] = (
    dict.fromkeys(
        (
            # "The following resource types are also excluded from policy evaluation".
            "microsoft.automation/automationaccounts/jobs",
            "microsoft.cdn/cdnwebapplicationfirewallmanagedrulesets",
            "microsoft.cdn/edgenodes",
            "microsoft.classicnetwork/expressroutecrossconnections",
            "microsoft.compute/restorepointcollections/restorepoints",
            "microsoft.databricks/workspaces/dbworkspaces",
            "microsoft.documentdb/databaseaccounts/privateendpointconnectionproxies",
            "microsoft.keyvault/vaults/secrets",
            "microsoft.kubernetesconfiguration/extensions",
            "microsoft.maintenance/applyupdates",
            "microsoft.maintenance/configurationassignments",
            "microsoft.security/assessments",
            "microsoft.securityinsights/incidents",
            "microsoft.servicebus/namespaces/topics",
            "microsoft.sql/servers/databases/recommendedsensitivitylabels",
        ),
        _BYPASSING,
    )
    | dict.fromkeys(
        (
            # "Provider pass-through to non Azure Resource Manager resources".
            "microsoft.web/sites/deployments",
            "microsoft.web/sites/functions",
            "microsoft.web/sites/instances/deployments",
            "microsoft.web/sites/privateaccess",
            "microsoft.web/sites/siteextensions",
            "microsoft.web/sites/slots/deployments",
            "microsoft.web/sites/slots/functions",
            "microsoft.web/sites/slots/instances/deployments",
            "microsoft.web/sites/slots/siteextensions",
            "microsoft.web/sites/slots/sourcecontrols",
            "microsoft.web/sites/sourcecontrols",
        ),
        _PASSED_THROUGH,
    )
    | dict.fromkeys(
        (
            # "Resource types that exceed current enforcement and compliance scale".
            "microsoft.servicebus/namespaces/topics",
            "microsoft.servicebus/namespaces/topics/authorizationrules",
            "microsoft.servicebus/namespaces/topics/subscriptions",
            "microsoft.servicebus/namespaces/topics/subscriptions/rules",
        ),
        _TOO_MANY,
    )
)
# "Resource types in the following namespaces are excluded from policy evaluation", each with all types below it.
_WITH_CHILDREN = (
    "microsoft.billing/",
    "microsoft.capacity/reservationorders",
    "microsoft.diagnostics/",
    "microsoft.help/",
    "microsoft.resources/",
)
_JUDGED = frozenset(
    (
        "microsoft.resources/resourcegroups",
        "microsoft.resources/subscriptions",
        "microsoft.resources/subscriptions/resourcegroups",
    )
)


def exemption_of(resource_type: str) -> str:
    """Return why a type (lower case) is never judged; "" where it is."""
    if resource_type.startswith(_WITH_CHILDREN) and resource_type not in _JUDGED:
        return _BYPASSING
    return _ALONE.get(resource_type, "")
