"""`cortex sign-in` and `cortex token`: how a browser and other programs prove who they are."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli import state_folder, terminal
from cli.client import Client
from cli.response import SignInLink
from shared.domain.identity import TENANT_SCOPE, Role
from shared.domain.printable import printable


def sign_in(
    role: Annotated[Role, typer.Option(help="role of the session: operator or approver")] = Role.OPERATOR,
) -> None:
    """Print a link that signs in a browser: once, within ten minutes.

    With CORTEX_TOKEN the session is that token's, whatever the role.
    """
    with Client(role) as api:
        link = new_link(api)
    print(printable(link))  # noqa: T201 - the output itself
    terminal.print_err("Open it in a browser within ten minutes; it works once.")


def new_link(api: Client) -> str:
    """Return the address of a new sign-in link."""
    return f"{api.url}{api.post('/sign-in-links', SignInLink)['path']}"


def print_token(
    role: Annotated[Role, typer.Option(help="role that the token grants")] = Role.OPERATOR,
    name: Annotated[str, typer.Option(help="subject of the token, as events and approvals record it")] = "olga",
    days: Annotated[float, typer.Option(min=0.001, max=30, help="lifetime in days")] = 1.0,
    subscription: Annotated[
        list[str] | None,
        typer.Option(help="limit the role to a subscription instead of the whole tenant; repeat for more"),
    ] = None,
) -> None:
    """Print a development token, signed with this machine's own secret."""
    scopes = [f"/subscriptions/{each}" for each in subscription or ()] or [TENANT_SCOPE]
    print(mint_token(name, role, timedelta(days=days), scopes))  # noqa: T201 - the output itself


def mint_token(name: str, role: Role, lifetime: timedelta, scopes: Sequence[str] = (TENANT_SCOPE,)) -> str:
    """Return a token of this machine."""
    from shared.adapters.local.identity import SignedTokens  # noqa: PLC0415 - the other commands do without it

    tokens = SignedTokens(state_folder.load_secret(), lambda: datetime.now(UTC))
    return tokens.mint(name, [role], os.environ.get("CORTEX_TENANT", "local"), lifetime, scopes=scopes)
