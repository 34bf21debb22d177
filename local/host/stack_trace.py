"""Stacks as the worker library reports them, without the frames that every one of them has."""

_FOREIGN_MODULES = ("azure_functions_runtime", "importlib")
_STRIPPED_MARK = ".with_traceback(None)"


def own_frames(stack: str) -> str:
    """Cut a stack to what follows the library's frames, or to its last line when the app has no frame in it.

    An error that the app raised `with_traceback(None)` is its last line too, as its message says all.
    """
    lines = stack.splitlines()
    frames = [at for at, line in enumerate(lines) if line.startswith('  File "')]
    theirs = [at for at in frames if any(name in lines[at] for name in _FOREIGN_MODULES)]
    if not theirs:
        return stack.strip()
    own = next((at for at in frames if at > theirs[-1]), None)
    bare = own is None or (own == frames[-1] and _STRIPPED_MARK in lines[own + 1])
    return lines[-1] if bare else "\n".join([lines[0], *lines[own:]])
