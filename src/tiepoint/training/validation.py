"""Validation of a matcher on held-out images, under a named protocol.

Metrics are only comparable under the same protocol. A row of VALIDATION_PROTOCOLS is never changed; other settings are a
new row.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.ground_truth import IGNORED, GroundTruth
from tiepoint.geometry.metrics import auc, corner_error_px, homography_precision, homography_recall
from tiepoint.io.hashing import short_digest
from tiepoint.io.progress import ProgressCallback, no_progress
from tiepoint.matching.inputs import FeaturePair, PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.data.homographic_warps import Warp, WarpConfig, cache_warps
from tiepoint.training.data.random_homography import HomographyConfig
from tiepoint.training.distributed import KeyFilter, accept_all
from tiepoint.types import Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationProtocol:
    """Everything that the metrics depend on, except matcher and images.

    Attributes:
        name: Name of the protocol.
        warps: Homographic warps; two per image, which are one pair. None: the pairs are those of the given features.
        max_error_px: Maximum reprojection error of a correct match in px; see `tiepoint.geometry.metrics`.
        filter_threshold: Minimum score of LightGlue's matches; mutual nearest neighbors are not filtered.
        auc_px: Threshold of the area under the cumulative curve of corner errors in px.
    """

    name: str
    warps: WarpConfig | None
    max_error_px: float = 3.0
    filter_threshold: float = 0.1
    auc_px: float = 5.0


VALIDATION_PROTOCOLS: dict[str, ValidationProtocol] = {
    "homography-512": ValidationProtocol(
        name="homography-512",
        warps=WarpConfig(
            per_image=2,
            seed=1_000_003,
            homography=HomographyConfig(difficulty=0.7, translation=0.7, max_angle_deg=35.0),
        ),
    ),
    "homography-512-rotated": ValidationProtocol(
        name="homography-512-rotated",
        warps=WarpConfig(
            per_image=2,
            seed=1_000_003,
            homography=HomographyConfig(difficulty=0.7, translation=0.7, max_angle_deg=180.0, upright=0.5),
        ),
    ),
    "given-warps": ValidationProtocol(name="given-warps", warps=None),
    "reconstruction": ValidationProtocol(name="reconstruction", warps=None),
    "verified-pairs": ValidationProtocol(name="verified-pairs", warps=None),
}
"""Name -> protocol. "homography-512": two warps per image at 512 px with 512 keypoints, difficulty 0.7, each rotated by up
to 35 degrees, standard augmentation; precision and recall at 3 px. For orientation: on 82 images, mutual nearest
neighbors reach 66.5 / 66.0 %, the pretrained ALIKED weights 92.3 / 93.0 %. "homography-512-rotated": the same with any
rotation, half of the warps upright; for matchers that are trained for it. "given-warps": the first two warps of each
held-out image in a folder of warps whose features were given. "reconstruction": covisible pairs of a reconstruction with
at least one held-out image; precision over the matches whose ground truth is known, recall of the ground-truth matches at
3 px, and no AUC. "verified-pairs": held-out pairs of a matched collection, measured as a reconstruction's."""

MAX_UPRIGHT_DEG = 90.0
"""Maximum rotation of training warps that are validated under "homography-512"."""


