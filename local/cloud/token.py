"""Bearer tokens of the sandbox cloud: each says when it expires and is signed with the sandbox's secret."""

import hashlib
import hmac
from datetime import UTC, datetime

from local.cloud.arm.error import ArmError

_FIELD_COUNT = 3
TOKEN_SECONDS = 10 * 365 * 24 * 3600
"""Lifetime of the token that a sandbox starts with."""


def issue_token(secret: str, ends: datetime) -> str:
    """Return a token that is valid until `ends`."""
    return f"sandbox.{int(ends.timestamp())}.{_signature(secret, str(int(ends.timestamp())))}"


def check_token(secret: str, header: str, at: datetime) -> None:
    """Check that an Authorization header holds a valid token of this sandbox; ArmError 401 when it does not."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise _invalid_token("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    parts = given.strip().split(".")
    # compare_digest takes the same time for every wrong signature, which therefore cannot be guessed byte by byte.
    if len(parts) != _FIELD_COUNT or not hmac.compare_digest(_signature(secret, parts[1]).encode(), parts[2].encode()):
        raise _invalid_token("InvalidAuthenticationToken", "The access token is invalid.")
    # What we have signed is a number.
    if int(parts[1]) <= at.timestamp():
        raise expired_error(datetime.fromtimestamp(int(parts[1]), UTC), at)


def expired_error(ended: datetime, at: datetime) -> ArmError:
    """Return the 401 for a token that has expired."""
    message = f"The access token expiry UTC time '{ended}' is earlier than current UTC time '{at}'."
    return _invalid_token("ExpiredAuthenticationToken", message)


def _invalid_token(code: str, message: str) -> ArmError:
    challenge = (
        'Bearer authorization_uri="https://login.windows.net/common", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, {"WWW-Authenticate": challenge})


def _signature(secret: str, ends: str) -> str:
    return hmac.new(secret.encode(), ends.encode(), hashlib.sha256).hexdigest()
