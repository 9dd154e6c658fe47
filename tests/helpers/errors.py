"""Messages of errors."""

import pytest

from tiepoint.errors import TiepointError


def one_line(error: pytest.ExceptionInfo[TiepointError]) -> str:
    """Return the message, which must be one line."""
    assert "\n" not in str(error.value)
    return str(error.value)
