"""The continuation token of a subscription's listing, which resumes it in any process."""

import base64
import binascii
from dataclasses import asdict, dataclass, field, fields
from typing import Self

import orjson

from shared.domain.error import InvalidInput

PAGE_RESOURCES = 500
_TOKEN_CHARACTERS = 65_536


@dataclass(frozen=True, slots=True)
class ContinuationToken:
    """`roots` are the subscription and its resource groups, which come before what Resource Graph lists.

    `token` is Resource Graph's own, `after` the id delivered last of the page at the token when that page is not done,
    `last` the id delivered last of all, `size` the page size that has worked, `rows` how many of its rows were
    delivered, `extras` how many resources that it does not count, and `hung` the types that do not answer in time.
    """

    subscription: str
    roots: bool = True
    token: str | None = None
    after: str | None = None
    last: str | None = None
    size: int = PAGE_RESOURCES
    rows: int = 0
    extras: int = 0
    hung: list[str] = field(default_factory=list)

    def to_cursor(self) -> str:
        """Write the opaque text that `from_cursor` reads."""
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self))).decode()

    @classmethod
    def from_cursor(cls, subscription: str, cursor: str | None) -> Self:
        """Read the text, None for the start; InvalidInput for a cursor that was not given for this subscription."""
        if cursor is None:
            return cls(subscription)
        try:
            # Cursors come back from outside: every field is checked before any of it is used.
            found = orjson.loads(base64.b64decode(cursor[:_TOKEN_CHARACTERS], altchars=b"-_", validate=True))
            position = cls(**found)
        except (ValueError, TypeError, binascii.Error):
            raise _foreign() from None
        if position.subscription != subscription or not position._is_sound():
            raise _foreign()
        return position

    def _is_sound(self) -> bool:
        kinds = {"token": str | None, "after": str | None, "last": str | None, "hung": list}
        numbers = {"size": int, "rows": int, "extras": int, "roots": bool, "subscription": str}
        sound = all(isinstance(getattr(self, each.name), (kinds | numbers)[each.name]) for each in fields(self))
        return sound and 1 <= self.size <= 1000 and self.rows >= 0 and self.extras >= 0  # noqa: PLR2004 - the API's bound


def _foreign() -> InvalidInput:
    return InvalidInput("the cursor was not given for this listing: start again without it", path="cursor")
