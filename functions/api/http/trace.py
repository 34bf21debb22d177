"""The trace that a request belongs to, by the header `traceparent`.

An answer has the header too, with the same trace and an id of its own, when the request had one. No header for answers
is a standard yet: `traceresponse` was taken out of Level 2. Level 1, "Other Risks", allows `traceparent` in answers to
those who take part in the trace. Source: W3C, Trace Context Level 1 and Level 2, "Traceparent Header".
"""

import re
import secrets
from dataclasses import dataclass

from starlette.datastructures import Headers

TRACE_HEADER = "traceparent"
_PATTERN = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_PASSED_FLAGS = 0b11
"""`sampled` and `random`; the other flags have no meaning yet, and are sent as zero."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace, and the flags that its caller set."""

    trace_id: str
    flags: int

    def answer(self) -> str:
        """Return the header of the answer: this trace, with a new id for what was done here."""
        return f"00-{self.trace_id}-{secrets.token_hex(8)}-{self.flags & _PASSED_FLAGS:02x}"


def trace_of(headers: Headers) -> TraceContext | None:
    """Return the trace that a request belongs to; None when it names none, several or an invalid one."""
    given = headers.getlist(TRACE_HEADER)
    found = _PATTERN.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    # Later versions may append to the four parts of version 00; ff is no version, and an id of zeros is none.
    if version == "ff" or (version == "00" and more is not None) or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    return TraceContext(trace_id, int(flags, 16))
