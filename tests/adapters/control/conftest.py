"""Every adapter of the port `Control`."""

from collections.abc import Iterator

import pytest

from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.control import ArmControl
from tests.adapters.cloud import Cloud

TENANT = "contoso"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)

    def clock(self) -> float:
        return self.now


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def control(cloud: Cloud, time: Time) -> Iterator[ArmControl]:
    connection = ArmConnection(TENANT, cloud.endpoint, StaticToken("token"))
    control = ArmControl(connection, sleep=time.sleep, clock=time.clock, timeout=5.0)
    yield control
    control.close()
