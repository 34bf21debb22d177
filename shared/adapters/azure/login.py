"""The product's identity in Azure: the managed identity when deployed, the developer's own login on a machine."""

import functools

from azure.core.credentials import TokenCredential


@functools.cache
def credential() -> TokenCredential:
    """Return the one credential of this process, which caches its tokens and requests none before the first call."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow to load, and not needed with keys

    return DefaultAzureCredential(
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        exclude_broker_credential=True,
    )
