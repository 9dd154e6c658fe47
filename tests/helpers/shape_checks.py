"""Switching off the runtime shape checks of `tests/conftest.py` while networks are traced: sizes are symbols then."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


@contextmanager
def without_shape_checks() -> Iterator[None]:
    """Disable the checks within the block."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
