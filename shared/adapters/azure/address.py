"""Addresses of requests, parsed in one way by all who check or use them."""

import ipaddress
import re
from dataclasses import dataclass

from shared.domain.error import Malformed

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:(?P<name>[\w.-]+)|\[(?P<literal>[0-9a-f:.]+)\])(?::(?P<port>\d{0,5}))?"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?",
    re.ASCII | re.IGNORECASE,
)
_NEVER = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
"""What parsers end a host at, skip or keep, each as it likes: it may not be in an address at all."""
_PORTS = {"https": 443, "http": 80}
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """An address as parsed: a literal IPv6 `host` is without brackets, the `port` may be the one the scheme implies."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def target(self) -> str:
        """Return path and query, which is what a server is asked for."""
        return self.path + self.query

    @property
    def url(self) -> str:
        """Return the address as text, with a port only where the scheme does not imply it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    @property
    def is_loopback(self) -> bool:
        """Return whether the address is this machine's own."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(url: str) -> HttpAddress:
    """Parse an address; Malformed for any that another parser could take for another host's.

    There may be no backslash, no control character, no user and no blank before the path.
    """
    found = None if _NEVER.search(url) else _ADDRESS.fullmatch(url)
    if found is None:
        raise Malformed(f"{url[:200]!r} is not an address of a service")
    scheme = found["scheme"].lower()
    port = int(found["port"] or _PORTS[scheme])
    if port > _PORT_MAX:
        raise Malformed(f"{url[:200]!r} has no possible port")
    host = (found["name"] or found["literal"]).lower()
    return HttpAddress(scheme, host, port, found["path"] or "/", found["query"] or "")
