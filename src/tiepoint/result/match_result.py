"""MatchResult: the matches of an image pair, with helpers to verify, draw and save them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float, Int

from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import PairVerification, verify_pair
from tiepoint.html.embedding import embed_image
from tiepoint.html.notebook import PageView, picture_element
from tiepoint.html.pair_data import image_name, pair_data
from tiepoint.html.pair_page import SUFFIXES, check_page_path, is_page, render_pair, write_pair
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.resampling import Interpolation, WarpedArray
from tiepoint.io.messages import repr_of_matches
from tiepoint.io.notebook import to_html
from tiepoint.io.serialization import FORMATS, check_output_path, to_plain, write_arrays
from tiepoint.result.files import estimate_from, features_from, file_contents, read_match_file
from tiepoint.result.warping import WarpSource, warp_matched
from tiepoint.types import (
    PLANAR_KINDS,
    Assignment,
    Correspondences,
    Features,
    ImageInfo,
    Kind,
    StoppedBy,
    TwoViewEstimate,
)
from tiepoint.types.feature_arrays import to_opencv_matches
from tiepoint.visualization import (
    MAX_LINES,
    OverlayMode,
    draw_epipolar_lines,
    draw_inliers,
    draw_matches,
    draw_overlay,
    draw_panorama,
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MatchResult:
    """Tie points of an image pair, and how they were obtained.

    Attributes:
        matches: Index pairs (keypoint of image 0, keypoint of image 1), in ascending order of the first.
        scores: Match confidence: in (0, 1] for LightGlue, cosine similarity for mutual nearest neighbors.
        features0: Features of image 0; `matches[:, 0]` are indices of its keypoints.
        features1: Features of image 1.
        layers_run: Number of network layers that were run (early stopping); 0 if an image has no keypoints.
        prune0: Number of layers after which each keypoint of image 0 was pruned, as `prune0` of the reference
            implementation; the number of layers without pruning; 0 for keypoints that a latency budget left out.
        prune1: Number of layers after which each keypoint of image 1 was pruned.
        seconds: Duration of each stage: "read", "extract", "match", and "views" with a search over views; from commands
            and `match_to_files` all stages since the start, and their "total".
        rotation0: Rotation of image 0 before feature extraction, in degrees (CCW), from 0 to 359. Coordinates always
            refer to the image as it is.
        rotation1: Rotation of image 1 before feature extraction, in degrees (CCW).
        scale: Scale of image 1 relative to that of image 0 in the views that were matched, in px of the images as the
            extractor resizes them; 1 for the images as they are.
        tilt: Factor by which one of the images was compressed in one direction, to simulate a viewpoint; 1 for none.
        views_tried: Number of pairs of views that a search over views matched; 1 without a search.
        stopped_by: Reason why no further layer was run: "last_layer", "confidence" (early stopping), "max_layers",
            "latency_budget", "no_keypoints" (none in an image, or all pruned), or "no_layers" (nearest neighbors).
    """

    matches: Int[np.ndarray, "k 2"]
    scores: Float[np.ndarray, "k"]
    features0: Features
    features1: Features
    layers_run: int
    prune0: Int[np.ndarray, "m"]
    prune1: Int[np.ndarray, "n"]
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    rotation0: int = 0
    rotation1: int = 0
    scale: float = 1.0
    tilt: float = 1.0
    views_tried: int = 1
    stopped_by: StoppedBy = "no_layers"
    _complete: "MatchResult | None" = None  # result from which inliers were selected
    _known_verification: PairVerification | None = (
        None  # saved with the matches, or from the search over views
    )

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
        scale: float = 1.0,
        tilt: float = 1.0,
        views_tried: int = 1,
        verification: PairVerification | None = None,
    ) -> "MatchResult":
        """Combine the features of a pair with the matcher's output.

        Args:
            features0: Features of image 0.
            features1: Features of image 1.
            assignment: Output of the matcher.
            seconds: Duration of each stage in seconds.
            rotation0: Rotation of image 0 before feature extraction, in degrees (CCW).
            rotation1: Rotation of image 1 before feature extraction, in degrees (CCW).
            scale: Scale of image 1 relative to that of image 0.
            tilt: Factor by which one of the images was compressed in one direction.
            views_tried: Number of pairs of views that were matched.
            verification: Pair verification of these matches if it is known, which `verify` then returns.
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
            scale=scale,
            tilt=tilt,
            views_tried=views_tried,
            stopped_by=assignment.stopped_by,
            _known_verification=verification,
        )

    def __len__(self) -> int:
        return len(self.matches)

    def __repr__(self) -> str:
        images = ((features.source, len(features)) for features in (self.features0, self.features1))
        return repr_of_matches(len(self), images)

    @property
    def keypoints_used(self) -> tuple[int, int]:
        """Number of keypoints of image 0 and image 1 that were matched; a latency budget may leave some out."""
        return int((self.prune0 > 0).sum()), int((self.prune1 > 0).sum())

    def _repr_html_(self) -> str:
        """Show numbers, pair verification and a drawing in a notebook; no drawing if the images cannot be read."""
        verification = self.verify()
        rows: list[tuple[str, object]] = [
            ("keypoints", f"{len(self.features0):,} and {len(self.features1):,}"),
            ("layers", self.layers_run),
            ("same scene", f"{verification.probability:.2f} ({verification.reason})"),
            *((f"seconds, {stage}", f"{value:.2f}") for stage, value in self.seconds.items()),
        ]
        names = (image_name(features, side) for side, features in enumerate((self.features0, self.features1)))
        title = f"{len(self):,} matches of {' and '.join(names)}"
        try:
            picture = picture_element(self.draw(), title)
        except InvalidInput as error:
            picture, rows = "", [*rows, ("picture", str(error))]
        return to_html(title, rows, picture)

    def show(
        self,
        estimate: TwoViewEstimate | None = None,
        verification: PairVerification | None = None,
        *,
        homography: TwoViewEstimate | None = None,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
    ) -> PageView:
        """Show the interactive viewer in a notebook.

        Args:
            estimate: Two-view geometry of these matches.
            verification: Output of `verify`.
            homography: Homography of these matches for overlays; None uses `estimate` if it is one.
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`), or an estimate has another number of matches.
        """
        data = self.viewer_data(estimate, verification, homography=homography, image0=image0, image1=image1)
        return PageView(render_pair(data))

    @property
    def points0(self) -> Float[np.ndarray, "k 2"]:
        """Matched points (x, y) in px of the upright image 0; the center of the top-left pixel is (0, 0)."""
        return _to_numpy(self.features0.keypoints)[self.matches[:, 0]]

    @property
    def points1(self) -> Float[np.ndarray, "k 2"]:
        """Corresponding points (x, y) in px of the upright image 1."""
        return _to_numpy(self.features1.keypoints)[self.matches[:, 1]]

    def to_opencv(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the keypoints of both images as cv2.KeyPoint, and the matches as cv2.DMatch with distance 1 - score.

        Raises:
            MissingDependency: If OpenCV is not installed.

        Example:
            >>> keypoints0, keypoints1, matches = result.to_opencv()
        """
        matches = to_opencv_matches(self.matches, self.scores)
        return self.features0.to_opencv(), self.features1.to_opencv(), matches

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
        return self._known_verification or verify_pair(self.correspondences)

    def with_seconds(self, seconds: Mapping[str, float]) -> "MatchResult":
        """Return this result with other durations of its stages; a known verification is kept."""
        known = self.__dict__.get("_verification", self._known_verification)
        return replace(self, seconds=dict(seconds), _known_verification=known)

    def swapped(self) -> "MatchResult":
        """Return these matches with image 0 and image 1 swapped; a known verification is kept."""
        order = np.argsort(self.matches[:, 1], kind="stable")
        return replace(
            self,
            matches=np.ascontiguousarray(self.matches[order, ::-1]),
            scores=self.scores[order],
            features0=self.features1,
            features1=self.features0,
            prune0=self.prune1,
            prune1=self.prune0,
            rotation0=self.rotation1,
            rotation1=self.rotation0,
            scale=1 / self.scale,
            _complete=None if self._complete is None else self._complete.swapped(),
            _known_verification=self.__dict__.get("_verification", self._known_verification),
        )

    def _verification_if_known(self) -> PairVerification | None:
        """Return the output of `verify` if it is known already; estimates nothing."""
        if self._complete is not None:
            return self._complete._verification_if_known()
        return self.__dict__.get("_verification", self._known_verification)

    def inliers(self, estimate: TwoViewEstimate) -> "MatchResult":
        """Keep only the inliers of an estimate; no matches if the estimation failed.

        Args:
            estimate: Two-view geometry of these matches.

        Raises:
            InvalidInput: If the estimate has another number of matches.
        """
        self._check_estimate(estimate)
        kept = {"matches": self.matches[estimate.inliers], "scores": self.scores[estimate.inliers]}
        return replace(self, **kept, _complete=self._complete or self)

    def draw(
        self,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        keypoints: bool = False,
        max_lines: int | None = MAX_LINES,
    ) -> PIL.Image.Image:
        """Draw both images next to each other: matched points, and lines for matches that are spread over image 0.

        Colors run from purple (low score) to light yellow (high score).

        Args:
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.
            keypoints: Whether to draw unmatched keypoints, too.
            max_lines: Maximum number of lines; None draws one per match.

        Raises:
            InvalidInput: If an image was matched from memory and is not given, cannot be read, or has another size
                than the matched image.
        """
        return draw_matches(
            *self._read_images(image0, image1),
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
        max_lines: int | None = MAX_LINES,
    ) -> PIL.Image.Image:
        """Draw inliers in green and outliers in red with crosses; all are outliers if the estimation failed.

        All matched points are drawn, and lines for matches that are spread over image 0.

        Args:
            estimate: Two-view geometry of these matches.
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.
            keypoints: Whether to draw unmatched keypoints, too.
            max_lines: Maximum number of lines; at least a fifth are outliers if there are enough. None draws all.

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`), or the estimate has another number of matches.
        """
        return draw_inliers(
            *self._read_images(image0, image1),
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
        """Draw inliers with their epipolar lines in both images.

        Args:
            estimate: Fundamental matrix, essential matrix or relative pose of these matches.
            image0: Image 0; None reads it again from its source. Lens distortion is not drawn.
            image1: Image 1; None reads it again from its source.
            max_lines: Maximum number of inliers to draw, distributed over image 0.

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`); or the estimation failed, or the estimate is
                a homography or has another number of matches.
        """
        matrix = _matrix(estimate, "epipolar lines", ("fundamental", "essential", "pose"))
        images, inliers = self._read_images(image0, image1), self.inliers(estimate)
        points, caption = (inliers.points0, inliers.points1), self._caption(estimate.kind)
        return draw_epipolar_lines(*images, *points, matrix, max_lines=max_lines, caption=caption)

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
            estimate: Homography, affine transformation or similarity.
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.
            mode: "blend" mixes both images; "checkerboard" alternates them.
            alpha: Opacity of image 0 in a blend, in [0, 1].

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`); or the estimation failed, or the estimate is
                none of these.
        """
        matrix = _matrix(estimate, "an overlay", PLANAR_KINDS)
        return draw_overlay(*self._read_images(image0, image1), matrix, mode=mode, alpha=alpha)

    def warp(
        self,
        estimate: TwoViewEstimate,
        image0: WarpSource | None = None,
        *,
        interpolation: Interpolation = "cubic",
    ) -> WarpedArray:
        """Resample image 0 onto the pixel grid of image 1, at full size, with its own type and bands.

        Args:
            estimate: Similarity, affine transformation or homography of these matches.
            image0: Path, or array of shape (h, w) or (h, w, c), integers or floating point; None reads image 0 again from
                its source.
            interpolation: "nearest", "linear" or "cubic".

        Returns:
            Values, and where image 0 shows something.

        Raises:
            InvalidInput: If the estimate failed, is of another kind or of other matches, or maps a part of the image to
                infinity; or the image cannot be read, or has another size.

        Example:
            >>> warped = result.warp(tiepoint.estimate_homography(result))
            >>> warped.pixels.shape, warped.is_inside.mean()
        """
        self._check_estimate(estimate)
        matrix = _matrix(estimate, "a warped image", PLANAR_KINDS)
        return warp_matched(image0, self.features0, matrix, self.features1.image_size, interpolation)

    def panorama(
        self,
        estimate: TwoViewEstimate,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
    ) -> PIL.Image.Image:
        """Warp image 0 into the plane of image 1 by a homography, on a canvas that contains both.

        Args:
            estimate: Homography, affine transformation or similarity.
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`); the estimation failed, or the estimate is none
                of these; or image 0 crosses the line at infinity, or its scale is too large.
        """
        matrix = _matrix(estimate, "a panorama", PLANAR_KINDS)
        return draw_panorama(*self._read_images(image0, image1), matrix)

    def _read_images(
        self, image0: ImageSource | Image | None, image1: ImageSource | Image | None
    ) -> tuple[Image, Image]:
        return _read_matched(image0, self.features0, 0), _read_matched(image1, self.features1, 1)

    def _check_estimate(self, estimate: TwoViewEstimate) -> None:
        if len(estimate.inliers) != len(self):
            raise InvalidInput(
                f"expected an estimate from the {len(self)} matches of this result, "
                f"got one from {len(estimate.inliers)} matches"
            )

    def _caption(self, text: str = "") -> str | None:
        views = [f"relative scale {self.scale:.2g}"] if self.scale != 1 else []
        views += [f"tilt {self.tilt:.2g}"] if self.tilt != 1 else []
        rotations = (
            f"image {side} rotated by {rotation} degrees"
            for side, rotation in enumerate((self.rotation0, self.rotation1))
            if rotation
        )
        return ", ".join(filter(None, (text, *rotations, *views))) or None

    def _keypoints(self, is_drawn: bool) -> dict[str, Any]:
        both = {"keypoints0": self.features0.keypoints, "keypoints1": self.features1.keypoints}
        return {name: _to_numpy(keypoints) for name, keypoints in both.items()} if is_drawn else {}

    def to_dict(
        self, estimate: TwoViewEstimate | None = None, verification: PairVerification | None = None
    ) -> dict[str, Any]:
        """Return everything but the descriptors as lists, numbers and strings.

        Args:
            estimate: Two-view geometry of these matches to include.
            verification: Output of `verify` to include; None includes it if it is known already.
        """
        return to_plain(file_contents(self, estimate, verification or self._verification_if_known()))

    def save(
        self,
        path: str | os.PathLike[str],
        estimate: TwoViewEstimate | None = None,
        verification: PairVerification | None = None,
        *,
        homography: TwoViewEstimate | None = None,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
    ) -> Path:
        """Write a file, atomically: everything but the descriptors, or a web page with the interactive viewer.

        Args:
            path: Output path ending in .npz (NumPy), .json or .html (a page of its own, with both images).
            estimate: Two-view geometry of these matches to include.
            verification: Output of `verify` to include; None includes it if it is known already.
            homography: Homography of these matches for overlays in the viewer; None uses `estimate` if it is one.
            image0: Image 0 for the viewer; None reads it again from its source.
            image1: Image 1 for the viewer; None reads it again from its source.

        Returns:
            The path.

        Raises:
            InvalidInput: If the suffix is unsupported, the file cannot be written, or an image for the viewer is missing
                or invalid (see `draw`).
        """
        verification = verification or self._verification_if_known()
        if not is_page(path):
            check_output_path(path, *FORMATS, *SUFFIXES)
            return write_arrays(file_contents(self, estimate, verification), path)
        check_page_path(path)
        data = self.viewer_data(estimate, verification, homography=homography, image0=image0, image1=image1)
        return write_pair(data, path)

    def viewer_data(
        self,
        estimate: TwoViewEstimate | None = None,
        verification: PairVerification | None = None,
        *,
        homography: TwoViewEstimate | None = None,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        max_lines: int | None = None,
        keypoints: bool = False,
    ) -> dict[str, Any]:
        """Return the data of the interactive viewer as JSON values; docs/how-to/look-at-matches.md describes the format.

        Args:
            estimate: Two-view geometry of these matches.
            verification: Output of `verify`.
            homography: Homography of these matches for overlays; None uses `estimate` if it is one.
            image0: Image 0; None reads it again from its source.
            image1: Image 1; None reads it again from its source.
            max_lines: Number of lines at first; None leaves it to the viewer.
            keypoints: Whether to show unmatched keypoints at first, too.

        Raises:
            InvalidInput: If an image is missing or invalid (see `draw`), or an estimate has another number of matches.
        """
        for given in (estimate, homography):
            if given is not None:
                self._check_estimate(given)
        return pair_data(
            self,
            (
                embed_image(_read_matched(image0, self.features0, 0)),
                embed_image(_read_matched(image1, self.features1, 1)),
            ),
            estimate=estimate,
            homography=homography,
            verification=verification,
            max_lines=max_lines,
            unmatched=keypoints,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "MatchResult":
        """Read a file written by `save`; descriptors are not saved, so the features have descriptors of dimension 0.

        Args:
            path: Path of the .npz or .json file.

        Raises:
            InvalidInput: If the file cannot be read, or its format is not supported.
        """
        values = read_match_file(path)
        verification = values.get("verification")
        return cls(
            matches=np.asarray(values["matches"], np.int64).reshape(-1, 2),
            scores=np.asarray(values["scores"], np.float32),
            features0=features_from(values, 0),
            features1=features_from(values, 1),
            layers_run=int(values["layers_run"]),
            prune0=np.asarray(values["prune0"], np.int64),
            prune1=np.asarray(values["prune1"], np.int64),
            seconds=dict(values.get("seconds", {})),
            rotation0=int(values["rotation0"]),
            rotation1=int(values["rotation1"]),
            scale=float(values.get("scale", 1.0)),
            tilt=float(values.get("tilt", 1.0)),
            views_tried=int(values.get("views_tried", 1)),
            stopped_by=values.get("stopped_by", "last_layer" if values["layers_run"] else "no_layers"),
            _known_verification=None if verification is None else PairVerification(**verification),
        )

    @staticmethod
    def load_estimate(path: str | os.PathLike[str]) -> TwoViewEstimate | None:
        """Read the estimate from a file written by `save`; None if it was saved without one.

        Args:
            path: Path of the .npz or .json file.

        Raises:
            InvalidInput: If the file cannot be read, or its format is not supported.
        """
        values = read_match_file(path).get("estimate")
        return None if values is None else estimate_from(values)


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _matrix(estimate: TwoViewEstimate, drawing: str, kinds: tuple[Kind, ...]) -> np.ndarray:
    """Return the homography or fundamental matrix of an estimate, for a drawing that needs one of `kinds`."""
    if estimate.kind not in kinds:
        expected = kinds[-1] if kinds == PLANAR_KINDS else kinds[0]
        raise InvalidInput(f"cannot draw {drawing}: expected a {expected} estimate, got {estimate.kind!r}")
    matrix = estimate.homography if estimate.kind in PLANAR_KINDS else estimate.fundamental
    if matrix is None:
        raise InvalidInput(f"cannot draw {drawing}: {estimate.kind} estimation failed: {estimate.reason}")
    return matrix


def _read_matched(given: ImageSource | Image | None, features: Features, side: int) -> Image:
    source = features.source if given is None else given
    if source is None:
        raise InvalidInput(
            f"image {side} was matched from memory, so it cannot be read again; pass it: result.draw(image0, image1)"
        )
    image = read_image(source, stretch="auto")  # as a display shows it
    if image.image_size != features.image_size:
        raise InvalidInput(
            f"image {side}: expected the matched image of {features.image_size[0]} x {features.image_size[1]} px, "
            f"got {image.image_size[0]} x {image.image_size[1]} px"
        )
    return image
