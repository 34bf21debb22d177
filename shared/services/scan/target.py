"""What there is to scan: the subscriptions of the cloud, and those whose stored estate is judged as it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.error import CortexError, Forbidden, Malformed, NotFound, Throttled, Unavailable
from shared.domain.estate import Estate
from shared.domain.inventory import Gap, Subscription, UnreadReason
from shared.domain.scan import ScanRequest, SubscriptionProgress
from shared.eventstore.store import Store
from shared.ports.inventory import Inventory
from shared.services.estate import estate

SUBSCRIPTIONS_PART = "subscriptions"
READ_PERMISSION = "Microsoft.Resources/subscriptions/read"
READER_ROLE = "Reader"
NAMED_SUBSCRIPTIONS = 3
"""The subscriptions that a message names."""
_SUBSCRIPTION_ID = re.compile(r"[a-z0-9](?:[a-z0-9._:-]{0,198}[a-z0-9])?")
"""What a cloud calls a subscription, an account or a project; it becomes a part of paths and of names in the store."""


@dataclass(slots=True)
class Targets:
    """The subscriptions to scan by id, and what is wrong with the list of them."""

    progress: dict[str, SubscriptionProgress] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def find(asked: ScanRequest, *, store: Store, inventory: Inventory) -> Targets:
    """Return the subscriptions to scan.

    A list leaves out what its reader may not see without a word, and may be cut short. So the subscriptions that were
    known before are scanned too when they are not in it: the first read of each tells whether, and why not, it can be
    seen. A list that leaves out what was known, or all there is, is a gap in any case.
    """
    known = {each.subscription: each for each in estate.every(store)}
    found = Targets()
    for key, each in known.items():
        if each.source == "import" or not asked.collect:
            found.progress[key] = SubscriptionProgress(
                subscription=key, display_name=each.display_name, source=each.source, collect=False, as_of=each.as_of
            )
    if asked.collect:
        _add_cloud(found, known, asked, store, inventory)
    if asked.subscriptions is None:
        return found
    wanted = {name.lower() for name in asked.subscriptions}
    found.gaps.extend(_unknown(name, store) for name in sorted(wanted - found.progress.keys()))
    found.progress = {key: each for key, each in found.progress.items() if key in wanted}
    return found


def _add_cloud(
    found: Targets, known: dict[str, Estate], asked: ScanRequest, store: Store, inventory: Inventory
) -> None:
    collected = {key: each for key, each in known.items() if each.source == "cloud"}
    listed = _listed(found, collected, store, inventory)
    wanted = None if asked.subscriptions is None else {name.lower() for name in asked.subscriptions}
    missing = sorted(collected.keys() - {each.id for each in listed})
    missing = missing if wanted is None else [key for key in missing if key in wanted]
    if missing and not found.gaps:
        names = ", ".join(missing[:NAMED_SUBSCRIPTIONS]) + (", …" if len(missing) > NAMED_SUBSCRIPTIONS else "")
        message = (
            f"the cloud's list leaves out {len(missing)} that it had before ({names}): deleted, not to be seen any "
            "more, or the list is cut short; each was looked for by its id"
        )
        found.gaps.append(_gap(UnreadReason.PARTIAL, message, store))
    found.progress |= {key: _pending(key, collected[key].display_name, known) for key in missing}
    found.progress |= {each.id: _pending(each.id, each.display_name, known) for each in listed}


def _listed(found: Targets, collected: dict[str, Estate], store: Store, inventory: Inventory) -> Sequence[Subscription]:
    """Return the subscriptions that the cloud lists; none when it refuses to, which is a gap.

    Those whose ids cannot be a subscription's are left out: they are one gap.

    Raises:
        Throttled: it asks to wait.
        Unavailable: it does not answer.
    """
    try:
        listed = inventory.subscriptions(tenant=store.tenant)
    except NotFound as error:
        if collected:
            found.gaps.append(_gap(UnreadReason.NOT_COLLECTED, error.message, store))
        return ()
    except CortexError as error:
        if isinstance(error, Throttled | Unavailable) and not isinstance(error, Malformed):
            raise
        reason = UnreadReason.FORBIDDEN if isinstance(error, Forbidden) else UnreadReason.FAILED
        found.gaps.append(_gap(reason, error.message, store))
        return ()
    if not listed:
        message = "the cloud lists no subscription: check its endpoint, and that our identity has the Reader role"
        found.gaps.append(_gap(UnreadReason.FORBIDDEN, message, store))
    bad = [each.id for each in listed if not _SUBSCRIPTION_ID.fullmatch(each.id)]
    if bad:
        message = f"{len(bad)} in the cloud's list have an id that is none, the first {bad[0][:80]!a}: left out"
        found.gaps.append(_gap(UnreadReason.FAILED, message, store))
    return [each for each in listed if _SUBSCRIPTION_ID.fullmatch(each.id)]


def _gap(reason: UnreadReason, message: str, store: Store) -> Gap:
    forbidden = reason is UnreadReason.FORBIDDEN
    return Gap(
        scope="/",
        part=SUBSCRIPTIONS_PART,
        reason=reason,
        permission=READ_PERMISSION if forbidden else None,
        role=READER_ROLE if forbidden else None,
        at=store.now(),
        message=message,
    )


def _unknown(name: str, store: Store) -> Gap:
    return Gap(
        scope=f"/subscriptions/{name}",
        part="subscription",
        reason=UnreadReason.FORBIDDEN,
        permission=READ_PERMISSION,
        role=READER_ROLE,
        at=store.now(),
        message="asked for, but neither visible nor imported",
    )


def _pending(subscription: str, display_name: str, known: Mapping[str, Estate]) -> SubscriptionProgress:
    as_of = known[subscription].as_of if subscription in known else None
    return SubscriptionProgress(subscription=subscription, display_name=display_name, as_of=as_of)


def messages(gaps: Iterable[Gap]) -> str:
    """Return the messages of gaps in one line."""
    return "; ".join(gap.message or f"{gap.part}: {gap.reason}" for gap in gaps)
