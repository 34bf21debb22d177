"""Content negotiation of errors: who would rather read HTML gets a page. Source: RFC 9110, section 12.5.1."""

import re

_WEIGHT = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
_JSON_TYPES = ("application/problem+json", "application/json")


def prefers_html(accept: str) -> bool:
    """Return whether an Accept header prefers HTML to JSON: it weighs more, or as much and is named more exactly."""
    html = _weight(accept, "text/html")
    return html[0] > 0 and html > max(_weight(accept, each) for each in _JSON_TYPES)


def _weight(accept: str, media_type: str) -> tuple[float, int]:
    """Return the weight of a type, by the range that names it most exactly, and how exactly: 0 to 3."""
    exactness = {"*/*": 1, f"{media_type.partition('/')[0]}/*": 2, media_type: 3}
    found = (0, 0.0)
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        given = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if name in exactness and _WEIGHT.fullmatch(given):
            found = max(found, (exactness[name], float(given)))
    return found[1], found[0]
