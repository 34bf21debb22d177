"""A sandbox cloud that speaks Resource Manager's REST dialect."""

from local.cloud.server import Sandbox, sandbox

__all__ = ["Sandbox", "sandbox"]
