"""Words that this house once had for things that the field has a word for; docs/glossary.md has those."""

import re

INVENTED = frozenset(
    """
    amend anew bell beside book desk expectation fuse heard intake leftover mend patience plot posture price repair
    restate ring shelf shortfall sketch spark splitter standing stroke tally transfer trial whom
    """.split()  # noqa: SIM905 - words read better than a list of them
)
WIRE_WORDS = INVENTED | {"attention", "kept", "life", "sentence"}
"""What no property of the API is called either."""


def words(name: str) -> set[str]:
    """The words of a name in snake_case, camelCase or CapWords, each as it stands and in the singular."""
    found = {each.lower() for each in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return found | {each.removesuffix("s") for each in found}
