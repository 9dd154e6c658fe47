"""Options of tiepoint.load(BUNDLE)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.tiny_bundles import IMAGE_SIZE

import tiepoint
from tiepoint.errors import InvalidInput

IMAGE = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE[1], IMAGE_SIZE[0], 3), np.uint8)


def test_the_maximum_number_of_keypoints_is_an_option(tiny_bundle: Path) -> None:
    matcher = tiepoint.load(tiny_bundle)
    limited = tiepoint.load(tiny_bundle, max_keypoints=9)
    assert len(limited.extract(IMAGE)) == 9
    assert len(matcher.extract(IMAGE)) > 9
    assert limited.fingerprint != matcher.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 512}, "does not support resize"),
        ({"filter_threshold": 0.3}, "does not support filter_threshold"),
        ({"latency_budget_ms": 100.0}, "does not support latency_budget_ms"),
        ({"device": "meta"}, "runs on the CPU, got device 'meta'"),
    ],
)
def test_options_that_the_export_fixed_are_refused(
    tiny_bundle: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        tiepoint.load(tiny_bundle, **options)
