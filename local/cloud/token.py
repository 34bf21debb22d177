"""Tokens: who may talk to the sandbox cloud. A token names when it ends and is signed with the sandbox's secret."""

import hashlib
import hmac
from datetime import UTC, datetime

from local.cloud.error import ArmError

_FIELDS = 3
LONG = 10 * 365 * 24 * 3600
"""Seconds that the token lasts which a sandbox is started with."""


def issue(secret: str, ends: datetime) -> str:
    """A token that is good until `ends`."""
    return f"sandbox.{int(ends.timestamp())}.{_signature(secret, str(int(ends.timestamp())))}"


def check(secret: str, header: str, at: datetime) -> None:
    """ArmError 401 unless an Authorization header holds a token of this sandbox that has not ended."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise _refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    parts = given.strip().split(".")
    if len(parts) != _FIELDS or not hmac.compare_digest(_signature(secret, parts[1]).encode(), parts[2].encode()):
        raise _refused("InvalidAuthenticationToken", "The access token is invalid.")
    if int(parts[1]) <= at.timestamp():
        raise expired(datetime.fromtimestamp(int(parts[1]), UTC), at)


def expired(ended: datetime, at: datetime) -> ArmError:
    """The 401 for a token that has ended."""
    message = f"The access token expiry UTC time '{ended}' is earlier than current UTC time '{at}'."
    return _refused("ExpiredAuthenticationToken", message)


def _refused(code: str, message: str) -> ArmError:
    challenge = (
        'Bearer authorization_uri="https://login.windows.net/common", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, {"WWW-Authenticate": challenge})


def _signature(secret: str, ends: str) -> str:
    return hmac.new(secret.encode(), ends.encode(), hashlib.sha256).hexdigest()
