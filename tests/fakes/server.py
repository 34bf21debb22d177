"""The web server under what tests put in the place of others."""

import ssl
import sys
from http.server import ThreadingHTTPServer
from typing import Any, override


class Server(ThreadingHTTPServer):
    """Says nothing of clients that hang up, which some tests are about; any other failure is reported."""

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)
