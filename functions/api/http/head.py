"""HEAD for every GET: the same answer without its content."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answers a HEAD with the headers of the GET, without its content. Source: RFC 9110, section 9.3.2."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; see the ASGI specification."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        sent = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif not sent.is_set():
                await send({"type": "http.response.body", "body": b""})
                sent.set()

        # The route may ask whether anything is to be done, or only looked at.
        asked = {**scope, "method": "GET", "state": {**scope.get("state", {}), "head": True}}
        answering = asyncio.ensure_future(self._app(asked, receive, send_head))
        sending = asyncio.create_task(sent.wait())
        try:
            await asyncio.wait((answering, sending), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
        finally:  # only content is left, perhaps of a stream without an end
            answering.cancel()
            sending.cancel()
