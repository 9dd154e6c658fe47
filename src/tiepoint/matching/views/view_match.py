"""Matches of a pair of views, and the relative in-plane rotation that they imply."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Complex

from tiepoint.extraction.views import ORIGINAL, View
from tiepoint.geometry.pair_verification import (
    MIN_SAME_SCENE_PROBABILITY,
    ROTATION_ADVICE,
    PairVerification,
    verify_pair,
)
from tiepoint.types import Assignment, Correspondences, Features

# Matches of which displacements are taken, by their distance in the list; the number of matches at least
NEIGHBORS = (1, 3, 7, 12, 20)
MIN_MATCHES = 4

# Values of ViewMatch that are computed once
CACHED = ("correspondences", "angle_deg", "uncorrected")

# Minimum displacement in px
MIN_DISPLACEMENT_PX = 3.0

# Half the width of the mode of the angles, the number of its candidates, and its minimum fraction beyond chance
MODE_WIDTH_DEG = 20.0
NUM_MODES = 72
MIN_EXCESS = 0.08


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewMatch:
    """Matches of a pair of views, in px of the images as they are.

    Attributes:
        features0: Features of image 0.
        features1: Features of image 1.
        assignment: Matches between them.
        view0: View of image 0 from which its features were extracted.
        view1: View of image 1 from which its features were extracted.
        num_views: Number of pairs of views that were matched to find this one, itself included.
        is_pooled: Whether these are matches of several pairs of views; `view0` and `view1` are those of the best pair.
    """

    features0: Features
    features1: Features
    assignment: Assignment
    view0: View = ORIGINAL
    view1: View = ORIGINAL
    num_views: int = 1
    is_pooled: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether these are the matches of the images as they are."""
        return (self.view0, self.view1) == (ORIGINAL, ORIGINAL) and not self.is_pooled

    @property
    def scale(self) -> float:
        """Scale of image 1 relative to that of image 0 in the views; 1 for the images as they are."""
        return self.view1.scale / self.view0.scale

    @property
    def tilt(self) -> float:
        """Factor by which one of the images was compressed in one direction; 1 for the images as they are."""
        return max(self.view0.tilt, self.view1.tilt)

    @cached_property
    def correspondences(self) -> Correspondences:
        """Matched points and scores."""
        return Correspondences.from_assignment(
            self.features0,
            self.features1,
            self.assignment,
            rotation0=self.view0.rotation,
            rotation1=self.view1.rotation,
        )

    @cached_property
    def uncorrected(self) -> PairVerification:
        """Pair verification of the matches, as if no other views had been matched."""
        return verify_pair(self.correspondences)

    @property
    def verification(self) -> PairVerification:
        """Pair verification of the matches, estimated once; corrected for the choice among several views."""
        found = self.uncorrected
        if self.num_views > 1:
            found = replace(found, reason=found.reason.removesuffix(ROTATION_ADVICE))
        return found if self.is_plain else correct_for_choice(found, self.num_views)

    @property
    def num_inliers(self) -> int:
        """Number of inliers of pair verification."""
        return self.verification.num_inliers

    @cached_property
    def angle_deg(self) -> float | None:
        """Rotation of image 1 that undoes the relative in-plane rotation, in degrees; see `relative_angle_deg`."""
        return relative_angle_deg(self.correspondences)

    def after_search(self, num_views: int) -> "ViewMatch":
        """Return these matches with the number of views that a search matched to keep them; nothing is computed again.

        The probability of the images as they are does not depend on that number, that of other views does.

        Args:
            num_views: Number of pairs of views that were matched, these included.
        """
        found = replace(self, num_views=num_views)
        vars(found).update({name: value for name, value in vars(self).items() if name in CACHED})
        return found


def correct_for_choice(verification: PairVerification, num_views: int) -> PairVerification:
    """Divide the odds of a verification by the number of views among which its pair was chosen (Bonferroni).

    Each of n views of images of different scenes may pass by chance, so the best of n passes up to n times as often.

    Args:
        verification: Pair verification of the chosen pair of views.
        num_views: Number of pairs of views that were matched.
    """
    probability = verification.probability / (
        verification.probability + num_views * (1 - verification.probability)
    )
    is_same = probability >= MIN_SAME_SCENE_PROBABILITY
    reason = verification.reason
    if verification.same_scene and not is_same:
        reason = f"few inliers for the best of {num_views} views: {reason}"
    return replace(verification, probability=probability, same_scene=is_same, reason=reason)


def relative_angle_deg(matches: Correspondences) -> float | None:
    """Estimate the rotation of image 1 that undoes the relative in-plane rotation of the matches.

    It is the mode of the angles between displacements of the same two points in both images, so about a third of the
    matches may be right.

    Returns:
        Angle in degrees (CCW) in [-180, 180]; None if the matches disagree on it.
    """
    if len(matches) < MIN_MATCHES:
        return None
    steps = [step for step in NEIGHBORS if step < len(matches)]
    before, after = (_displacements(points, steps) for points in (matches.points0, matches.points1))
    angles = np.angle(
        after * before.conj()
    )  # clockwise, because y points down; undoing it is counter-clockwise
    is_apart = np.minimum(np.abs(before), np.abs(after)) > MIN_DISPLACEMENT_PX
    vectors: Complex[np.ndarray, "v"] = np.exp(1j * angles[is_apart])
    modes = np.exp(2j * np.pi * np.arange(NUM_MODES) / NUM_MODES)
    is_near: Bool[np.ndarray, "modes v"] = np.greater(
        np.real(vectors[None] * modes[:, None].conj()), math.cos(math.radians(MODE_WIDTH_DEG))
    )
    best: Bool[np.ndarray, "v"] = is_near[int(is_near.sum(axis=1).argmax())]
    chance = MODE_WIDTH_DEG / 180
    noise = math.sqrt(chance / max(1, len(vectors)))
    if best.sum() < (chance + max(MIN_EXCESS, 5 * noise)) * len(vectors) or not best.any():
        return None
    return math.degrees(np.angle(vectors[best].mean()))


def _displacements(points: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Displacements between points with these distances in the list, as complex numbers."""
    x, y = np.concatenate([np.roll(points, step, axis=0) - points for step in steps]).astype(np.float64).T
    return x + 1j * y
