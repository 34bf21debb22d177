"""Network functions of template expressions ("CIDR functions for ARM templates", `ipRangeContains` of Azure Policy)."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import expect_integer, expect_text

AddressRange = tuple[int, int, int]


def address_range(value: Json) -> AddressRange:
    """Return version, first and last address of an address, a CIDR block or a range `first-last`."""
    written = expect_text(value).strip()
    try:
        return _range(written)
    except ValueError:
        raise EvaluationError(f"{written[:50]!r} is no address or range") from None


def _range(written: str) -> AddressRange:
    if "/" in written:
        block = ip_interface(written).network
        return block.version, int(block.network_address), int(block.broadcast_address)
    low, _, high = written.partition("-")
    first, last = ip_address(low.strip()), ip_address((high or low).strip())
    if first.version != last.version or int(first) > int(last):
        raise EvaluationError(f"the range {written!r} is empty")
    return first.version, int(first), int(last)


def ip_range_contains(outer: Json, inner: Json) -> bool:
    """Return whether every address of the second range is in the first; both must be of one version."""
    version, first, last = address_range(outer)
    inner_version, inner_first, inner_last = address_range(inner)
    if version != inner_version:
        raise EvaluationError(f"cannot compare IPv{version} and IPv{inner_version}")
    return first <= inner_first and inner_last <= last


def _network(value: Json) -> IPv4Network | IPv6Network:
    written = expect_text(value).strip()
    try:
        if "/" in written:
            return ip_interface(written).network
    except ValueError:
        pass
    raise EvaluationError(f"{written[:50]!r} is not in CIDR notation")


def _usable(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    """Return the first and the last address for hosts; IPv4 keeps the network's own and the broadcast address."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.version == 6:  # noqa: PLR2004 - the version of IP
        return first, last
    return (first + 1, last - 1) if last - first > 1 else (first, first)


def parse_cidr(value: Json) -> dict[str, Json]:
    """Return the addresses and the mask of a block."""
    network = _network(value)
    first, last = _usable(network)
    kind = type(network.network_address)
    broadcast = {"broadcast": str(network.broadcast_address)} if isinstance(network, IPv4Network) else {}
    return {
        "network": str(network.network_address),
        "netmask": str(network.netmask),
        **broadcast,
        "firstUsable": str(kind(first)),
        "lastUsable": str(kind(last)),
        "cidr": network.prefixlen,
    }


def cidr_subnet(value: Json, prefix: Json, index: Json) -> str:
    """Return the block of that number among those of the new, longer prefix."""
    network, length, at = _network(value), expect_integer(prefix), expect_integer(index)
    if not network.prefixlen <= length <= network.max_prefixlen:
        raise EvaluationError(f"a block of /{network.prefixlen} has none of /{length}")
    if not 0 <= at < 1 << (length - network.prefixlen):
        raise EvaluationError(f"there is no block {at} of /{length} in {network}")
    first = int(network.network_address) + (at << (network.max_prefixlen - length))
    return f"{type(network.network_address)(first)}/{length}"


def cidr_host(value: Json, index: Json) -> str:
    """Return the address of that number for hosts; 0 is the one after the network's own address."""
    network, at = _network(value), expect_integer(index)
    wanted = int(network.network_address) + 1 + at
    if at < 0 or wanted > _usable(network)[1]:
        raise EvaluationError(f"there is no host {at} in {network}")
    return str(type(network.network_address)(wanted))


NETWORK: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "parseCidr": (parse_cidr, 1, 1),
    "cidrSubnet": (cidr_subnet, 3, 3),
    "cidrHost": (cidr_host, 2, 2),
    "ipRangeContains": (ip_range_contains, 2, 2),
}
