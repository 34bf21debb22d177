"""Validation errors in our own words: what is expected, without a regular expression or a library's names."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

from shared.domain import exemption, identity, import_job

DIGEST_PATTERN = r"^[0-9a-f]{64}$"
VISIBLE_PATTERN = r"^[\x21-\x7e]+$"
PATTERN_DESCRIPTIONS: Mapping[str, str] = {
    exemption.EXEMPTION_SCOPE_PATTERN: "the ARM id of a subscription, resource group or resource is expected, such as "
    "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001/resourceGroups/data",
    identity.TENANT_PATTERN: "the name of a tenant is expected: 1 to 64 letters, digits, '-', '_' and '.', the first a "
    "letter or digit",
    identity.ROLE_SCOPE_PATTERN: "'/' for the whole tenant, or /subscriptions/ID, is expected",
    import_job.SUBSCRIPTION_PATTERN: "the id of a subscription is expected: 1 to 64 letters, digits and '-'",
    import_job.RESOURCE_GROUP_PATTERN: "the name of a resource group is expected: 1 to 90 letters, digits, '-', '_', "
    "'.' and parentheses",
    import_job.PARAMETER_PATTERN: "NAME=VALUE is expected",
    import_job.LOCATION_PATTERN: "the name of a location is expected, such as westeurope",
    import_job.API_VERSION_PATTERN: "an api-version is expected, such as 2023-05-01 or 2024-01-01-preview",
    DIGEST_PATTERN: "a SHA-256 is expected: 64 digits and letters from a to f, in lower case",
    VISIBLE_PATTERN: "visible ASCII characters without spaces are expected",
}
"""Pattern -> what it allows."""
_TIME = "a time with offset is expected, such as 2027-03-31T00:00:00Z"
_DESCRIPTIONS: Mapping[str, str] = {
    "extra_forbidden": "nothing of this name is expected here; see the API reference",
    "string_type": "a text is expected",
    "string_too_short": "at least {min_length} characters are expected",
    "string_too_long": "at most {max_length} characters are expected",
    "too_short": "at least {min_length} are expected, not {actual_length}",
    "too_long": "at most {max_length} are expected",
    "list_type": "a list is expected",
    "tuple_type": "a list is expected",
    "dict_type": "an object is expected",
    "model_type": "an object is expected",
    "model_attributes_type": "an object is expected",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "greater_than_equal": "{ge} or more is expected",
    "greater_than": "more than {gt} is expected",
    "less_than_equal": "{le} or less is expected",
    "less_than": "less than {lt} is expected",
    "enum": "one of {expected} is expected",
    "literal_error": "one of {expected} is expected",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": _TIME,
}
"""Type of an error -> what is expected, with the members of its context."""


def describe(error: ErrorDetails) -> str:
    """Return what is wrong and what is allowed, in words and without a regular expression."""
    if error["type"] == "string_pattern_mismatch":
        return PATTERN_DESCRIPTIONS.get(
            error["ctx"]["pattern"], "it does not have the expected format; see the API reference"
        )
    if error["type"] == "missing":
        return "it is required" if error["loc"] != ("body",) else "a JSON body is required; see the API reference"
    if error["type"] == "value_error":  # our own words, without the library's in front of them
        return str(error["ctx"]["error"])
    if error["type"] in _DESCRIPTIONS:
        return _DESCRIPTIONS[error["type"]].format_map(error.get("ctx", {}))
    return error["msg"]
