"""Any checkpoint, any features: matching without an extractor."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.lightglue_files import LOMA, SIFT, family_files, tensors, write_file
from tests.helpers.lightglue_pairs import random_features

import tiepoint
from tiepoint import Features, InvalidInput, WeightsError
from tiepoint.io import messages

CASES = family_files()


def pair_of(kind: str = "", normalize: bool = True) -> tuple[Features, Features]:
    images = random_features(120, 16, 2)
    first, second = (
        Features.from_arrays(
            image["keypoints"][0],
            image["descriptors"][0],
            (640, 480),
            scales=image["scales"][0],
            orientations=image["oris"][0],
            kind=kind,
            normalize="l2" if normalize else None,
        )
        for image in images
    )
    return first, second


@pytest.mark.parametrize("case", [name for name in CASES if name != "keynet"])
def test_every_checkpoint_matches_features_of_its_dimension(tmp_path: Path, case: str):
    matcher = tiepoint.load_matcher(write_file(tmp_path, CASES[case][2]), filter_threshold=0.0)
    (result,) = matcher.match_features([pair_of()])
    assert len(result) > 0
    assert len(result.features0) == 120


def test_kinds_are_checked(tmp_path: Path):
    matcher = tiepoint.load_matcher(write_file(tmp_path, tensors()), kind="mine")
    assert "mine" in repr(matcher)
    matcher.match_features([pair_of("mine")])
    with pytest.raises(InvalidInput, match="expected kind 'mine', got 'other'"):
        matcher.match_features([pair_of("other")])


def test_another_dimension_and_missing_scales_are_errors(tmp_path: Path):
    other = Features.from_arrays(np.zeros((3, 2)), np.ones((3, 64)), (640, 480), normalize="l2")
    with pytest.raises(InvalidInput, match=r"expected descriptors of dimension 16.*got 64"):
        tiepoint.load_matcher(write_file(tmp_path, tensors())).match_features([(other, other)])
    plain = Features.from_arrays(np.zeros((3, 2)), np.ones((3, 16)), (640, 480), normalize="l2")
    with pytest.raises(InvalidInput, match="scales and orientations"):
        tiepoint.load_matcher(write_file(tmp_path, tensors(SIFT))).match_features([(plain, plain)])


def test_the_family_changes_the_fingerprint(tmp_path: Path):
    path = write_file(tmp_path, tensors(LOMA))
    with pytest.raises(WeightsError):
        tiepoint.load_matcher(path)
    assert tiepoint.load_matcher(path, family="loma").fingerprint


@pytest.mark.parametrize(("case", "warnings"), [("official", 1), ("loma", 0)])
def test_descriptors_of_other_lengths_are_one_warning(
    tmp_path: Path,
    case: str,
    warnings: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(messages, "_warned", set())
    matcher = tiepoint.load_matcher(write_file(tmp_path, CASES[case][2]))
    with caplog.at_level(logging.WARNING):
        matcher.match_features([pair_of(normalize=False)] * 2)
        matcher.match_features([pair_of(normalize=False)])
    assert caplog.text.count("lengths between") == warnings


def test_options_are_validated(tmp_path: Path):
    with pytest.raises(InvalidInput, match="filter_threshold"):
        tiepoint.load_matcher(write_file(tmp_path, tensors()), filter_threshold=2.0)
    matcher = tiepoint.load_matcher(write_file(tmp_path, tensors()), dtype="float16", adaptive=False)
    assert matcher.matcher.network.dtype == torch.float16
