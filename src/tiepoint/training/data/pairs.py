"""What the trainer is fed: pairs of features with ground truth, drawn by number, padded into batches."""

import hashlib
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
from tiepoint.matching.inputs import network_positions
from tiepoint.training.data.ground_truth import IGNORED, POSITIVE_PX, matches_from_homography, nothing_matches
from tiepoint.training.data.homography_views import CachedViews, View
from tiepoint.types import Features


class SoftTargets(NamedTuple):
    """What a teacher predicts for a pair; of a batch with one dimension more in front, padded with zeros.

    For each keypoint of image 0 a few partners in image 1, `UNMATCHED` (-1) for having none, and how probable the
    teacher deems each of them; likewise for image 1.
    """

    partners0: Int[Tensor, "*b m p"]
    probabilities0: Float[Tensor, "*b m p"]
    partners1: Int[Tensor, "*b n p"]
    probabilities1: Float[Tensor, "*b n p"]

    def swapped(self) -> "SoftTargets":
        """The same, with the images in the other order."""
        return SoftTargets(*self[2:], *self[:2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairSample:
    """Two images of a pair, and which of their keypoints match.

    Attributes:
        features0: of image 0, on the CPU, by falling score.
        features1: likewise of image 1.
        matches0: for each keypoint of image 0 the index of its match in image 1, or `UNMATCHED` (-1) where there is
            certainly none, or `IGNORED` (-2).
        matches1: likewise for image 1.
        soft_targets: what a teacher predicts for the pair; None without one.
    """

    features0: Features
    features1: Features
    matches0: Int[Tensor, "m"]
    matches1: Int[Tensor, "n"]
    soft_targets: SoftTargets | None = None

    def swapped(self) -> "PairSample":
        """The same, with the images in the other order."""
        return PairSample(
            features0=self.features1,
            features1=self.features0,
            matches0=self.matches1,
            matches1=self.matches0,
            soft_targets=None if self.soft_targets is None else self.soft_targets.swapped(),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairBatch:
    """Pairs padded to a common number of keypoints, on one device.

    Attributes:
        positions0: what `LightGlue` takes of image 0: 2 or 4 numbers a keypoint, without unit.
        descriptors0: unit vectors; 0 where padded.
        mask0: True where a keypoint is real, False where it pads.
        matches0: as in `PairSample`; `IGNORED` where padded.
        soft_targets: None unless every pair has them.
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
        """The arguments of `LightGlue` and `LayerwiseLightGlue`, in order."""
        return (
            self.positions0,
            self.descriptors0,
            self.positions1,
            self.descriptors1,
            self.mask0,
            self.mask1,
        )

    @property
    def truth(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """matches0, matches1, mask0, mask1: what `matching_loss` takes behind the outputs."""
        return self.matches0, self.matches1, self.mask0, self.mask1

    def to(self, device: torch.device | str) -> "PairBatch":
        """The same batch with every tensor on `device`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        soft_targets = values.pop("soft_targets")
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in values.items()}
        if soft_targets is not None:
            soft_targets = SoftTargets(*(tensor.to(device, non_blocking=True) for tensor in soft_targets))
        return PairBatch(**moved, soft_targets=soft_targets)


class PairSource(ABC):
    """An endless supply of pairs: the pair of a number is always the same one.

    So a position is one integer: training that goes on after a stop, and several processes that share the pairs
    between them, need nothing else.

    Attributes:
        kind: of the features.
        descriptor_dim: columns of their descriptors.
        position_dim: numbers of a position: 2, or 4 where the features have scales and orientations.
        fingerprint: changes with everything that decides which pairs there are.
    """

    kind: str
    descriptor_dim: int
    position_dim: int
    fingerprint: str

    @abstractmethod
    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""

    def batch(self, indices: Sequence[int]) -> PairBatch:
        """The pairs of these numbers, padded, on the CPU."""
        return collate([self[index] for index in indices], self.position_dim)

    def close(self) -> None:  # noqa: B027 - most sources have nothing to do
        """Write what is still to be written; the source can be read on."""


class ViewPairs(PairSource):
    """Pairs of views of one photograph, and a share of pairs of different photographs, which have no match.

    Every photograph comes once before any comes again, each time with views that are drawn anew. Memory doesn't grow
    with the number of photographs: features are read when their pair is drawn, and the last few are kept.

    Args:
        views: see `cache_views`.
        seed: decides which pairs there are, and in which order.
        negatives: share of pairs of different photographs, in [0, 1]. Photographs of one place, such as a burst,
            should be few among many: their pairs are called negative too.
        max_error_px: see `matches_from_homography`.
        cached: photographs whose features are kept in memory: enough to read a small collection once, of a large one few
            are met again in time.

    Raises:
        InvalidInput: a share outside [0, 1], or negatives of a single photograph.
    """

    def __init__(
        self,
        views: CachedViews,
        *,
        seed: int = 0,
        negatives: float = 0.05,
        max_error_px: float = POSITIVE_PX,
        cached: int = 64,
    ) -> None:
        _check_share(negatives, len(views))
        self.views, self.seed, self.negatives, self.max_error_px = views, seed, negatives, max_error_px
        self._read = lru_cache(maxsize=cached)(views.read)
        self._order = lru_cache(maxsize=2)(lambda round_: shuffled(seed, round_, len(views)))
        self.kind, self.descriptor_dim, self.position_dim = describe_features(self._read(0)[0].features)
        settings = [seed, negatives, max_error_px]
        self.fingerprint = digest([views.store.fingerprint, *views.keys, *map(repr, settings)])

    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""
        round_, place = divmod(index, len(self.views))
        photograph = int(self._order(round_)[place])
        generator = np.random.default_rng([self.seed, index])
        if generator.random() < self.negatives:
            return self._negative(photograph, generator)
        views = self._read(photograph)
        first, second = generator.choice(len(views), 2, replace=False)
        return _positive(views[first], views[second], self.max_error_px)

    def _negative(self, photograph: int, generator: np.random.Generator) -> PairSample:
        other = (photograph + 1 + generator.integers(len(self.views) - 1)) % len(self.views)
        features0, features1 = (
            views[generator.integers(len(views))].features
            for views in (self._read(photograph), self._read(int(other)))
        )
        truth = nothing_matches(len(features0), len(features1))
        return PairSample(features0=features0, features1=features1, **truth._asdict())


def collate(samples: Sequence[PairSample], position_dim: int = 2) -> PairBatch:
    """Pad pairs to the largest number of keypoints of each side.

    Args:
        samples: at least one.
        position_dim: 2, or 4 to have scales and orientations too.

    Raises:
        InvalidInput: scales and orientations are asked for, but the features lack them.
    """
    images0, images1 = ([getattr(sample, name) for sample in samples] for name in ("features0", "features1"))
    positions0, positions1 = (
        _pad([positions_of(features, position_dim) for features in images]) for images in (images0, images1)
    )
    return PairBatch(
        positions0=positions0,
        positions1=positions1,
        descriptors0=_pad([features.descriptors for features in images0]),
        descriptors1=_pad([features.descriptors for features in images1]),
        mask0=_pad([torch.ones(len(features), dtype=torch.bool) for features in images0]),
        mask1=_pad([torch.ones(len(features), dtype=torch.bool) for features in images1]),
        matches0=_pad([sample.matches0 for sample in samples], IGNORED),
        matches1=_pad([sample.matches1 for sample in samples], IGNORED),
        soft_targets=_pad_soft_targets([sample.soft_targets for sample in samples]),
    )


def positions_of(features: Features, position_dim: int) -> Float[Tensor, "n p"]:
    """What `LightGlue` takes as the positions of keypoints: (x, y), then scale and orientation, as its matcher does.

    Raises:
        InvalidInput: the features lack scales or orientations, or neither 2 nor 4 numbers are asked for.
    """
    _, _, known = describe_features(features)
    if position_dim not in (2, known):
        raise InvalidInput(
            f"positions of {position_dim} numbers were asked for, but the features have no more than {known}; "
            "choose another extractor"
        )
    return network_positions(features, position_dim)


def describe_features(features: Features) -> tuple[str, int, int]:
    """Kind, columns of the descriptors, and numbers of a position."""
    oriented = features.scales is not None and features.orientations is not None
    return features.kind, features.descriptors.shape[1], 4 if oriented else 2


def shuffled(seed: int, round_: int, count: int) -> np.ndarray:
    """The order of a round: every whole number below `count` once."""
    # one number more than the pairs' generators have, so that none of them is this one
    return np.random.default_rng([seed, round_, 0]).permutation(count).astype(np.int32)


def digest(parts: Iterable[str]) -> str:
    """Sixteen hexadecimal digits of a list of strings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _positive(view0: View, view1: View, max_error_px: float) -> PairSample:
    """Both homographies lead to the photograph."""
    homography = np.linalg.inv(view1.homography) @ view0.homography
    truth = matches_from_homography(
        view0.features.keypoints, view1.features.keypoints, homography, max_error_px=max_error_px
    )
    return PairSample(features0=view0.features, features1=view1.features, **truth._asdict())


def _pad_soft_targets(of_pairs: Sequence[SoftTargets | None]) -> SoftTargets | None:
    """None where a pair has none."""
    known = [soft_targets for soft_targets in of_pairs if soft_targets is not None]
    return SoftTargets(*map(_pad, zip(*known, strict=True))) if len(known) == len(of_pairs) else None


def _pad(rows: Sequence[Tensor], value: int = 0) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=value)


def _check_share(negatives: float, photographs: int) -> None:
    if not 0 <= negatives <= 1:
        raise InvalidInput(f"negatives must be a share in [0, 1], but is {negatives!r}")
    if negatives > 0 and photographs < 2:
        raise InvalidInput(
            f"negatives need at least 2 photographs, but there is {photographs}; add more, or set negatives to 0"
        )
