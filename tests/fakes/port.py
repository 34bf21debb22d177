"""A round through every store of a process."""

from shared import bootstrap
from shared.ports.documents import Query


def use(ports: bootstrap.Ports, tenant: str) -> None:
    """Write and read back through every store."""
    ports.documents.put(tenant=tenant, kind="finding", id="a", body={"severity": "high"})
    assert ports.documents.count(tenant=tenant, kind="finding", query=Query(), by="severity") == {"high": 1}
    ports.blobs.put(tenant=tenant, name="scan/a", data=b"x")
    assert ports.blobs.get(tenant=tenant, name="scan/a") == b"x"
    ports.queue.send("bootstrap", tenant)
    (message,) = ports.queue.receive("bootstrap")
    ports.queue.delete("bootstrap", message)
    assert message.body == tenant
