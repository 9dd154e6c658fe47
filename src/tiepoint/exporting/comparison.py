"""Comparisons of one image or pair: what the exported graphs compute in their runtime, next to the package."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image, ImageTransform
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.lightglue import PairOutputs
from tiepoint.types import Assignment, Features

SAME_POSITION_PX = 0.01
SAME_VALUE = 1e-5
"""Values that are closer are ties: decisions between them may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What "the same" means (docs/architecture.md).

    Attributes:
        max_score_difference: Difference up to which two scores are the same.
        max_rare_score_difference: Maximum difference of all scores of real images; 3.2e-4 was seen, with LighterGlue.
            A wrong graph is off by orders of magnitude more, in more scores than `max_rare_per_10000`.
        max_random_score_difference: Maximum difference of all scores of random features. They amplify rounding errors
            with each layer: of LighterGlue's scores the package's differ from float64 by 3e-4, ONNX Runtime's by 8e-4.
        max_rare_per_10000: Maximum number of scores beyond `max_score_difference`, per 10,000.
        max_differing_per_10000: Maximum number of differing decisions, per 10,000.
        max_differing_keypoints_per_10000: Maximum number of keypoints of images that differ, per 10,000; a few ties are
            always allowed. There are far fewer of them than decisions between random features.
    """

    max_score_difference: float = 1e-4
    max_rare_score_difference: float = 1e-3
    max_random_score_difference: float = 5e-3
    max_rare_per_10000: float = 50.0
    max_differing_per_10000: float = 10.0
    max_differing_keypoints_per_10000: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One image or pair.

    Attributes:
        stage: "extraction", or the form of the matcher.
        input: "random", or the sizes of real images.
        counts: Numbers of keypoints.
        decisions: Number of decisions: keypoints; mutual nearest neighbors, matches, stops, prunings.
        differing: Number of decisions that differ.
        scores: Number of scores.
        rare: Number of scores beyond the rule's `max_score_difference`.
        max_score_difference: Largest difference of two scores.
        layers: Layers that ran in the runtime and in the package; empty without layers.
    """

    stage: str
    input: str
    counts: tuple[int, ...]
    decisions: int
    differing: int
    scores: int
    rare: int
    max_score_difference: float
    layers: tuple[int, ...] = ()


@torch.no_grad()
def compare_extraction(
    extractor: NeuralExtractor, runtime: BundleDetector, image: Image, rule: Rule
) -> tuple[Comparison, Features]:
    """Compare the keypoints of an image.

    Args:
        extractor: Extractor of the package.
        runtime: Extractor of the bundle.
        image: Image.
        rule: Rule of the report.

    Returns:
        The comparison, and the package's features in px of the image.
    """
    fixed_size = runtime.preprocessing.fixed_size
    transform = (
        ImageTransform(image.image_size, fixed_size) if fixed_size else extractor.transform(image.image_size)
    )
    pixels = transform.apply(image)
    found = runtime.detect(pixels.numpy())
    (expected,) = extractor.inference_network(
        pixels[None],
        max_keypoints=runtime.max_keypoints,
        detection_threshold=extractor.settings.detection_threshold,
    )
    features = Features(
        keypoints=transform.to_original(expected.keypoints),
        scores=expected.scores,
        descriptors=expected.descriptors,
        image_size=image.image_size,
        kind=extractor.settings.kind,
    )
    own, other = _same_keypoints(torch.from_numpy(found["keypoints"]), expected.keypoints)
    scores = expected.scores[other]
    # DISK's scores are unbounded: those above 1 are compared by their ratio
    differences = (torch.from_numpy(found["scores"])[own] - scores).abs() / scores.clamp(min=1)
    comparison = Comparison(
        stage="extraction",
        input=f"{pixels.shape[2]} x {pixels.shape[1]} px",
        counts=(len(found["keypoints"]), len(expected.keypoints)),
        decisions=len(expected.keypoints),
        differing=max(len(found["keypoints"]), len(expected.keypoints)) - len(own),
        scores=len(own),
        rare=int((differences > rule.max_score_difference).sum()),
        max_score_difference=float(differences.max()) if len(own) else 0.0,
    )
    return comparison, features


def _same_keypoints(keypoints: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices of the keypoints that both have, whatever their order."""
    if len(keypoints) == 0 or len(others) == 0:
        none = torch.zeros(0, dtype=torch.int64, device="cpu")
        return none, none
    # products, which torch would use, round distances to a tenth of a px
    distances, nearest = torch.cdist(keypoints, others, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    own = (distances < SAME_POSITION_PX).nonzero().squeeze(1)
    return own, nearest[own]


def compare_matches(
    form: str, name: str, found: PairOutputs, expected: Assignment, rule: Rule, *, matches_only: bool = False
) -> Comparison:
    """Compare the matches of a pair.

    Args:
        form: Form of the matcher.
        name: Input, for the report.
        found: Output of the bundle.
        expected: Output of the package.
        rule: Rule of the report.
        matches_only: Whether the bundle has the scores of matches only, not those of all mutual nearest neighbors.
    """
    scores = np.concatenate([found.matching_scores0, found.matching_scores1])
    others = np.concatenate([expected.matching_scores0.numpy(), expected.matching_scores1.numpy()])
    if matches_only:
        others = np.where(np.concatenate([_matches_of(expected, image) >= 0 for image in (0, 1)]), others, 0)
    is_mutual, is_mutual_other = scores > SAME_VALUE, others > SAME_VALUE
    differences = np.abs(scores - others)[is_mutual & is_mutual_other]
    decisions = np.concatenate(
        [
            is_mutual != is_mutual_other,
            found.matches0 != _matches_of(expected, 0),
            found.prune0 != expected.prune0.numpy(),
            found.prune1 != expected.prune1.numpy(),
            [found.layers_run != expected.layers_run],
        ]
    )
    return Comparison(
        stage=form,
        input=name,
        counts=(len(found.matches0), len(found.matches1)),
        decisions=len(decisions),
        differing=int(decisions.sum()),
        scores=len(differences),
        rare=int((differences > rule.max_score_difference).sum()),
        max_score_difference=float(differences.max(initial=0.0)),
        layers=(found.layers_run, expected.layers_run),
    )


def _matches_of(assignment: Assignment, image: int) -> np.ndarray:
    """Return the match of each keypoint of an image, or -1."""
    rows = np.full(len((assignment.matching_scores0, assignment.matching_scores1)[image]), -1, np.int64)
    matches = assignment.matches.numpy()
    rows[matches[:, image]] = matches[:, 1 - image]
    return rows
