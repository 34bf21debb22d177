"""The key order of initiatives and assignments, as the documentation and Azure's own files write them."""

from collections.abc import Mapping

from shared.authoring.library import DocumentShape

KeyTree = Mapping[str, "KeyTree | None"] | tuple["KeyTree"]
"""Keys in their order with the plan of what stands below them: a tuple for arrays, None for what stays as it is."""

ANY_NAME = "*"
"""The only key of a plan for objects whose keys are names."""

PARAMETER_KEYS = (
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


def _keys(*names: str) -> dict[str, KeyTree | None]:
    return dict.fromkeys(names)


_PARAMETER_VALUES: KeyTree = {ANY_NAME: _keys("value")}
_SELECTORS: KeyTree = (_keys("kind", "in", "notIn"),)

RESOURCE_KEYS: Mapping[DocumentShape, Mapping[str, KeyTree | None]] = {
    DocumentShape.INITIATIVE: _keys("name", "type", "id", "properties", "systemData"),
    DocumentShape.ASSIGNMENT: _keys("name", "type", "id", "location", "identity", "properties", "systemData"),
}
"""What stands around `properties`."""

PROPERTIES_KEYS: Mapping[DocumentShape, Mapping[str, KeyTree | None]] = {
    DocumentShape.INITIATIVE: {
        **_keys("displayName", "description", "policyType", "metadata", "version", "versions"),
        "policyDefinitionGroups": (_keys("name", "displayName", "category", "description", "additionalMetadataId"),),
        "parameters": {ANY_NAME: _keys(*PARAMETER_KEYS)},
        "policyDefinitions": (
            {
                **_keys("policyDefinitionReferenceId", "policyDefinitionId", "definitionVersion"),
                **_keys("latestDefinitionVersion", "effectiveDefinitionVersion"),
                "parameters": _PARAMETER_VALUES,
                "groupNames": None,
            },
        ),
    },
    DocumentShape.ASSIGNMENT: {
        **_keys("displayName", "description", "metadata", "scope", "notScopes", "policyDefinitionId"),
        **_keys("definitionVersion", "enforcementMode"),
        "parameters": _PARAMETER_VALUES,
        "nonComplianceMessages": (_keys("message", "policyDefinitionReferenceId"),),
        "resourceSelectors": ({"name": None, "selectors": _SELECTORS},),
        "overrides": ({"kind": None, "value": None, "selectors": _SELECTORS},),
    },
}
"""The properties."""
