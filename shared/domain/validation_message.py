"""Validation errors in words, where their own text would show a regular expression."""

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


def describe(error: ErrorDetails) -> str:
    """Return what is wrong and what is allowed, in words and without a regular expression."""
    if error["type"] == "string_pattern_mismatch":
        return PATTERN_DESCRIPTIONS.get(
            error["ctx"]["pattern"], "it does not have the expected format; see the API reference"
        )
    if error["type"] == "missing":
        return "it is required" if error["loc"] != ("body",) else "a JSON body is required; see the API reference"
    if error["type"] == "model_type":  # whose own text names a class of ours
        return "an object is expected"
    if error["type"] == "value_error":  # our own words, without the library's in front of them
        return str(error["ctx"]["error"])
    return error["msg"]