def find_protocol(homography: HomographyConfig) -> ValidationProtocol:
    """Return the protocol that measures what a network is trained for.

    Args:
        homography: Distribution of the homographies of the training pairs.
    """
    is_rotated = homography.max_angle_deg > MAX_UPRIGHT_DEG
    return VALIDATION_PROTOCOLS["homography-512-rotated" if is_rotated else "homography-512"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutPair:
    """Two homographic warps of an image."""

    warp0: Warp
    warp1: Warp

    @property
    def features(self) -> FeaturePair:
        """Features of both warps."""
        return self.warp0.features, self.warp1.features

    @property
    def homography(self) -> Float[np.ndarray, "3 3"]:
        """Ground-truth homography, p1 ~ H p0."""
        return np.linalg.inv(self.warp1.homography) @ self.warp0.homography

    def points(self, assignment: Assignment) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Return the coordinates (x, y) of the matches in both warps, in px."""
        matches = assignment.matches.numpy()
        keypoints0, keypoints1 = (warp.features.keypoints.numpy() for warp in (self.warp0, self.warp1))
        return keypoints0[matches[:, 0]], keypoints1[matches[:, 1]]

    def score(self, assignment: Assignment, protocol: ValidationProtocol) -> "PairScore":
        """Compare the matches of the pair with the homography."""
        features0, features1 = self.features
        points0, points1 = self.points(assignment)
        max_error_px = protocol.max_error_px
        recall = homography_recall(
            assignment.matches.numpy(),
            features0.keypoints.numpy(),
            features1.keypoints.numpy(),
            self.homography,
            max_error_px=max_error_px,
        )
        estimate = estimate_homography(points0, points1, max_error_px=max_error_px)
        return PairScore(
            precision=float(homography_precision(points0, points1, self.homography, [max_error_px])[0]),
            recall=recall,
            corner_error_px=corner_error_px(estimate.matrix, self.homography, features0.image_size),
        )

    def digest(self) -> str:
        """Return the ground truth as text."""
        return self.homography.tobytes().hex()


@dataclass(frozen=True, slots=True, eq=False)
class LabeledPair:
    """Features of two images whose keypoints are labeled, such as those of a reconstruction.

    Attributes:
        features: Features of both images.
        truth: Labels of the keypoints of both images.
    """

    features: FeaturePair
    truth: GroundTruth

    def score(self, assignment: Assignment, protocol: ValidationProtocol) -> "PairScore":
        """Compare the matches of the pair with the labels; matches of two ignored keypoints do not count."""
        labels0, labels1 = self.truth
        indices0, indices1 = assignment.matches.unbind(1)
        correct = labels0[indices0] == indices1
        known = (labels0[indices0] != IGNORED) | (labels1[indices1] != IGNORED)
        num_true = int((labels0 >= 0).sum())
        return PairScore(
            precision=int(correct.sum()) / max(int(known.sum()), 1),
            recall=int(correct.sum()) / num_true if num_true else math.nan,
            corner_error_px=math.nan,
        )

    def digest(self) -> str:
        """Return the ground truth as text."""
        return self.truth.matches0.numpy().tobytes().hex()


ValidationPair: TypeAlias = HeldOutPair | LabeledPair


class PairScore(NamedTuple):
    """Comparison of the matches of a pair with its ground truth.

    Attributes:
        precision: Fraction of correct matches; 0 without matches.
        recall: Fraction of ground-truth matches that were found; NaN if there are none.
        corner_error_px: Mean corner error of the estimated homography in px; NaN without a homography.
    """

    precision: float
    recall: float
    corner_error_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMetrics:
    """Metrics of a matcher, as means over the pairs.

    Attributes:
        precision: Fraction of correct matches, in [0, 1]; 0 for a pair without matches.
        recall: Fraction of ground-truth matches that were found, in [0, 1]; over pairs that have any.
        auc: Area under the cumulative curve of corner errors of the estimated homographies, in [0, 1]; NaN for pairs
            without a homography.
        matches: Matches per pair.
        correct: Correct matches per pair.
        layers: Transformer layers per pair.
        seconds: Matching time per pair.
        pairs: Number of pairs.
    """

    precision: float
    recall: float
    auc: float
    matches: float
    correct: float
    layers: float
    seconds: float
    pairs: int

    @property
    def f1(self) -> float:
        """F1 score: harmonic mean of precision and recall, in [0, 1]; 0 if the recall is undefined."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)


def held_out_pairs(
    images: Sequence[Path],
    extractor: NeuralExtractor,
    folder: str | Path,
    protocol: ValidationProtocol,
    *,
    min_images: int = 1,
    accepts: KeyFilter = accept_all,
    progress: ProgressCallback = no_progress,
) -> tuple[list[HeldOutPair], tuple[str, ...]]:
    """Return one pair of warps per image, and the problems of images that cannot be used.

    Args:
        images: Paths of the images.
        extractor: Feature extractor.
        folder: Folder of the store of features.
        protocol: Protocol that defines the warps.
        min_images: Minimum number of usable images.
        accepts: Selects the images of this process, by key; there are no pairs of the others.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If too few images are usable, or the store cannot be written.
        StoreError: If the folder holds other files, or features of other settings.
        MissingDependency: If h5py is not installed.
    """
    warps = cache_warps(
        images,
        extractor,
        folder,
        protocol.warps,
        min_images=min_images,
        accepts=accepts,
        progress=progress,
    )
    accepted = [index for index, key in enumerate(warps.keys) if accepts(key)]
    return [HeldOutPair(*warps.read(index)) for index in accepted], warps.problems


def validate(
    matcher: PairMatcher, pairs: Sequence[ValidationPair], protocol: ValidationProtocol
) -> ValidationMetrics:
    """Match every pair, and compare the matches with the ground truth."""
    scores, seconds = [], 0.0
    for pair in pairs:
        start = perf_counter()
        (assignment,) = matcher.match([pair.features])
        seconds += perf_counter() - start
        precision, recall, error = pair.score(assignment, protocol)
        scores.append((precision, recall, len(assignment.matches), assignment.layers_run, error))
    precision, recall, matches, layers, errors = np.array(scores).T
    return ValidationMetrics(
        precision=float(precision.mean()),
        recall=float(np.nanmean(recall)) if not np.isnan(recall).all() else math.nan,
        auc=float(auc(errors, [protocol.auc_px])[0]) if not np.isnan(errors).any() else math.nan,
        matches=float(matches.mean()),
        correct=float((precision * matches).mean()),
        layers=float(layers.mean()),
        seconds=seconds / len(pairs),
        pairs=len(pairs),
    )


def validation_digest(pairs: Sequence[ValidationPair], protocol: ValidationProtocol) -> str:
    """Return a digest of the protocol and the pairs; metrics with the same one can be compared."""
    return short_digest("\0".join([protocol.name, *(pair.digest() for pair in pairs)]))


def nearest_matcher() -> NearestMatcher:
    """Return the baseline: mutual nearest neighbors without a threshold."""
    return NearestMatcher(filter_threshold=-1.0)


def network_matcher(
    network: LightGlue, protocol: ValidationProtocol, *, adaptive: bool = False
) -> LightGlueMatcher:
    """Return LightGlue under a protocol, by default with all layers and no pruning.

    The network is switched to evaluation mode.
    """
    return LightGlueMatcher(
        network, adaptivity=AdaptiveInference.from_flag(adaptive), filter_threshold=protocol.filter_threshold
    )


def validate_network(
    network: LightGlue,
    pairs: Sequence[ValidationPair],
    protocol: ValidationProtocol,
    *,
    adaptive: bool = False,
) -> ValidationMetrics:
    """Validate a network, and restore its mode (training or evaluation)."""
    training = network.training
    try:
        return validate(network_matcher(network, protocol, adaptive=adaptive), pairs, protocol)
    finally:
        network.train(training)
