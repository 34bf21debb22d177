"""How the nightly scan collects: changes, and from time to time everything, to verify that both come to the same."""

from datetime import timedelta

from shared.domain.scan import ScanRhythm
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.services.estate import estate


def mode(rhythm: ScanRhythm, *, store: Store) -> ScanMode:
    """Return how a nightly scan collects: it verifies when a subscription has not been read whole for so many days."""
    whole = [each.whole_at for each in estate.every(store) if each.source == "cloud" and each.whole_at]
    due = store.now() - timedelta(days=rhythm.verification_days)
    # An hour less: a scan that began a little later than tonight's last time must not put it off by a day.
    late = bool(whole) and min(whole) < due + timedelta(hours=1)
    return ScanMode.VERIFICATION if late else ScanMode.CHANGES
