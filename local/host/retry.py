"""Retry policies: how long to wait before each further try of a function."""

import itertools
from collections.abc import Iterator

from local.host.proto import RpcRetryOptions


def retry_delays(options: RpcRetryOptions | None) -> Iterator[float]:
    """Return the seconds to wait before each retry, as many as the policy allows; without end for -1.

    Source: "Azure Functions error handling and retries", retry policies.
    """
    if options is None:
        return iter(())
    if options.delay_interval is not None:
        waits: Iterator[float] = itertools.repeat(options.delay_interval.total_seconds())
    else:
        first, longest = options.minimum_interval.total_seconds(), options.maximum_interval.total_seconds()
        waits = (min(first * 2.0 ** min(count, 64), longest) for count in itertools.count())
    return waits if options.max_retry_count < 0 else itertools.islice(waits, options.max_retry_count)
