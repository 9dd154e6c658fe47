"""Rotated pairs keep their ground truth."""

import numpy as np
import pytest
import torch
from benchmarks.training.metrics import upright_from_rotated

from tiepoint.geometry.multiview import warp_points


@pytest.mark.parametrize("num_rotations", [0, 1, 2, 3])
def test_rotated_pixels_are_mapped_back(num_rotations: int) -> None:
    image = torch.arange(5 * 7.0).view(1, 5, 7)
    rotated = torch.rot90(image, num_rotations, (1, 2))
    homography = upright_from_rotated((7, 5), num_rotations)
    y, x = np.mgrid[: rotated.shape[1], : rotated.shape[2]]
    positions = warp_points(np.column_stack([x.ravel(), y.ravel()]).astype(np.float64), homography)
    columns, rows = np.rint(positions).astype(int).T
    assert torch.equal(image[0, rows, columns], rotated[0].flatten())
