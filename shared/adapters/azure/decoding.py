"""Responses of the cloud as JSON, bounded in size and time."""

import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Any, AnyStr

from azure.core.exceptions import DecodeError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from shared.adapters.azure import response_validation
from shared.domain.error import Malformed

RESPONSE_BYTES = 64 * 1024 * 1024
"""Bytes of the largest response read. Resource Graph sends up to 16 MiB, ARM all providers with aliases at once."""
RESPONSE_SECONDS = 60.0
"""Seconds that the body of one response may take."""
CHUNK_BYTES = 64 * 1024


class JsonDecodingPolicy(ContentDecodePolicy):
    """Decodes what is declared to be JSON. A success that is not JSON is a DecodeError; an error may be anything."""

    @classmethod
    def deserialize_from_text(
        cls,
        data: AnyStr | IO[AnyStr] | None,
        mime_type: str | None = None,
        response: Any = None,  # noqa: ANN401 - any of the SDK's responses
    ) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of a body; None for an empty one."""
        if not data:
            return None
        if mime_type is None or not cls.JSON_REGEXP.match(mime_type):
            raise DecodeError(f"its content type is {mime_type or 'missing'}", response=response)
        return response_validation.decode(data if isinstance(data, str) else str(data))

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Keep the decoded body in the context of the response."""
        try:
            super().on_response(request, response)
        except (DecodeError, ValueError, LookupError, RecursionError) as error:
            response.context[self.CONTEXT_NAME] = None
            if response.http_response.status_code < HTTPStatus.BAD_REQUEST:
                raise DecodeError(f"not JSON: {str(error)[:200]}") from error


class BoundedAdapter(HTTPAdapter):
    """A transport whose responses are bounded in size and time."""

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:  # noqa: ANN401 - urllib3's response
        """Return the response, with a body that is bounded."""
        response = super().build_response(req, resp)
        # `requests` reads every body through `raw`, so the bounds hold for all of them.
        response.raw = _Body(resp, str(req.url).partition("?")[0])
        return response


class _Body:
    """The body of a response, as urllib3 has it; reading it raises Malformed when it is too large or takes too long."""

    def __init__(self, raw: Any, url: str) -> None:  # noqa: ANN401 - urllib3's response
        self._raw = raw
        self._url = url

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever urllib3's response has
        return getattr(self._raw, name)

    def stream(self, amt: int = CHUNK_BYTES, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001 - urllib3's
        """Yield the body piece by piece, as it arrives."""
        size, until = 0, time.monotonic() + RESPONSE_SECONDS
        # read1 returns what has arrived: read would wait for a full piece, and the time would not be checked.
        while piece := self._raw.read1(max(amt, CHUNK_BYTES), decode_content=decode_content):
            size += len(piece)
            if size > RESPONSE_BYTES:
                self._give_up(f"is larger than {RESPONSE_BYTES} bytes")
            if time.monotonic() > until:
                self._give_up(f"was not complete after {RESPONSE_SECONDS:.0f} s")
            yield piece

    def _give_up(self, why: str) -> None:
        self._raw.close()
        raise Malformed(f"the answer to {self._url} {why}")
