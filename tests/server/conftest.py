"""One server for the tests that only ask."""

import httpx
import pytest

from tests.server.fakes import running


@pytest.fixture(scope="session")
def client():
    """Return a client of a server with the default limits."""
    with running() as address, httpx.Client(base_url=address, timeout=20) as client:
        yield client
