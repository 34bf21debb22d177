"""Who calls on one machine: tokens signed with a secret of the machine's own, or nobody at all."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import jwt
from jwt.types import Options
from pydantic import Field, ValidationError, field_validator

from shared.domain.error import InvalidInput, Unauthenticated
from shared.domain.identity import Principal, Role
from shared.domain.model import Model
from shared.ports.clock import Now

ISSUER = "policycortex-local"
AUDIENCE = "policycortex"
ALGORITHM = "HS256"
SECRET_LENGTH = 32
"""Bytes at least. Source: RFC 7518, section 3.2: a key of the size of the hash output or larger."""
LONGEST = timedelta(days=31)
REMEMBERED = 1024
_TOKEN_LENGTH = 4096
_HEADER = {"alg": ALGORITHM, "typ": "JWT"}
_UNCHECKED: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT looks at the signature; `Claims` at what is signed, by the clock we are given."""
_TENANT = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_SPELLING = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


class Claims(Model):
    """What a token says; times are whole seconds since 1970. Source: RFC 7519, section 4.1."""

    iss: Literal["policycortex-local"]
    aud: Literal["policycortex"]
    sub: str = Field(min_length=1, max_length=200)
    tid: str = Field(pattern=_TENANT)
    roles: tuple[Role, ...] = Field(min_length=1, max_length=8)
    iat: int = Field(strict=True, ge=0)
    nbf: int = Field(strict=True, ge=0)
    exp: int = Field(strict=True, ge=0, lt=2**33)

    @field_validator("sub")
    @classmethod
    def _printable(cls, name: str) -> str:
        if name != name.strip() or not name.isprintable():
            raise ValueError("a name is printable and does not start or end with white space")
        return name

    def hold_at(self, at: datetime) -> bool:
        """Whether the token counts at this time."""
        now = at.timestamp()
        return max(self.nbf, self.iat) <= now < self.exp and self.exp - self.iat <= LONGEST.total_seconds()


class SignedTokens:
    """Keeps the `Identity` port with tokens it signs itself (HS256, RFC 7519).

    Good tokens are remembered by their hash until they expire, the last thousand of them.
    """

    def __init__(self, secret: str, now: Now) -> None:
        if len(secret.encode()) < SECRET_LENGTH:
            raise InvalidInput(f"the token secret needs {SECRET_LENGTH} bytes or more", path="local_token_secret")
        self._secret = secret
        self._now = now
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._lock = threading.Lock()

    def mint(self, name: str, roles: Iterable[Role], tenant: str, lifetime: timedelta) -> str:
        """A token for somebody; InvalidInput when the name, the tenant or the lifetime cannot be used."""
        at = int(self._now().timestamp())
        if not timedelta(0) < lifetime <= LONGEST:
            raise InvalidInput(f"a token lives up to {LONGEST.days} days", path="lifetime")
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": name,
            "tid": tenant,
            "roles": sorted(set(roles)),
            "iat": at,
            "nbf": at,
            "exp": at + max(int(lifetime.total_seconds()), 1),
        }
        try:
            Claims.model_validate(claims)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(f"{first['loc'][0]}: {first['msg']}", path=str(first["loc"][0])) from None
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def authenticate(self, token: str) -> Principal:
        """See `Identity.authenticate`."""
        at = self._now()
        key = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = _principal(self._claims(token, at))
            self._remember(key, known)
        if not known.known_at(at):
            raise _refused()
        return known

    def _claims(self, token: str, at: datetime) -> Claims:
        try:
            claims = Claims.model_validate(self._verified(token))
        except (jwt.PyJWTError, ValidationError, ValueError, RecursionError):
            raise _refused() from None
        if not claims.hold_at(at):
            raise _refused()
        return claims

    def _verified(self, token: str) -> Mapping[str, Any]:
        """The payload of a token with exactly our header and a right signature; times are looked at afterwards."""
        if len(token) > _TOKEN_LENGTH or not _SPELLING.fullmatch(token) or jwt.get_unverified_header(token) != _HEADER:
            raise _refused()
        payload: Mapping[str, Any] = jwt.decode(token, self._secret, algorithms=[ALGORITHM], options=_UNCHECKED)
        return payload

    def _remember(self, key: bytes, principal: Principal) -> None:
        with self._lock:
            self._known[key] = principal
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


class NoIdentity:
    """Keeps the `Identity` port where nothing is configured: nobody is known."""

    def authenticate(self, token: str) -> Principal:  # noqa: ARG002 - no token is good here
        """See `Identity.authenticate`."""
        raise _refused()


def _principal(claims: Claims) -> Principal:
    return Principal(
        tenant=claims.tid,
        name=claims.sub,
        roles=frozenset(claims.roles),
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
    )


def _refused() -> Unauthenticated:
    return Unauthenticated("the token is missing or not one we accept; send `Authorization: Bearer <token>`")
