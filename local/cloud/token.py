"""Bearer tokens of the sandbox cloud: each says when it expires and is signed with the sandbox's secret."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import orjson

from local.cloud.arm.error import ArmError

PRINCIPAL = "5a0dc1d0-0000-4000-8000-000000000001"
"""The object id of whoever calls with the token that a sandbox starts with."""
TOKEN_SECONDS = 10 * 365 * 24 * 3600
"""Lifetime of the token that a sandbox starts with."""


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


_HEADER = _encode(b'{"alg":"HS256","typ":"JWT"}')


def issue_token(secret: str, ends: datetime, principal: str = PRINCIPAL) -> str:
    """Return a token of a principal that is valid until `ends`, in the form that Entra ID's have (RFC 7519)."""
    claims = {"exp": int(ends.timestamp()), "oid": principal}
    signed = f"{_HEADER}.{_encode(orjson.dumps(claims))}"
    return f"{signed}.{_signature(secret, signed)}"


def check_token(secret: str, header: str, at: datetime) -> str:
    """Return whose token an Authorization header holds; ArmError 401 when it is not a valid one of this sandbox."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise _invalid_token("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    signed, _, signature = given.strip().rpartition(".")
    # compare_digest takes the same time for every wrong signature, which therefore cannot be guessed byte by byte.
    if not hmac.compare_digest(_signature(secret, signed).encode(), signature.encode()):
        raise _invalid_token("InvalidAuthenticationToken", "The access token is invalid.")
    # What we have signed is what we have written.
    payload = signed.partition(".")[2]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims["exp"] <= at.timestamp():
        raise expired_error(datetime.fromtimestamp(claims["exp"], UTC), at)
    return str(claims["oid"])


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


def _signature(secret: str, signed: str) -> str:
    return _encode(hmac.new(secret.encode(), signed.encode(errors="replace"), hashlib.sha256).digest())
