"""Network functions of template expressions (`ipRangeContains` of Azure Policy)."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import expect_text

Range = tuple[int, int, int]
_LONGEST = 100


def address_range(value: Json) -> Range:
    """Version, first and last address of an address, a CIDR block or a range `first-last`."""
    written = expect_text(value, null=None).strip()[:_LONGEST]
    try:
        return _range(written)
    except ValueError as error:
        raise EvaluationError(f"{written[:50]!r} is no address or range: {error}") from None


def _range(written: str) -> Range:
    if "/" in written:
        block = ip_network(written, strict=False)
        return block.version, int(block.network_address), int(block.broadcast_address)
    low, _, high = written.partition("-")
    first, last = ip_address(low.strip()), ip_address((high or low).strip())
    if first.version != last.version or int(first) > int(last):
        raise ValueError("the range is empty")
    return first.version, int(first), int(last)


def ip_range_contains(outer: Json, inner: Json) -> bool:
    """Whether every address of the second range is in the first; both must be of one version."""
    version, first, last = address_range(outer)
    inner_version, inner_first, inner_last = address_range(inner)
    if version != inner_version:
        raise EvaluationError(f"cannot compare IPv{version} and IPv{inner_version}")
    return first <= inner_first and inner_last <= last


NETWORK: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "ipRangeContains": (ip_range_contains, 2, 2),
}
