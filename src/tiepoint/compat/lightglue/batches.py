"""From dictionaries with a batch dimension to packed pairs, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tiepoint.compat.lightglue.dictionaries import MatchDict, require_keys
from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.inference import PairAssignment
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.types import describe


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageBatch:
    """Features of the images 0 or 1 of a batch of pairs.

    Attributes:
        keypoints: Keypoints in px, shape (b, n, 2).
        vectors: Descriptors, shape (b, n, d).
        image_size: Sizes (width, height) in px, shape (b, 2); None uses the extent of the keypoints.
        frames: Scales and orientations, shape (b, n, 2); None if the weights do not need them.
        counts: Number of keypoints of each image; the rest of its row is padding.
        shape: Shape of the network, which normalizes the keypoints.
    """

    keypoints: Tensor
    vectors: Tensor
    image_size: Tensor | None
    frames: Tensor | None
    counts: list[int]
    shape: LightGlueShape

    @classmethod
    def from_dictionary(cls, data: Mapping[str, Any], name: str, shape: LightGlueShape) -> "ImageBatch":
        """Check the features of a dictionary.

        Args:
            data: Dictionary from an extractor.
            name: Name of the dictionary for messages.
            shape: Sizes of the network that they are for.

        Raises:
            InvalidInput: If a key is missing, or a shape does not agree with the network or the keypoints.
        """
        needs_frames = shape.position_dim == 4
        require_keys(name, data, ["keypoints", "descriptors", *(["scales", "oris"] if needs_frames else [])])
        keypoints, vectors = data["keypoints"], data["descriptors"]
        b, n = _check_shape(name, "keypoints", keypoints, (None, None, 2))
        _check_shape(name, "descriptors", vectors, (b, n, shape.input_dim))
        frames = torch.stack([data["scales"], data["oris"]], dim=-1) if needs_frames else None
        size = data.get("image_size")
        if size is not None:
            size = torch.as_tensor(size, dtype=torch.float32, device=keypoints.device).reshape(-1, 2)
            _check_shape(name, "image_size", size, (b, 2))
        return cls(
            keypoints=keypoints.detach(),
            vectors=vectors.detach(),
            image_size=size,
            frames=frames,
            counts=_counts(name, data.get("mask"), (b, n)),
            shape=shape,
        )

    def __len__(self) -> int:
        return len(self.counts)

    def positions(self, index: int) -> Float[Tensor, "n p"]:
        """Return the positions of an image that LightGlue encodes."""
        count = self.counts[index]
        size = None if self.image_size is None else self.image_size[index]
        positions = self.shape.normalize(self.keypoints[index, :count], size)
        return (
            positions
            if self.frames is None
            else torch.cat([positions, self.frames[index, :count].float()], 1)
        )

    def descriptors(self, index: int) -> Float[Tensor, "n d"]:
        """Return the descriptors of an image."""
        return self.vectors[index, : self.counts[index]]

    def pad(self, rows: list[Tensor], value: float) -> Tensor:
        """Stack one row per image, padded to the length of the batch, on the device of the keypoints."""
        batch = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
        missing = self.keypoints.shape[1] - batch.shape[1]
        return nn.functional.pad(batch, (0, missing), value=value).to(self.keypoints.device)


def to_dictionary(
    results: list[PairAssignment], image0: ImageBatch, image1: ImageBatch, *, prunes: bool
) -> MatchDict:
    """Return the dictionary of a batch.

    Args:
        results: Result of each pair.
        image0: Features of the images 0.
        image1: Features of the images 1.
        prunes: Whether pruning is enabled; otherwise numbers of layers are float32, as in cvg/LightGlue.
    """
    found = [result.assignment for result in results]
    device = image0.keypoints.device
    matches, scores = zip(*(_listed(each.matches0, each.matching_scores0) for each in found), strict=True)
    prune0 = image0.pad([result.prune0 for result in results], 0)
    prune1 = image1.pad([result.prune1 for result in results], 0)
    return MatchDict(
        matches0=image0.pad([each.matches0 for each in found], -1),
        matches1=image1.pad([each.matches1 for each in found], -1),
        matching_scores0=image0.pad([each.matching_scores0 for each in found], 0.0),
        matching_scores1=image1.pad([each.matching_scores1 for each in found], 0.0),
        stop=max(map(_stop, results)),
        matches=[pairs.to(device) for pairs in matches],
        scores=[values.to(device) for values in scores],
        prune0=prune0 if prunes else prune0.float(),
        prune1=prune1 if prunes else prune1.float(),
    )


def _stop(result: PairAssignment) -> int:
    """Return the number of layers; a layer that finds an image without keypoints counts, as in cvg/LightGlue."""
    return result.layers_run + (result.stopped_by == "no_keypoints")


def _listed(matches0: Tensor, scores0: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index pairs (k, 2) and scores (k,) of one pair."""
    (indices0,) = torch.where(matches0 >= 0)
    return torch.stack([indices0, matches0[indices0]], dim=1), scores0[indices0]


def _check_shape(name: str, key: str, value: Any, expected: tuple[int | None, ...]) -> tuple[int, ...]:
    """Return the first two sizes of a tensor of the expected shape."""
    is_tensor = isinstance(value, Tensor) and value.ndim == len(expected)
    if not is_tensor or any(e not in (None, size) for e, size in zip(expected, value.shape, strict=True)):
        shape = ", ".join("any" if size is None else str(size) for size in expected)
        raise InvalidInput(
            f"{name}: expected {key!r} of shape ({shape}), got {describe(value)}; extractors return batches, and "
            "utils.rbd removes the batch dimension only for reading the results"
        )
    return value.shape[0], value.shape[1]


def _counts(name: str, mask: Tensor | None, shape: tuple[int, ...]) -> list[int]:
    """Return the number of keypoints of each image; padding is behind them."""
    b, n = shape
    if mask is None:
        return [n] * b
    _check_shape(name, "mask", mask, (b, n))
    counts = mask.sum(dim=1)
    is_behind = torch.arange(n, dtype=torch.int64, device=mask.device) < counts[:, None]
    if not torch.equal(mask.bool(), is_behind):
        raise InvalidInput(
            f"{name}: expected a mask with padding behind the keypoints, got padding between them"
        )
    return counts.tolist()
