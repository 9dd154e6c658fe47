"""A small result, an empty one, and the images they belong to."""

import numpy as np
import pytest
from tests.helpers.match_results import MATCHES, SCORES, SECONDS, SIZE0, SIZE1, some_features, some_matches

from tiepoint.result import MatchResult


@pytest.fixture
def result() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(6, SIZE0), some_features(4, SIZE1), some_matches(6, 4, MATCHES, SCORES), SECONDS
    )


@pytest.fixture
def empty() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(0, SIZE0), some_features(4, SIZE1), some_matches(0, 4, [], [])
    )


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.full((height, width, 3), 200, np.uint8) for width, height in (SIZE0, SIZE1))  # type: ignore[return-value]
