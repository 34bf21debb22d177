"""Usage of the stores, as they charge it."""

from collections.abc import Mapping

from shared.domain.model import Model


class OperationUsage(Model):
    """Calls of one operation, and the request units they were charged."""

    calls: float
    units: float


class Usage(Model):
    """The usage of the process that answers, since it began; empty where nothing is charged."""

    documents: Mapping[str, OperationUsage]
