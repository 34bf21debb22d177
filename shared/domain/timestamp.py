"""Times as they are stored: RFC 3339 text in UTC that ends in Z. Exported inventories may have any other."""

from datetime import UTC, datetime

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before all other times."""


def format_time(at: datetime) -> str:
    """Return the text of a time."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: object) -> datetime:
    """Return the time of a text, to compare by: texts of one time differ. `BEGINNING` for what is not a time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return BEGINNING
    # Without an offset it is read as UTC, as Azure's services write times.
    return found if found.tzinfo else found.replace(tzinfo=UTC)
