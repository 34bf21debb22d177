"""Add up what the stores have charged this process."""

from shared.domain.usage import OperationUsage, Usage
from shared.ports.documents import Documents


def summary(*, documents: Documents) -> Usage:
    """Return the request units of the document store by operation; none where a store charges nothing."""
    return Usage(
        documents={name: OperationUsage.model_validate(spent) for name, spent in documents.request_units().items()}
    )
