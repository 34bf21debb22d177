"""Checks that every queue makes before it takes a message: the bounds of Azure Queue Storage."""

import re
from datetime import timedelta

from shared.domain.error import InvalidInput, TooLarge
from shared.ports.queue import encoded

MESSAGE_LIFETIME = timedelta(days=7)
"""How long a message is kept."""

TEXT_BYTES = 64 * 1024
"""Bytes of UTF-8 in the text of a message."""

BODY_BYTES = TEXT_BYTES // 4 * 3
"""Bytes of UTF-8 in a body, which base64 turns into a text of `TEXT_BYTES`."""

_QUEUE_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_RECEIVED_MESSAGES = 32


def check_queue(queue: str) -> None:
    """Raise InvalidInput unless `queue` can name a queue in Azure Storage too."""
    if len(queue) > 63 or not _QUEUE_NAME.fullmatch(queue):  # noqa: PLR2004 - the port's bound
        raise InvalidInput(
            f"queue {queue[:80]!r} is not 3-63 lower-case letters, digits and single hyphens", path="queue"
        )


def check_delay(delay: timedelta) -> None:
    """Raise InvalidInput for a delay a message would not survive."""
    if not timedelta(0) <= delay < MESSAGE_LIFETIME:
        raise InvalidInput(f"a delay of {delay} is not between zero and seven days", path="delay")


def text_of(body: str) -> str:
    """Return the text that a body travels as; TooLarge over the limit, InvalidInput for what is not text."""
    _check_size(body, BODY_BYTES)
    return encoded(body)


def check_text(text: str) -> None:
    """Raise TooLarge over the limit, InvalidInput for what is not text."""
    _check_size(text, TEXT_BYTES)


def _check_size(text: str, limit: int) -> None:
    try:
        # Bytes count, not characters: the service limits what is sent.
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput("the body holds half a surrogate pair: it is not text", path="body") from error
    if size > limit:
        raise TooLarge(f"a message of {size} bytes is over {limit}: store the data, and send its id", path="body")


def check_receive(limit: int, visibility: timedelta) -> None:
    """Raise InvalidInput for bounds a queue does not have."""
    if not 1 <= limit <= _RECEIVED_MESSAGES:
        raise InvalidInput(f"limit {limit} is not between 1 and {_RECEIVED_MESSAGES}", path="limit")
    if not timedelta(seconds=1) <= visibility <= MESSAGE_LIFETIME:
        raise InvalidInput(f"a visibility of {visibility} is not between one second and seven days", path="visibility")
