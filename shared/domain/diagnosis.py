"""Diagnosis: what of the product works, what does not, and what would fix it."""

from enum import StrEnum

from pydantic import Field

from shared.domain.model import Model


class Health(StrEnum):
    """The result of a check. `unknown`: not known yet, or not before something else is fixed."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class DiagnosisCheck(Model):
    """One check of an installation."""

    name: str
    health: Health
    detail: str = ""
    remedy: str | None = Field(default=None, description="the command, or what to do, to fix it")


class Diagnosis(Model):
    """All checks of an installation, in the order to fix them."""

    healthy: bool
    version: str
    checks: tuple[DiagnosisCheck, ...]
