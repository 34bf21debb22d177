"""Names in a folder that are no files: a pipe, a socket or a device there is told, and never opened."""

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special_reason(path: Path) -> str | None:
    """Return why a name in a folder is left out: it would be waited for. None for files, and what cannot be looked at.

    One that is named by itself is read, as a shell makes a pipe of `<(command)`.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return None  # whoever opens it says what is wrong
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), None)
    return f"{path} is {kind}: of a folder, only files are read" if kind else None
