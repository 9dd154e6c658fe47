"""A running application for tests that send requests to it."""

from collections.abc import Iterator

import pytest
from tests.helpers.app_server import Client, running_app


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with running_app() as running:
        yield running
