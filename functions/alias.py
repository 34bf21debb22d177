"""The door of the alias listing: read anew every day."""

import azure.functions as func

from functions import context
from shared.domain.error import NotFound
from shared.services import listing, policy
from shared.settings import Settings

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 40 3 * * *")
def alias_refresh(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every day: read the provider listing of the tenant; nothing happens where no cloud is connected."""
    store = context.store(Settings().tenant, "aliases")
    try:
        listing.refresh(store=store, inventory=context.ports().inventory)
    except NotFound:
        return
    policy.look_again(store)
