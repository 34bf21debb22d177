"""The key order of initiatives and assignments, as the documentation and Azure's own files write them."""

from collections.abc import Mapping

from shared.services.library import Shape

Plan = Mapping[str, "Plan | None"] | tuple["Plan"]
"""Keys in their order with the plan of what stands below them: a tuple for arrays, None for what stays as it is."""

ANY_NAME = "*"
"""The only key of a plan for objects whose keys are names."""

PARAMETER = (
    "type",
    "metadata",
    "schema",
    "allowedValues",
    "minValue",
    "maxValue",
    "minLength",
    "maxLength",
    "defaultValue",
)


def _keys(*names: str) -> dict[str, Plan | None]:
    return dict.fromkeys(names)


_ARGUMENTS: Plan = {ANY_NAME: _keys("value")}
_SELECTORS: Plan = (_keys("kind", "in", "notIn"),)

OUTER: Mapping[Shape, Mapping[str, Plan | None]] = {
    Shape.INITIATIVE: _keys("name", "type", "id", "properties", "systemData"),
    Shape.ASSIGNMENT: _keys("name", "type", "id", "location", "identity", "properties", "systemData"),
}
"""What stands around `properties`."""

INNER: Mapping[Shape, Mapping[str, Plan | None]] = {
    Shape.INITIATIVE: {
        **_keys("displayName", "description", "policyType", "metadata", "version", "versions"),
        "policyDefinitionGroups": (_keys("name", "displayName", "category", "description", "additionalMetadataId"),),
        "parameters": {ANY_NAME: _keys(*PARAMETER)},
        "policyDefinitions": (
            {
                **_keys("policyDefinitionReferenceId", "policyDefinitionId", "definitionVersion"),
                **_keys("latestDefinitionVersion", "effectiveDefinitionVersion"),
                "parameters": _ARGUMENTS,
                "groupNames": None,
            },
        ),
    },
    Shape.ASSIGNMENT: {
        **_keys("displayName", "description", "metadata", "scope", "notScopes", "policyDefinitionId"),
        **_keys("definitionVersion", "enforcementMode"),
        "parameters": _ARGUMENTS,
        "nonComplianceMessages": (_keys("message", "policyDefinitionReferenceId"),),
        "resourceSelectors": ({"name": None, "selectors": _SELECTORS},),
        "overrides": ({"kind": None, "value": None, "selectors": _SELECTORS},),
    },
}
"""The properties."""
