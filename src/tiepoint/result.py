"""MatchResult: what one pair of photographs gave."""

import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import PairVerification, verify_pair
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.io.serialization import to_plain, write_arrays
from tiepoint.types import Assignment, Correspondences, Features, ImageInfo, TwoViewEstimate
from tiepoint.visualization import (
    OverlayMode,
    draw_epipolar_lines,
    draw_inliers,
    draw_matches,
    draw_overlay,
    draw_panorama,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchResult:
    """Tie points of one pair, and what is known of how they came about.

    Attributes:
        matches: (k, 2) int64, indices into the keypoints of image 0 and of image 1, by rising index of image 0.
        scores: (k,) float32, confidence of each match: in (0, 1] for LightGlue, the cosine for nearest.
        features0: of image 0; their `keypoints` are what `matches` index.
        features1: of image 1.
        layers_run: layers of the network that this pair needed; 0 when an image has no keypoints.
        prune0: (m,) int64, 1 + number of prunings that each keypoint of image 0 survived; the number of layers
            with pruning off (the official `prune0`).
        prune1: (n,) likewise of image 1.
        seconds: duration of each stage that ran: "read", "extract", "match", and with `rotations` "rotate".
        rotation0: Rotation of image 0 before feature extraction, in degrees (CCW): 0, 90, 180 or 270. Coordinates
            always refer to the upright image.
        rotation1: Rotation of image 1 before feature extraction, in degrees (CCW).
    """

    matches: np.ndarray
    scores: np.ndarray
    features0: Features
    features1: Features
    layers_run: int
    prune0: np.ndarray
    prune1: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)
    rotation0: int = 0
    rotation1: int = 0
    _complete: "MatchResult | None" = field(
        default=None, repr=False
    )  # result from which inliers were selected

    @classmethod
    def from_assignment(
        cls,
        features0: Features,
        features1: Features,
        assignment: Assignment,
        seconds: dict[str, float] | None = None,
        *,
        rotation0: int = 0,
        rotation1: int = 0,
    ) -> "MatchResult":
        """Combine the features of a pair with the matcher's output.

        Args:
            features0: Features of image 0.
            features1: Features of image 1.
            assignment: Output of the matcher.
            seconds: Duration of each stage in seconds.
            rotation0: Rotation of image 0 before feature extraction, in degrees (CCW).
            rotation1: Rotation of image 1 before feature extraction, in degrees (CCW).
        """
        return cls(
            matches=assignment.matches.numpy(),
            scores=assignment.scores.float().numpy(),
            features0=features0,
            features1=features1,
            layers_run=assignment.layers_run,
            prune0=assignment.prune0.numpy(),
            prune1=assignment.prune1.numpy(),
            seconds=dict(seconds or {}),
            rotation0=rotation0,
            rotation1=rotation1,
        )

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def points0(self) -> np.ndarray:
        """(k, 2) float32: (x, y) in px of the original image 0, the center of its top-left pixel = (0, 0)."""
        return _array(self.features0.keypoints)[self.matches[:, 0]]

    @property
    def points1(self) -> np.ndarray:
        """(k, 2) float32: where the same physical points are in image 1."""
        return _array(self.features1.keypoints)[self.matches[:, 1]]

    @property
    def correspondences(self) -> Correspondences:
        """Matched points and scores: the input of estimators and pair verification."""
        return Correspondences.from_points(
            self.points0,
            self.points1,
            self.scores,
            image0=ImageInfo.from_features(self.features0, self.rotation0),
            image1=ImageInfo.from_features(self.features1, self.rotation1),
            layers_run=self.layers_run,
        )

    def verify(self) -> PairVerification:
        """Verify that the two images show the same scene, from all matches of the pair.

        Estimates a homography and a fundamental matrix by RANSAC on the first call; deterministic. A result of
        `inliers` returns the verification of the result that it was selected from.
        """
        return self._verification if self._complete is None else self._complete.verify()

    @cached_property
    def _verification(self) -> PairVerification:
        return verify_pair(self.correspondences)

    def inliers(self, estimate: TwoViewEstimate) -> "MatchResult":
        """Keep only the inliers of an estimate; no matches if the estimation failed.

        Raises:
            InvalidInput: an estimate of other matches.
        """
        if len(estimate.inliers) != len(self):
            raise InvalidInput(
                f"the estimate is of {len(estimate.inliers)} matches, but this result has {len(self)}; "
                "pass the estimate that was made from it"
            )
        kept = {"matches": self.matches[estimate.inliers], "scores": self.scores[estimate.inliers]}
        return replace(self, **kept, _complete=self._complete or self)

    def draw(
        self,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        keypoints: bool = False,
        max_lines: int | None = 500,
    ) -> PIL.Image.Image:
        """Draw the two images side by side, with a line a match, from red (low score) to green (high score).

        Args:
            image0: the picture to draw on; None: read it again from where it came.
            image1: likewise.
            keypoints: whether to show keypoints without a match too.
            max_lines: the strongest matches are drawn; None: all.

        Raises:
            InvalidInput: an image was given as pixels when matching, and isn't given here; or can't be read; or
                has another size than the one that was matched.
        """
        return draw_matches(
            *self._pictures(image0, image1),
            self.points0,
            self.points1,
            self.scores,
            **self._keypoints(keypoints),
            max_lines=max_lines,
            caption=self._caption(),
        )

    def draw_inliers(
        self,
        estimate: TwoViewEstimate,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        keypoints: bool = False,
        max_lines: int | None = 500,
    ) -> PIL.Image.Image:
        """Draw a line a match: green where it fits the estimate, red where it doesn't; all red where that failed.

        Args:
            estimate: of these matches.
            image0: as for `draw`.
            image1: as for `draw`.
            keypoints: as for `draw`.
            max_lines: as for `draw`.

        Raises:
            InvalidInput: as for `draw`; or an estimate of other matches.
        """
        return draw_inliers(
            *self._pictures(image0, image1),
            self.points0,
            self.points1,
            estimate.inliers,
            self.scores,
            **self._keypoints(keypoints),
            max_lines=max_lines,
            caption=self._caption(estimate.kind),
        )

    def draw_epipolar_lines(
        self,
        estimate: TwoViewEstimate,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        max_lines: int = 12,
    ) -> PIL.Image.Image:
        """Draw some inliers in both images, each with the line on which the estimate says that it must lie.

        Args:
            estimate: a fundamental or essential matrix, or a pose.
            image0: as for `draw`; lens distortion is not drawn.
            image1: as for `draw`.
            max_lines: so many, spread over image 0.

        Raises:
            InvalidInput: as for `draw`; or an estimate that failed, of other matches, or a homography.
        """
        matrix = _model(estimate, "epipolar lines", ("fundamental", "essential", "pose"))
        pictures, fitting = self._pictures(image0, image1), self.inliers(estimate)
        points, caption = (fitting.points0, fitting.points1), self._caption(estimate.kind)
        return draw_epipolar_lines(*pictures, *points, matrix, max_lines=max_lines, caption=caption)

    def overlay(
        self,
        estimate: TwoViewEstimate,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        mode: OverlayMode = "blend",
        alpha: float = 0.5,
    ) -> PIL.Image.Image:
        """Warp image 0 onto image 1 by a homography.

        Args:
            estimate: a homography.
            image0: as for `draw`.
            image1: as for `draw`.
            mode: "blend" mixes both; "checkerboard" shows them in turn, in squares.
            alpha: how much of image 0 a blend shows, 0 to 1.

        Raises:
            InvalidInput: as for `draw`; or an estimate that failed or is no homography.
        """
        matrix = _model(estimate, "an overlay", ("homography",))
        return draw_overlay(*self._pictures(image0, image1), matrix, mode=mode, alpha=alpha)

    def panorama(
        self,
        estimate: TwoViewEstimate,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
    ) -> PIL.Image.Image:
        """Put both images onto one canvas by a homography, image 1 as it is.

        Args:
            estimate: a homography.
            image0: as for `draw`.
            image1: as for `draw`.

        Raises:
            InvalidInput: as for `draw`; an estimate that failed or is no homography; or a homography that sends part
                of image 0 through the horizon, or stretches it beyond reason.
        """
        matrix = _model(estimate, "a panorama", ("homography",))
        return draw_panorama(*self._pictures(image0, image1), matrix)

    def _pictures(
        self, image0: ImageSource | Image | None, image1: ImageSource | Image | None
    ) -> tuple[Image, Image]:
        return _picture(image0, self.features0, 0), _picture(image1, self.features1, 1)

    def _caption(self, text: str = "") -> str | None:
        turned = f"image 1 turned by {self.rotation1} degrees" if self.rotation1 else ""
        return ", ".join(filter(None, (text, turned))) or None

    def _keypoints(self, wanted: bool) -> dict[str, Any]:
        both = {"keypoints0": self.features0.keypoints, "keypoints1": self.features1.keypoints}
        return {name: _array(keypoints) for name, keypoints in both.items()} if wanted else {}

    def to_dict(
        self, estimate: TwoViewEstimate | None = None, verification: PairVerification | None = None
    ) -> dict[str, Any]:
        """Return everything but the descriptors as lists, numbers and strings.

        Args:
            estimate: Two-view geometry of these matches to include.
            verification: Output of `verify` to include.
        """
        return to_plain(self._contents(estimate, verification))

    def save(
        self,
        path: str | os.PathLike[str],
        estimate: TwoViewEstimate | None = None,
        verification: PairVerification | None = None,
    ) -> Path:
        """Write everything but the descriptors to a file, atomically.

        Args:
            path: Output path ending in .npz (NumPy) or .json.
            estimate: Two-view geometry of these matches to include.
            verification: Output of `verify` to include.

        Returns:
            The path.

        Raises:
            InvalidInput: If the suffix is unsupported, or the file cannot be written.
        """
        return write_arrays(self._contents(estimate, verification), path)

    def _contents(
        self, estimate: TwoViewEstimate | None, verification: PairVerification | None
    ) -> dict[str, Any]:
        contents: dict[str, Any] = {}
        if estimate is not None:
            contents["estimate"] = _described(estimate)
        if verification is not None:
            contents["verification"] = asdict(verification)
        for side, features in enumerate((self.features0, self.features1)):
            contents[f"image{side}"] = features.source
            contents[f"image_size{side}"] = list(features.image_size)
            contents[f"exif_orientation{side}"] = features.exif_orientation
        return contents | {
            "features": self.features0.kind,
            "points0": self.points0,
            "points1": self.points1,
            "scores": self.scores,
            "matches": self.matches,
            "keypoints0": _array(self.features0.keypoints),
            "keypoints1": _array(self.features1.keypoints),
            "layers_run": self.layers_run,
            "prune0": self.prune0,
            "prune1": self.prune1,
            "rotation0": self.rotation0,
            "rotation1": self.rotation1,
            "seconds": dict(self.seconds),
        }


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _described(estimate: TwoViewEstimate) -> dict[str, Any]:
    return asdict(estimate) | {"success": estimate.success, "num_inliers": estimate.num_inliers}


def _model(estimate: TwoViewEstimate, what: str, kinds: tuple[str, ...]) -> np.ndarray:
    """The matrix that a picture is made with."""
    if estimate.kind not in kinds:
        raise InvalidInput(
            f"{what} can't be made of an estimate of kind {estimate.kind!r}; estimate a {kinds[0]}"
        )
    matrix = estimate.matrix if estimate.kind == "homography" else estimate.fundamental
    if matrix is None:
        raise InvalidInput(f"there is no {estimate.kind}, so no {what.split()[-1]} either: {estimate.reason}")
    return matrix


def _picture(given: ImageSource | Image | None, features: Features, side: int) -> Image:
    if given is None and features.source is None:
        raise InvalidInput(
            f"image {side} was matched from pixels in memory; pass it: result.draw(image0, image1)"
        )
    image = read_image(features.source if given is None else given)  # type: ignore[arg-type]
    if image.image_size != features.image_size:
        raise InvalidInput(
            f"image {side} is {image.image_size[0]} x {image.image_size[1]} px, but "
            f"{features.image_size[0]} x {features.image_size[1]} was matched; pass the image that was matched"
        )
    return image
