"""Training pairs: features of two images with ground truth, addressed by index, padded into batches."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tiepoint.errors import InvalidInput
from tiepoint.geometry.ground_truth import IGNORED, POSITIVE_PX, ground_truth_from_homography, no_matches
from tiepoint.io.hashing import short_digest
from tiepoint.matching.inputs import network_positions
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.data.homographic_warps import CachedWarps, Warp
from tiepoint.types import Features


class SoftTargets(NamedTuple):
    """Top-k assignment probabilities of a teacher for a pair, or zero-padded for a batch.

    Attributes:
        partners0: For each keypoint of image 0, candidate matches in image 1; `UNMATCHED` (-1) for no match.
        probabilities0: Probability of each candidate in `partners0`.
        partners1: For each keypoint of image 1, candidate matches in image 0; `UNMATCHED` (-1) for no match.
        probabilities1: Probability of each candidate in `partners1`.
    """

    partners0: Int[Tensor, "*b m p"]
    probabilities0: Float[Tensor, "*b m p"]
    partners1: Int[Tensor, "*b n p"]
    probabilities1: Float[Tensor, "*b n p"]

    def swapped(self) -> "SoftTargets":
        """Return a copy with the two images swapped."""
        return SoftTargets(*self[2:], *self[:2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairSample:
    """Features of two images with ground truth.

    Attributes:
        features0: Features of image 0, on the CPU, in descending order of score.
        features1: Features of image 1, on the CPU, in descending order of score.
        matches0: For each keypoint of image 0, the index of its match in image 1, `UNMATCHED` (-1) or `IGNORED` (-2).
        matches1: For each keypoint of image 1, the index of its match in image 0, `UNMATCHED` (-1) or `IGNORED` (-2).
        soft_targets: Assignment probabilities of a teacher; None without a teacher.
    """

    features0: Features
    features1: Features
    matches0: Int[Tensor, "m"]
    matches1: Int[Tensor, "n"]
    soft_targets: SoftTargets | None = None

    def swapped(self) -> "PairSample":
        """Return a copy with the two images swapped."""
        return PairSample(
            features0=self.features1,
            features1=self.features0,
            matches0=self.matches1,
            matches1=self.matches0,
            soft_targets=None if self.soft_targets is None else self.soft_targets.swapped(),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBatch:
    """Pairs padded to a common number of keypoints, on one device; fields for image 1 end in 1.

    Attributes:
        positions0: Normalized keypoint positions, 2 or 4 values per keypoint, as `LightGlue` takes them.
        descriptors0: Descriptors of unit length; 0 in padding.
        mask0: True for keypoints, False for padding.
        matches0: Labels as in `PairSample`; `IGNORED` in padding.
        soft_targets: Assignment probabilities of a teacher; None unless every pair has them.
    """

    positions0: Float[Tensor, "b m p"]
    positions1: Float[Tensor, "b n p"]
    descriptors0: Float[Tensor, "b m i"]
    descriptors1: Float[Tensor, "b n i"]
    mask0: Bool[Tensor, "b m"]
    mask1: Bool[Tensor, "b n"]
    matches0: Int[Tensor, "b m"]
    matches1: Int[Tensor, "b n"]
    soft_targets: SoftTargets | None = None

    def __len__(self) -> int:
        return len(self.positions0)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Arguments of `LightGlue` and `LayerwiseLightGlue`, in order."""
        return (
            self.positions0,
            self.descriptors0,
            self.positions1,
            self.descriptors1,
            self.mask0,
            self.mask1,
        )

    @property
    def ground_truth(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Labels and masks, as `matching_loss` takes them: matches0, matches1, mask0, mask1."""
        return self.matches0, self.matches1, self.mask0, self.mask1

    def to(self, device: torch.device | str) -> "PairBatch":
        """Move all tensors to a device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        soft_targets = values.pop("soft_targets")
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in values.items()}
        if soft_targets is not None:
            soft_targets = SoftTargets(*(tensor.to(device, non_blocking=True) for tensor in soft_targets))
        return PairBatch(**moved, soft_targets=soft_targets)


class PairDataset(ABC):
    """An endless map-style dataset of pairs: the same index always gives the same pair.

    So the position in the data is one integer, which is all that resuming and distributed training need.

    Attributes:
        kind: Kind of the features.
        descriptor_dim: Descriptor dimension.
        position_dim: Values per keypoint position: 2, or 4 if the features have scales and orientations.
        fingerprint: Digest of everything that determines the pairs.
    """

    kind: str
    descriptor_dim: int
    position_dim: int
    fingerprint: str

    @abstractmethod
    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""

    def batch(self, indices: Sequence[int]) -> PairBatch:
        """Return a padded batch of the pairs of these indices, on the CPU."""
        return collate([self[index] for index in indices], self.position_dim)

    def close(self) -> None:  # noqa: B027 - most datasets have nothing to do
        """Flush cached results to the disk; the dataset can still be read."""


