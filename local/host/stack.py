"""Stacks as the worker library reports them, without the frames that every one of them has."""

_THEIRS = ("azure_functions_runtime", "importlib")


def own_part(stack: str) -> str:
    """The stack from the first frame of the app on; nothing but the last line when the app has none in it."""
    lines = stack.splitlines()
    frames = [at for at, line in enumerate(lines) if line.startswith('  File "')]
    theirs = [at for at in frames if any(name in lines[at] for name in _THEIRS)]
    if not theirs:
        return stack.strip()
    own = next((at for at in frames if at > theirs[-1]), None)
    return lines[-1] if own is None else "\n".join([lines[0], *lines[own:]])
