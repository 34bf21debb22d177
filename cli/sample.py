"""What `cortex run` does in a new sample estate, so that each part of the product has something to show."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx2

from cli.client import ApiError
from local import estate
from shared.domain.identity import Role

SCAN_SECONDS = 600.0
EXEMPTION_LIFETIME = timedelta(days=90)
IMPORT_NAME = "acquired-company.jsonl"
EXEMPTED_POLICY = "storage-no-shared-key"


class SampleSetup:
    """Fills a new estate, with the tokens of its operator and its approver."""

    def __init__(self, url: str, tokens: Mapping[str, str]) -> None:
        self._url = url
        self._http = httpx2.Client(base_url=f"{url}/api/v1", timeout=60)
        self._tokens = tokens

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def is_new(self) -> bool:
        """Return whether nothing was ever scanned; ApiError."""
        return not self._call(Role.OPERATOR, "GET", "/scans", params={"limit": 1})["items"]

    def sign_in_link(self) -> str:
        """Return the address of a link with which a browser signs in as the operator; ApiError."""
        made = self._call(Role.OPERATOR, "POST", "/sign-in-links")
        return f"{self._url}{made['path']}"

    def complete(self, seed: int) -> None:
        """Import what another company exported, scan the estate, and exempt one resource; ApiError."""
        lines = "".join(f"{json.dumps(body)}\n" for body in estate.exported(seed))
        head = {"content-type": "application/x-ndjson"}
        self._call(Role.OPERATOR, "POST", "/imports", params={"name": IMPORT_NAME}, content=lines, headers=head)
        self._wait("/imports")
        self._call(Role.OPERATOR, "POST", "/scans", json={})
        self._wait("/scans")
        chosen = {"policy": EXEMPTED_POLICY, "state": "nonCompliant", "open": "true", "limit": 1}
        for found in self._call(Role.OPERATOR, "GET", "/findings", params=chosen)["items"]:
            asked = {
                "scope": found["resourceId"],
                "assignment": found["assignment"],
                "references": [found["reference"]],
                "category": "Waiver",
                "reason": "The devices of a partner know the account key alone until their next release.",
                "owner": "platform@example.com",
                "expiresAt": (datetime.now(UTC) + EXEMPTION_LIFETIME).isoformat(),
            }
            made = self._call(Role.OPERATOR, "POST", "/exemptions", json=asked)
            self._call(Role.APPROVER, "POST", f"/exemptions/{made['id']}/approve")

    def _wait(self, path: str) -> None:
        """Wait until the latest of a list has ended."""
        until = time.monotonic() + SCAN_SECONDS
        while time.monotonic() < until:
            if any(each["endedAt"] for each in self._call(Role.OPERATOR, "GET", path, params={"limit": 1})["items"]):
                return
            time.sleep(0.5)

    def _call(self, role: Role, method: str, path: str, **given: Any) -> Any:  # noqa: ANN401 - any JSON
        head = {"authorization": f"Bearer {self._tokens[role]}", **given.pop("headers", {})}
        try:
            answer = self._http.request(method, path, headers=head, **given)
        except httpx2.HTTPError as error:
            raise ApiError(f"{path}: {error}") from error
        if not answer.is_success:
            raise ApiError(f"{path}: {answer.text[:500]}", status=answer.status_code)
        return answer.json()
