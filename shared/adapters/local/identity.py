"""Identity on one machine: tokens signed with a secret of the machine's own, or no valid token at all."""

import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import jwt
from jwt.types import Options
from pydantic import Field, ValidationError, field_validator

from shared.domain.error import InvalidInput, Unauthenticated
from shared.domain.identity import (
    REGISTRY_TENANT,
    ROLE_SCOPE_PATTERN,
    SYSTEM_SUBJECT,
    TENANT_PATTERN,
    TENANT_SCOPE,
    Caller,
    CallerKind,
    Role,
    assign_roles,
)
from shared.domain.model import Model
from shared.domain.validation_message import describe
from shared.ports.clock import Now

ISSUER = "policycortex-local"
AUDIENCE = "policycortex"
ALGORITHM = "HS256"
SECRET_BYTES = 32
"""The least length of the secret. Source: RFC 7518, section 3.2: a key of the size of the hash output or larger."""
TOKEN_LIFETIME = timedelta(days=31)
CACHED_TOKENS = 1024
_TOKEN_CHARACTERS = 4096
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
"""PyJWT checks the signature, `Claims` what is signed, by the clock we are given."""
_SPELLING = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}")


class Claims(Model):
    """The claims of a token; times are whole seconds since 1970, the roles count in each of the scopes.

    Sources: RFC 7519, section 4.1; `idtyp` as Entra ID has it, "Optional claims reference".
    """

    iss: Literal["policycortex-local"]
    aud: Literal["policycortex"]
    sub: str = Field(min_length=1, max_length=200)
    tid: str = Field(pattern=TENANT_PATTERN)
    roles: tuple[Role, ...] = Field(min_length=1, max_length=8)
    iat: int = Field(strict=True, ge=0)
    nbf: int = Field(strict=True, ge=0)
    exp: int = Field(strict=True, ge=0, lt=2**33)
    jti: str = Field(pattern=r"^[0-9a-f]{32}$")
    idtyp: Literal["user", "app"] = "user"
    scopes: tuple[Annotated[str, Field(pattern=ROLE_SCOPE_PATTERN)], ...] = Field(
        default=(TENANT_SCOPE,), min_length=1, max_length=100
    )

    @field_validator("sub")
    @classmethod
    def _printable(cls, name: str) -> str:
        if name != name.strip() or not name.isprintable():
            raise ValueError("a name is printable and does not start or end with white space")
        if name.casefold() == SYSTEM_SUBJECT:
            raise ValueError(f"'{SYSTEM_SUBJECT}' is the name of what the product does by itself")
        return name

    @field_validator("tid")
    @classmethod
    def _unreserved(cls, tenant: str) -> str:
        if tenant == REGISTRY_TENANT:
            raise ValueError(f"{REGISTRY_TENANT} is reserved for the list of tenants")
        return tenant

    def hold_at(self, at: datetime) -> bool:
        """Return whether the token counts at this time."""
        now = at.timestamp()
        return max(self.nbf, self.iat) <= now < self.exp and self.exp - self.iat <= TOKEN_LIFETIME.total_seconds()


class SignedTokens:
    """Keeps the `Identity` port with tokens it signs itself (HS256, RFC 7519).

    Good tokens are remembered by their hash until they expire, the last thousand of them.
    """

    def __init__(self, secret: str, now: Now) -> None:
        if len(secret.encode()) < SECRET_BYTES:
            raise InvalidInput(f"the token secret needs {SECRET_BYTES} bytes or more", path="local_token_secret")
        self._secret = secret
        self._now = now
        self._known: OrderedDict[bytes, Caller] = OrderedDict()
        self._lock = threading.Lock()

    def mint(
        self,
        name: str,
        roles: Iterable[Role],
        tenant: str,
        lifetime: timedelta,
        *,
        scopes: Iterable[str] = (TENANT_SCOPE,),
        kind: CallerKind = CallerKind.USER,
    ) -> str:
        """Return a token for somebody; InvalidInput when the name, the tenant or the lifetime cannot be used."""
        at = int(self._now().timestamp())
        if not timedelta(0) < lifetime <= TOKEN_LIFETIME:
            raise InvalidInput(f"a token lives up to {TOKEN_LIFETIME.days} days", path="lifetime")
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": name,
            "tid": tenant,
            "roles": sorted(set(roles)),
            "scopes": list(scopes),
            "idtyp": "app" if kind is CallerKind.APPLICATION else "user",
            "jti": secrets.token_hex(16),
            "iat": at,
            "nbf": at,
            "exp": at + max(int(lifetime.total_seconds()), 1),
        }
        try:
            Claims.model_validate(claims)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(f"{first['loc'][0]}: {describe(first)}", path=str(first["loc"][0])) from None
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def authenticate(self, token: str) -> Caller:
        """See `Identity.authenticate`."""
        at = self._now()
        # The cache holds digests, so that a memory dump does not contain usable tokens.
        key = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = self._caller(token, at)
            with self._lock:
                self._known[key] = known
                # The oldest go first: whoever is still active is verified again, once.
                while len(self._known) > CACHED_TOKENS:
                    self._known.popitem(last=False)
        if not known.known_at(at):
            raise _refused()
        return known

    def _caller(self, token: str, at: datetime) -> Caller:
        try:
            claims = Claims.model_validate(self._verified(token))
        except (jwt.PyJWTError, ValidationError, ValueError, RecursionError):
            raise _refused() from None
        if not claims.hold_at(at):
            raise _refused()
        return Caller(
            tenant=claims.tid,
            subject=claims.sub,
            kind=CallerKind.APPLICATION if claims.idtyp == "app" else CallerKind.USER,
            roles=assign_roles(claims.roles, claims.scopes),
            token_id=claims.jti,
            expires_at=datetime.fromtimestamp(claims.exp, UTC),
        )

    def _verified(self, token: str) -> Mapping[str, Any]:
        """Check that a token has exactly our header and a valid signature; its times are checked afterwards."""
        if (
            # Checked before PyJWT sees the token: one algorithm and one header, so none can be chosen by the sender.
            len(token) > _TOKEN_CHARACTERS
            or not _SPELLING.fullmatch(token)
            or jwt.get_unverified_header(token) != _HEADER
        ):
            raise _refused()
        payload: Mapping[str, Any] = jwt.decode(token, self._secret, algorithms=[ALGORITHM], options=_UNCHECKED)
        return payload


class NoIdentity:
    """Keeps the `Identity` port where nothing is configured: nobody is known."""

    def authenticate(self, token: str) -> Caller:  # noqa: ARG002 - no token is good here
        """See `Identity.authenticate`."""
        raise _refused()


def _refused() -> Unauthenticated:
    return Unauthenticated("the token is missing or not accepted; send `Authorization: Bearer <token>`")