class HomographyPairs(PairDataset):
    """Pairs of homographic warps of the same image, and a fraction of negatives: pairs of different images.

    Every image is used once per epoch, each time with randomly chosen warps. Memory does not grow with the number of
    images: features are read on demand, and those of the last few images are cached.

    Args:
        warps: Images with cached warps; see `cache_warps`.
        seed: Random seed of the pairs and their order.
        negatives: Fraction of pairs of different images, in [0, 1]. Images of the same scene, such as bursts, should
            be rare, since their pairs count as negatives too.
        max_error_px: Maximum reprojection error of a match in px; see `ground_truth_from_homography`.
        cache_size: Number of images whose features are kept in memory. It covers a small collection completely; in a
            large one, images rarely recur soon enough.

    Raises:
        InvalidInput: If the fraction is outside [0, 1], or there are negatives but only one image.
    """

    def __init__(
        self,
        warps: CachedWarps,
        *,
        seed: int = 0,
        negatives: float = 0.05,
        max_error_px: float = POSITIVE_PX,
        cache_size: int = 64,
    ) -> None:
        check_fraction("negatives", negatives)
        if negatives > 0 and len(warps) < 2:
            raise InvalidInput(
                f"negatives need at least 2 images, got {len(warps)}; add images, or set negatives to 0"
            )
        self.warps, self.seed, self.negatives, self.max_error_px = warps, seed, negatives, max_error_px
        self._read = lru_cache(maxsize=cache_size)(warps.read)
        self._order = lru_cache(maxsize=2)(lambda epoch: epoch_permutation(seed, epoch, len(warps)))
        self.kind, self.descriptor_dim, self.position_dim = describe_features(self._read(0)[0].features)
        settings = [seed, negatives, max_error_px]
        self.fingerprint = digest([warps.store.fingerprint, *warps.keys, *map(repr, settings)])

    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""
        epoch, position = divmod(index, len(self.warps))
        image = int(self._order(epoch)[position])
        generator = np.random.default_rng([self.seed, index])
        if generator.random() < self.negatives:
            return self._negative(image, generator)
        warps = self._read(image)
        first, second = generator.choice(len(warps), 2, replace=False)
        return _positive(warps[first], warps[second], self.max_error_px)

    def _negative(self, image: int, generator: np.random.Generator) -> PairSample:
        other = (image + 1 + generator.integers(len(self.warps) - 1)) % len(self.warps)
        features0, features1 = (
            warps[generator.integers(len(warps))].features
            for warps in (self._read(image), self._read(int(other)))
        )
        truth = no_matches(len(features0), len(features1))
        return PairSample(features0=features0, features1=features1, **truth._asdict())


def collate(samples: Sequence[PairSample], position_dim: int = 2) -> PairBatch:
    """Pad pairs to a batch, separately for image 0 and image 1.

    Args:
        samples: Pairs; at least one.
        position_dim: Values per position: 2, or 4 with scale and orientation.

    Raises:
        InvalidInput: If scales and orientations are requested, but the features do not have them.
    """
    images0, images1 = ([getattr(sample, name) for sample in samples] for name in ("features0", "features1"))
    positions0, positions1 = (
        _pad([keypoint_positions(features, position_dim) for features in images])
        for images in (images0, images1)
    )
    return PairBatch(
        positions0=positions0,
        positions1=positions1,
        descriptors0=_pad([features.descriptors for features in images0]),
        descriptors1=_pad([features.descriptors for features in images1]),
        mask0=_pad([torch.ones(len(features), dtype=torch.bool, device="cpu") for features in images0]),
        mask1=_pad([torch.ones(len(features), dtype=torch.bool, device="cpu") for features in images1]),
        matches0=_pad([sample.matches0 for sample in samples], IGNORED),
        matches1=_pad([sample.matches1 for sample in samples], IGNORED),
        soft_targets=_pad_soft_targets([sample.soft_targets for sample in samples]),
    )


def keypoint_positions(features: Features, position_dim: int) -> Float[Tensor, "n p"]:
    """Return normalized positions as `LightGlue` takes them: (x, y), and optionally scale and orientation.

    Raises:
        InvalidInput: If the features do not have scales and orientations, or the dimension is neither 2 nor 4.
    """
    _, _, available = describe_features(features)
    if position_dim not in (2, available):
        raise InvalidInput(
            f"cannot encode positions of {position_dim} values: the features have {available}; use another extractor"
        )
    return network_positions(features, LightGlueShape(position_dim=position_dim))


def describe_features(features: Features) -> tuple[str, int, int]:
    """Return the kind, the descriptor dimension and the number of values per position."""
    oriented = features.scales is not None and features.orientations is not None
    return features.kind, features.descriptors.shape[1], 4 if oriented else 2


def epoch_permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """Return the order of an epoch: a random permutation of the integers below `count`."""
    # one integer more than the seeds of pairs, so that the random streams never coincide
    return np.random.default_rng([seed, epoch, 0]).permutation(count).astype(np.int32)


def digest(parts: Iterable[str]) -> str:
    """Return a short digest of a list of strings."""
    return short_digest("\0".join(parts))


def check_fraction(name: str, value: float) -> None:
    """Raise InvalidInput unless a value is in [0, 1]."""
    if not 0 <= value <= 1:
        raise InvalidInput(f"{name} must be a fraction in [0, 1], got {value!r}")


def _positive(warp0: Warp, warp1: Warp, max_error_px: float) -> PairSample:
    """Return a pair of warps of the same image."""
    homography = np.linalg.inv(warp1.homography) @ warp0.homography
    truth = ground_truth_from_homography(
        warp0.features.keypoints, warp1.features.keypoints, homography, max_error_px=max_error_px
    )
    return PairSample(features0=warp0.features, features1=warp1.features, **truth._asdict())


def _pad_soft_targets(targets: Sequence[SoftTargets | None]) -> SoftTargets | None:
    """Pad soft targets; None unless every pair has them."""
    known = [soft_targets for soft_targets in targets if soft_targets is not None]
    return SoftTargets(*map(_pad, zip(*known, strict=True))) if len(known) == len(targets) else None


def _pad(rows: Sequence[Tensor], value: int = 0) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=value)
