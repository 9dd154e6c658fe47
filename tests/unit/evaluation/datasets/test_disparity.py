"""Disparity maps."""

from pathlib import Path

import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_disparity
from tiepoint.evaluation.ground_truth import DisparityGroundTruth


def test_invalid_disparity_maps_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    with pytest.raises(InvalidInput, match=r"grayscale.*a\.png"):
        read_disparity(DisparityGroundTruth(path=tmp_path / "a.png", scale=1))
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(InvalidInput, match=r"b\.png"):
        read_disparity(DisparityGroundTruth(path=tmp_path / "b.png", scale=1))
