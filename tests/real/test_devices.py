"""All presets whose weights are free, on the device TIEPOINT_TEST_DEVICE ("cpu" by default): against the CPU, in batches,
in half precision."""

import os
from functools import cache
from pathlib import Path

import pytest
import torch

import tiepoint
from tiepoint.api import Matcher
from tiepoint.matching.device_check import check_device, tiny_pair
from tiepoint.presets import PRESETS
from tiepoint.types import Features
from tiepoint.weights import WEIGHTS

pytestmark = [pytest.mark.real, pytest.mark.weights]

DEVICE = os.environ.get("TIEPOINT_TEST_DEVICE", "cpu")
FREE = [
    name
    for name, row in PRESETS.items()
    if row.weights and all(WEIGHTS[key].sha256 and WEIGHTS[key].commercial for key in row.weights)
]
WITH_NETWORK = [name for name in FREE if PRESETS[name].matcher == "lightglue"]
OPTIONS = {"resize": 320, "max_keypoints": 256}


@cache
def matcher_on(device: str, preset: str, dtype: str = "float32") -> Matcher:
    options = {} if dtype == "float32" else {"dtype": dtype}
    return tiepoint.load(preset, device=device, **OPTIONS, **options)


@cache
def features_on(device: str, preset: str, folder: Path) -> tuple[Features, Features]:
    first, second = (folder / "lightglue_assets" / name for name in ("DSC_0410.JPG", "DSC_0411.JPG"))
    matcher = matcher_on(device, preset)
    return matcher.extract(first), matcher.extract(second)


def matched_points(result: tiepoint.MatchResult) -> torch.Tensor:
    return torch.cat([torch.as_tensor(result.points0), torch.as_tensor(result.points1)], dim=1)


def fraction_found(expected: tiepoint.MatchResult, actual: tiepoint.MatchResult, within_px: float) -> float:
    a, b = matched_points(expected), matched_points(actual)
    return float(((a[:, None] - b[None]).abs().amax(2) <= within_px).any(1).float().mean())


@pytest.mark.parametrize("preset", FREE)
def test_the_matches_are_those_of_the_cpu(preset: str, shared_data: Path) -> None:
    (expected,) = matcher_on("cpu", preset).match_features([features_on("cpu", preset, shared_data)])
    (actual,) = matcher_on(DEVICE, preset).match_features([features_on(DEVICE, preset, shared_data)])
    assert len(expected) > 20
    assert fraction_found(expected, actual, 0.1) > 0.97
    assert fraction_found(actual, expected, 0.1) > 0.97


@pytest.mark.parametrize("preset", FREE)
def test_batches_are_those_of_single_pairs(preset: str, shared_data: Path) -> None:
    first, second = features_on(DEVICE, preset, shared_data)
    pairs = [(first, second), (second, first), (first, first)]
    matcher = matcher_on(DEVICE, preset)
    batch = matcher.match_features(pairs)
    for pair, together in zip(pairs, batch, strict=True):
        (alone,) = matcher.match_features([pair])
        assert torch.equal(torch.as_tensor(together.matches), torch.as_tensor(alone.matches))
        torch.testing.assert_close(
            torch.as_tensor(together.scores), torch.as_tensor(alone.scores), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("preset", WITH_NETWORK)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_finds_most_matches(preset: str, dtype: str, shared_data: Path) -> None:
    pair = features_on(DEVICE, preset, shared_data)
    (exact,) = matcher_on(DEVICE, preset).match_features([pair])
    (half,) = matcher_on(DEVICE, preset, dtype).match_features([pair])
    assert fraction_found(exact, half, 0.0) > 0.85


@pytest.mark.parametrize("preset", FREE)
def test_the_tiny_pair_of_the_self_check_has_matches(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = matcher_on(DEVICE, preset)
    result = matcher.match(*tiny_pair())
    assert len(result) >= 20
    monkeypatch.setattr("tiepoint.matching.device_check.CHECKED_DEVICE_TYPES", (DEVICE.split(":")[0],))
    check_device(matcher.extractor, matcher.matcher)
