"""Events: posts every write to a webhook, in the schema of Event Grid.

Source: Azure Event Grid, "Azure subscription as an Event Grid source"; "Event Grid event schema"; "Event Grid message
delivery and retry".
"""

import logging
import threading
import urllib.error
import urllib.request
from operator import itemgetter
from urllib.parse import urlsplit

import orjson

from local.cloud.arm.address import subscription_of
from local.cloud.cloud import Cloud
from local.workload import guid
from shared.domain.error import InvalidInput
from shared.domain.resource import Json

_BATCH_EVENTS = 100
_POST_TIMEOUT_SECONDS = 30.0
_RETRY_SECONDS = 2.0  # the first time ten in Azure, then longer
_NOT_RETRIED = frozenset({400, 401, 403, 413})
"""What a webhook answers to an event that is then dropped: "endpoints and errors for which retry doesn't happen"."""
_log = logging.getLogger(__name__)


class WebhookDelivery:
    """Posts what was written, in no particular order, from a thread of its own; `token` is sent as a bearer token.

    What fails is tried again, after what comes behind it; what the receiver refuses as wrong or not allowed is logged
    and dropped. A receiver that cannot be reached is waited for. The store keeps the sequence number up to which all is
    delivered, so a cloud that is started again continues from there.
    """

    def __init__(self, cloud: Cloud, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise InvalidInput(
                f"events cannot be sent to '{url}': give an address that begins with http:// or https://"
            )
        self._cloud = cloud
        self._url = url
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._sent = int(cloud.store.fact("delivered") or 0)
        self._failed: list[list[dict[str, Json]]] = []
        self._halt = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-events", daemon=True)

    def start(self) -> None:
        """Start with what was written since the last delivery."""
        self._wake.set()
        self._thread.start()

    def notify(self) -> None:
        """Wake the thread: something may have been written."""
        self._wake.set()

    def stop(self) -> None:
        """Stop after the batch that is being sent."""
        self._halt.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._halt.is_set():
            if not self._failed:
                self._wake.wait()
            # Cleared before the store is read: a write that comes meanwhile wakes the thread again.
            self._wake.clear()
            while not self._halt.is_set() and self._deliver():
                pass
            if self._failed and not self._halt.wait(_RETRY_SECONDS):
                self._retry()

    def _deliver(self) -> bool:
        """Send one batch. Return whether there was one."""
        writes = self._cloud.store.writes(self._sent, _BATCH_EVENTS)
        if not writes:
            return False
        settled = self._post(writes)
        if settled is None:
            self._halt.wait(_RETRY_SECONDS)
            return True
        if not settled:
            self._failed.append(writes)
        self._sent = int(writes[-1]["sequence"])
        self._remember()
        return True

    def _retry(self) -> None:
        self._failed = [writes for writes in self._failed if not self._post(writes)]
        self._remember()

    def _remember(self) -> None:
        """Note up to where all is delivered; after a crash what is behind comes twice, as it may from Event Grid."""
        oldest = min((int(writes[0]["sequence"]) for writes in self._failed), default=self._sent + 1)
        self._cloud.store.remember("delivered", str(oldest - 1))

    def _post(self, writes: list[dict[str, Json]]) -> bool | None:
        """Post a batch. Return whether it is settled, delivered or dropped; None when nobody answers."""
        # By their ids, which say nothing of their order: subscribers may receive events out of order.
        events = sorted((make_event(self._cloud, write) for write in writes), key=itemgetter("id"))
        headers = {"Content-Type": "application/json", "aeg-event-type": "Notification", **self._authorization}
        request = urllib.request.Request(self._url, orjson.dumps(events), headers)  # noqa: S310 - the scheme was checked
        try:
            with urllib.request.urlopen(request, timeout=_POST_TIMEOUT_SECONDS) as response:  # noqa: S310 - the scheme was checked
                response.read()
        except urllib.error.HTTPError as error:
            error.close()
            _log.warning("the webhook refused %d events: %s", len(events), error)
            return error.code in _NOT_RETRIED
        except OSError:
            return None
        return True


def make_event(cloud: Cloud, write: dict[str, Json]) -> dict[str, Json]:
    """Return the event for a write."""
    verb, kind = ("delete", "Delete") if write["method"] == "DELETE" else ("write", "Write")
    resource_id, resource_type = write["id"], write["type"]
    subscription = subscription_of(resource_id.lower())
    action = f"{resource_type}/{verb}"
    return {
        "id": guid("event", cloud.tenant, write["sequence"]),
        "topic": f"/subscriptions/{subscription}",
        "subject": resource_id,
        "eventType": f"Microsoft.Resources.Resource{kind}Success",
        "eventTime": write["at"],
        "data": {
            "authorization": {"scope": resource_id, "action": action, "evidence": {"role": "Owner"}},
            "claims": {},
            "correlationId": write["correlation"],
            "resourceProvider": resource_type.partition("/")[0],
            "resourceUri": resource_id,
            "operationName": action,
            "status": "Succeeded",
            "subscriptionId": subscription,
            "tenantId": cloud.tenant,
        },
        "dataVersion": "2",
        "metadataVersion": "1",
    }
