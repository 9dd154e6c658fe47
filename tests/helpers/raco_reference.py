"""Keypoints of RaCo's own code with random weights, recorded once: weights and images from seeds, outputs in a file.

RaCo is not on the package index, so its code does not run in CI. `raco_reference.npz` was recorded with the code of
github.com/cvg/RaCo at commit 35790eb (torch 2.14.1, CPU, float32), without its weights:

    git clone https://github.com/cvg/RaCo
    PYTHONPATH=src:.:RaCo python -m tests.helpers.raco_reference

Weights and images come from NumPy's `RandomState`, whose numbers never change.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("raco_reference.npz")
COMMIT = "35790eb"
SIZES = ((64, 96), (45, 75), (30, 20))
"""Shapes (height, width) in px of the images; only the first has sides that are multiples of 32."""
MAX_KEYPOINTS = (150, 150, 20)
"""Fewer than there are maxima: their code fills up with other pixels, of score 0."""
FIELDS = ("keypoints", "keypoint_scores", "ranker_scores", "covariances")


def random_weights(shapes: Mapping[str, torch.Size], seed: int = 0) -> dict[str, Tensor]:
    """Draw weights by the names and shapes of a state dict.

    Args:
        shapes: Shapes of all tensors by name.
        seed: Seed of the first tensor, in alphabetical order.
    """
    return {name: _draw(name, shapes[name], seed + i) for i, name in enumerate(sorted(shapes))}


def random_image(index: int) -> Tensor:
    """Draw an image of size `SIZES[index]`: noise, shape (3, h, w), values in [0, 1]."""
    values = np.random.RandomState(1000 + index).randint(0, 256, (3, *SIZES[index]))
    return torch.from_numpy(values.astype(np.float32) / 255)


def recorded(index: int) -> dict[str, Tensor]:
    """Return the recorded outputs for an image; the center of the top-left pixel is (0.5, 0.5)."""
    with np.load(FILE) as file:
        assert str(file["commit"]) == COMMIT
        return {name: torch.from_numpy(file[f"{name}{index}"]) for name in FIELDS}


def _draw(name: str, shape: torch.Size, seed: int) -> Tensor:
    random = np.random.RandomState(seed)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = 0.1 * random.standard_normal(shape) + (".bn" in name and name.endswith("weight"))
    else:
        values = random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
    return torch.from_numpy(np.asarray(values, np.float32))


def record() -> None:
    """Run the authors' code and write the file."""
    from raco import RaCo  # pyright: ignore[reportMissingImports]

    arrays: dict[str, np.ndarray] = {"commit": np.array(COMMIT)}
    for index, count in enumerate(MAX_KEYPOINTS):
        network = RaCo(weights=None, max_num_keypoints=count).eval()
        shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
        network.load_state_dict(random_weights(shapes), strict=True)
        output = network.extract(random_image(index))
        arrays |= {f"{name}{index}": output[name][0].numpy() for name in FIELDS}
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    record()
