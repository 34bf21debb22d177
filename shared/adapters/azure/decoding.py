"""Responses of the cloud as JSON."""

from http import HTTPStatus
from typing import IO, Any, AnyStr

from azure.core.exceptions import DecodeError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy

from shared.adapters.azure import response_validation


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

    def on_response(self, _request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Keep the decoded body in the context of the response."""
        found = response.http_response
        # Without a type it counts as JSON, as with the SDK's own policy.
        kind = (found.content_type or "application/json").partition(";")[0].strip().lower()
        try:
            response.context[self.CONTEXT_NAME] = self.deserialize_from_text(found.text(), kind, response=found)
        except (DecodeError, ValueError, LookupError, RecursionError) as error:
            response.context[self.CONTEXT_NAME] = None
            if response.http_response.status_code < HTTPStatus.BAD_REQUEST:
                raise DecodeError(f"not JSON: {str(error)[:200]}") from error
