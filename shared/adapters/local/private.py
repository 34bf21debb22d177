"""Files and folders that nobody but their owner can read, whatever the umask."""

import os
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def make_folder(path: Path) -> None:
    """Make a folder with those above it that are missing; what is there already keeps its permissions."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
        # mkdir takes the mode only as far as the umask lets it.
        each.chmod(FOLDER_MODE)


def close_to_others(path: Path) -> None:
    """Take the permissions of a file from all but its owner; what belongs to somebody else is left as it is."""
    found = path.stat()
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        path.chmod(FILE_MODE)
