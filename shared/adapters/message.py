"""What every queue asks of a message before it takes it: the bounds of Azure Queue Storage."""

import re
from datetime import timedelta

from shared.domain.error import InvalidInput, TooLarge

LIFE = timedelta(days=7)
"""How long a message is kept."""

BODY_LIMIT = 48 * 1024
"""Bytes of UTF-8 in a body; 64 KiB once encoded as base64."""

_QUEUE = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_RECEIVED = 32


def check_queue(queue: str) -> None:
    """Raise InvalidInput unless `queue` can name a queue in Azure Storage too."""
    if len(queue) > 63 or not _QUEUE.fullmatch(queue):  # noqa: PLR2004 - the port's bound
        raise InvalidInput(
            f"queue {queue[:80]!r} is not 3-63 lower-case letters, digits and single hyphens", path="queue"
        )


def check_delay(delay: timedelta) -> None:
    """Raise InvalidInput for a delay a message would not survive."""
    if not timedelta(0) <= delay < LIFE:
        raise InvalidInput(f"a delay of {delay} is not between nothing and seven days", path="delay")


def check_body(body: str) -> None:
    """Raise TooLarge over the limit, InvalidInput for what is not text."""
    try:
        size = len(body.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput("the body holds half a surrogate pair: it is not text", path="body") from error
    if size > BODY_LIMIT:
        raise TooLarge(f"a message of {size} bytes is over {BODY_LIMIT}: send an id, keep the data", path="body")


def check_receive(limit: int, visibility: timedelta) -> None:
    """Raise InvalidInput for bounds a queue does not have."""
    if not 1 <= limit <= _RECEIVED:
        raise InvalidInput(f"limit {limit} is not between 1 and {_RECEIVED}", path="limit")
    if not timedelta(seconds=1) <= visibility <= LIFE:
        raise InvalidInput(f"a visibility of {visibility} is not between a second and seven days", path="visibility")
