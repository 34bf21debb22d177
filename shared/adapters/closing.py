"""Adapters that hold files or connections, as context managers."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Closes an adapter at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Close what the adapter holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
