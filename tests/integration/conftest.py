"""People who call the service that a test file starts as its fixture `service`."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.processes import Service
from tests.integration.rest import Caller, caller


@pytest.fixture
async def ada(service: Service) -> AsyncIterator[Caller]:
    async with caller(service) as one:
        yield one


@pytest.fixture
async def bob(service: Service) -> AsyncIterator[Caller]:
    async with caller(service) as one:
        yield one
