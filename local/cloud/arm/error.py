"""The errors of the sandbox cloud, spelled as Azure Resource Manager spells them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.resource import Json


@dataclass(eq=False)
class ArmError(Exception):
    """An error response. Source: Azure REST API guidelines, "Error condition responses"."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Sequence[Mapping[str, Json]] = ()

    def body(self) -> dict[str, Json]:
        """Return the JSON body."""
        inner: dict[str, Json] = {"code": self.code, "message": self.message}
        if self.details:
            inner["details"] = list(self.details)
        return {"error": inner}


def bad_request(code: str, message: str) -> ArmError:
    """Return a 400: the request is not valid."""
    return ArmError(400, code, message)


def subscription_not_found(subscription: str) -> ArmError:
    """Return a 404: there is no such subscription."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def group_not_found(group: str) -> ArmError:
    """Return a 404: there is no such resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def resource_not_found(resource_type: str, name: str, group: str | None) -> ArmError:
    """Return a 404: there is no such resource."""
    where = f" under resource group '{group}'" if group else ""
    message = f"The Resource '{resource_type}/{name}'{where} was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    return ArmError(404, "ResourceNotFound", message)


def not_allowed(method: str, resource_type: str) -> ArmError:
    """Return a 405: the type has no such operation."""
    message = f"The requested resource of type '{resource_type}' does not support http method '{method}'."
    return ArmError(405, "HttpMethodNotAllowed", message)


def authorization_failed(action: str, scope: str) -> ArmError:
    """Return a 403: the caller's roles do not grant the action."""
    message = (
        "The client 'sandbox@example.com' with object id '00000000-0000-0000-0000-000000000001' does not have "
        f"authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials."
    )
    return ArmError(403, "AuthorizationFailed", message)
