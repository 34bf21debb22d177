"""Signed local tokens: good ones are known, every attack is refused with the same words."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from shared.adapters.local import identity
from shared.adapters.local.identity import NoIdentity, SignedTokens
from shared.domain.error import InvalidInput, Unauthenticated
from shared.domain.identity import IMPLIED_ROLES, Caller, Role, assign_roles

SECRET = "a secret of the machine, 32 bytes or more"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": "policycortex-local",
    "aud": "policycortex",
    "sub": "ada",
    "tid": "contoso",
    "roles": ["reader"],
    "iat": AT,
    "nbf": AT,
    "exp": AT + 3600,
    "jti": "5d1c9c4e000040008000000000000001",
}


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(payload: object, header: object = None, secret: str = SECRET) -> str:
    """A token signed rightly, whatever it says."""
    head = part(header if header is not None else {"alg": "HS256", "typ": "JWT"})
    body = part(payload)
    mac = hmac.digest(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{part(mac)}"


def but(**changes: object) -> dict[str, Any]:
    return {**CLAIMS, **changes}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def header(**more: object) -> dict[str, Any]:
    return {"alg": "HS256", "typ": "JWT", **more}


GOOD = signed(CLAIMS)
HEAD, BODY, MAC = GOOD.split(".")

ATTACKS: dict[str, str] = {
    "empty": "",
    "a word": "token",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{MAC}",
    "no signature": f"{HEAD}.{BODY}.",
    "signature of another token": f"{HEAD}.{BODY}.{signed(but(sub='eve')).rpartition('.')[2]}",
    "signature cut": GOOD[:-1],
    "signature doubled": f"{GOOD}{MAC}",
    "signature of zeros": f"{HEAD}.{BODY}.{part(bytes(32))}",
    "signature padded": f"{GOOD}=",
    "signature in other letters": f"{HEAD}.{BODY}.{MAC[:-1]}{'A' if MAC[-1] != 'A' else 'B'}",
    "body changed": f"{HEAD}.{part(but(roles=['admin']))}.{MAC}",
    "alg none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{BODY}.",
    "alg None": signed(CLAIMS, {"alg": "None", "typ": "JWT"}),
    "alg nOnE": signed(CLAIMS, {"alg": "nOnE", "typ": "JWT"}),
    "alg absent": signed(CLAIMS, {"typ": "JWT"}),
    "alg hs256": signed(CLAIMS, {"alg": "hs256", "typ": "JWT"}),
    "alg HS512": jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
    "alg RS256 with our secret": signed(CLAIMS, {"alg": "RS256", "typ": "JWT"}),
    "another secret": signed(CLAIMS, secret="x" * 40),
    "empty secret": signed(CLAIMS, secret=""),
    "kid a path": signed(CLAIMS, header(kid="../../dev/null")),
    "kid SQL": signed(CLAIMS, header(kid="' OR 1=1 --")),
    "kid huge": signed(CLAIMS, header(kid="k" * 3000)),
    "jku": signed(CLAIMS, header(jku="https://evil.example/keys")),
    "x5u": signed(CLAIMS, header(x5u="https://evil.example/cert")),
    "jwk": signed(CLAIMS, header(jwk={"kty": "oct", "k": part(b"x" * 40)})),
    "crit": signed(CLAIMS, header(crit=["exp"])),
    "b64 false": signed(CLAIMS, header(b64=False, crit=["b64"])),
    "typ of an id token": signed(CLAIMS, {"alg": "HS256", "typ": "ID"}),
    "alg twice": signed(CLAIMS, b'{"alg":"none","alg":"HS256","typ":"JWT","typ":"at+jwt"}'),
    "expired": signed(but(exp=AT)),
    "exp absent": signed(without("exp")),
    "exp a float": signed(but(exp=AT + 3600.5)),
    "exp a string": signed(but(exp=str(AT + 3600))),
    "exp huge": signed(but(exp=10**30)),
    "exp negative": signed(but(exp=-1)),
    "exp NaN": signed(json.dumps(CLAIMS).replace(str(AT + 3600), "NaN").encode()),
    "exp true": signed(but(exp=True)),
    "lives too long": signed(but(exp=AT + 40 * 86400)),
    "nbf in the future": signed(but(nbf=AT + 60)),
    "iat in the future": signed(but(iat=AT + 60)),
    "nbf absent": signed(without("nbf")),
    "wrong iss": signed(but(iss="https://evil.example")),
    "iss with a slash": signed(but(iss="policycortex-local/")),
    "iss absent": signed(without("iss")),
    "wrong aud": signed(but(aud="another")),
    "aud a list with ours": signed(but(aud=["policycortex", "another"])),
    "aud absent": signed(without("aud")),
    "sub absent": signed(without("sub")),
    "sub empty": signed(but(sub="")),
    "sub with a line break": signed(but(sub="ada\nadmin")),
    "sub with white space": signed(but(sub=" ada")),
    "sub the system": signed(but(sub="System")),
    "jti absent": signed(without("jti")),
    "jti a path": signed(but(jti="../x")),
    "idtyp unknown": signed(but(idtyp="device")),
    "scopes a string": signed(but(scopes="/")),
    "scopes empty": signed(but(scopes=[])),
    "a scope of another kind": signed(but(scopes=["/providers/x"])),
    "tid absent": signed(without("tid")),
    "tid a path": signed(but(tid="../other")),
    "tid with a line break": signed(but(tid="contoso\n")),
    "roles a string": signed(but(roles="admin")),
    "roles empty": signed(but(roles=[])),
    "roles unknown": signed(but(roles=["root"])),
    "more claims": signed(but(scope="all")),
    "payload a list": signed([CLAIMS]),
    "payload no JSON": signed(b"{"),
    "payload not UTF-8": signed(b"\xff\xfe"),
    "payload deep": signed(b"[" * 2000),
    "nested": signed(GOOD.encode(), header(cty="JWT")),
    "five parts, as JWE": f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{part(b'iv')}.{BODY}.{MAC}",
    "JSON serialisation": json.dumps({"protected": HEAD, "payload": BODY, "signature": MAC}),
    "huge": f"{HEAD}.{'A' * 1_000_000}.{MAC}",
    "not ASCII": f"{HEAD}.{BODY}ü.{MAC}",
    "lone surrogate": f"{HEAD}.{BODY}\ud800.{MAC}",
    "line break behind": f"{GOOD}\n",
}


@pytest.fixture
def tokens() -> SignedTokens:
    return SignedTokens(SECRET, lambda: NOW)


def test_a_good_token_is_known(tokens: SignedTokens) -> None:
    assert tokens.authenticate(GOOD) == Caller(
        tenant="contoso",
        subject="ada",
        roles=assign_roles([Role.READER]),
        token_id=CLAIMS["jti"],
        expires_at=NOW + timedelta(hours=1),
    )


def test_what_is_minted_is_known(tokens: SignedTokens) -> None:
    token = tokens.mint("grace", [Role.APPROVER, Role.READER, Role.READER], "fabrikam", timedelta(minutes=5))
    known = tokens.authenticate(token)
    assert (known.subject, known.tenant, known.roles) == (
        "grace",
        "fabrikam",
        assign_roles([Role.APPROVER, Role.READER]),
    )
    assert known.expires_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_is_rejected_without_a_reason(tokens: SignedTokens, attack: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        tokens.authenticate(ATTACKS[attack])
    with pytest.raises(Unauthenticated) as usual:
        tokens.authenticate("nothing")
    assert refused.value.message == usual.value.message


def test_a_cached_token_expires_when_it_says() -> None:
    now = NOW
    tokens = SignedTokens(SECRET, lambda: now)
    tokens.authenticate(GOOD)
    now = NOW + timedelta(hours=1)
    with pytest.raises(Unauthenticated):
        tokens.authenticate(GOOD)


def test_known_tokens_are_not_verified_twice_and_not_kept_for_ever(
    tokens: SignedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    decode: Callable[..., Any] = jwt.decode
    monkeypatch.setattr(
        identity.jwt, "decode", lambda token, *rest, **more: verified.append(token) or decode(token, *rest, **more)
    )  # type: ignore[func-returns-value]
    monkeypatch.setattr(identity, "CACHED_TOKENS", 10)
    tokens.authenticate(GOOD)
    tokens.authenticate(GOOD)
    assert verified == [GOOD]
    for number in range(20):
        tokens.authenticate(signed(but(sub=f"user{number}")))
    assert len(tokens._known) == 10
    tokens.authenticate(GOOD)
    assert verified.count(GOOD) == 2


def test_a_refused_token_is_not_remembered(tokens: SignedTokens) -> None:
    with pytest.raises(Unauthenticated):
        tokens.authenticate(ATTACKS["body changed"])
    assert tokens._known == {}


@pytest.mark.parametrize(
    ("name", "tenant", "lifetime", "path"),
    [
        ("", "contoso", timedelta(hours=1), "sub"),
        ("ada", "../x", timedelta(hours=1), "tid"),
        ("ada", "cortex-registry", timedelta(hours=1), "tid"),
        ("ada", "contoso", timedelta(0), "lifetime"),
        ("ada", "contoso", timedelta(days=32), "lifetime"),
    ],
)
def test_a_token_that_would_be_rejected_is_not_minted(
    tokens: SignedTokens, name: str, tenant: str, lifetime: timedelta, path: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        tokens.mint(name, [Role.READER], tenant, lifetime)
    assert refused.value.path == path


def test_a_tenant_that_cannot_be_one_is_told_in_words(tokens: SignedTokens) -> None:
    with pytest.raises(InvalidInput, match="tid: the name of a tenant is expected: 1 to 64 letters, digits"):
        tokens.mint("ada", [Role.READER], "a tenant", timedelta(minutes=5))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidInput, match="32 bytes"):
        SignedTokens("x" * 31, lambda: NOW)


def test_without_a_secret_every_token_is_rejected() -> None:
    with pytest.raises(Unauthenticated):
        NoIdentity().authenticate(GOOD)


def test_roles_count_as_themselves_and_admin_as_all() -> None:
    assert all(role in IMPLIED_ROLES[role] for role in Role)
    assert IMPLIED_ROLES[Role.ADMIN] == frozenset(Role)
    assert Role.APPROVER not in IMPLIED_ROLES[Role.OPERATOR]
    assert Role.OPERATOR not in IMPLIED_ROLES[Role.APPROVER]
    assert IMPLIED_ROLES[Role.SENDER] == {Role.SENDER}
