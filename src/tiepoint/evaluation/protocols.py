"""PROTOCOLS: all settings that metrics depend on besides matcher and data set, by name.

A metric is only meaningful with its protocol: the AUC of the same matcher on the same data set changes by tens of points
with the robust estimator and its threshold. Protocols are never changed; other settings get a new name.

Source of the protocols "glue-factory-*": cvg/glue-factory, `gluefactory/configs/superpoint+lightglue-official.yaml` (and
the configurations of aliked and disk), `gluefactory/eval/{hpatches,megadepth1500,scannet1500}.py`,
`gluefactory/robust_estimators/` and README.md, as of 2024. Images are resized first there, and thresholds and errors are
in px of the resized images.
"""

from dataclasses import dataclass
from typing import Literal

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import GroundTruth, HomographyGroundTruth
from tiepoint.io.messages import unknown_name
from tiepoint.types.options import Adaptive

DEFAULT_PROTOCOL = "tiepoint"

Side = Literal["long", "short"]
Frame = Literal["original", "resized"]
Family = Literal["planar", "posed", "indoor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Settings of stage 1, from two images to matches.

    Attributes:
        resize: Length in px to which one image side is resized; None keeps the size.
        upscale: Enlarge smaller images; None uses the preset's choice.
        side: Image side that `resize` refers to.
        max_keypoints: Maximum number of keypoints per image, highest scores first.
        filter_threshold: Minimum match score.
        adaptive: Early stopping and keypoint pruning of LightGlue, as for `tiepoint.load`.
    """

    resize: int | None = 1024
    upscale: bool | None = True
    side: Side = "long"
    max_keypoints: int = 2048
    filter_threshold: float = 0.1
    adaptive: Adaptive = False

    def longer_side(self, image_size: tuple[int, int]) -> int | None:
        """Return the longer side in px of the resized image of an image of size (width, height)."""
        if self.resize is None or self.side == "long":
            return self.resize
        return round(self.resize * max(image_size) / min(image_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Settings of stage 2, from matches to metrics.

    Attributes:
        estimator: Method of `tiepoint.geometry.estimate`.
        max_error_px: Inlier threshold in px.
        runs: Number of runs of the estimator with different seeds; errors are medians over the runs.
        seed: Seed of the first run, incremented per run.
        frame: Whether thresholds and errors are in px of the original or of the resized images.
    """

    estimator: str = "poselib"
    max_error_px: float = 2.0
    runs: int = 1
    seed: int = 0
    frame: Frame = "original"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Settings of both stages."""

    prediction: Prediction = Prediction()
    scoring: Scoring = Scoring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A named evaluation protocol.

    Attributes:
        name: Name of the protocol, part of every report.
        about: One-line description.
        planar: Settings for pairs with a ground-truth homography.
        posed: Settings for all other pairs.
        indoor: Settings for ScanNet-1500, instead of `posed`.
    """

    name: str
    about: str
    planar: Setup
    posed: Setup
    indoor: Setup

    def family(self, dataset: str, truth: GroundTruth) -> Family:
        """Return the name of the setup for a pair.

        Args:
            dataset: Name of the data set.
            truth: Ground truth of the pair.
        """
        if isinstance(truth, HomographyGroundTruth):
            return "planar"
        return "indoor" if dataset.startswith("scannet1500") else "posed"

    def setup(self, family: Family) -> Setup:
        """Return the setup of a family."""
        return {"planar": self.planar, "posed": self.posed, "indoor": self.indoor}[family]


HPATCHES = Prediction(resize=480, side="short", max_keypoints=1024)
MEGADEPTH = Prediction(resize=1600)
SCANNET = Prediction(resize=None)

OURS = Prediction(upscale=None, adaptive=True)
OURS_PLANAR = Setup(prediction=OURS, scoring=Scoring(max_error_px=3.0, runs=3))
OURS_POSED = Setup(prediction=OURS, scoring=Scoring(max_error_px=2.0, runs=3))


def _glue_factory(estimator: str, planar_px: float, posed_px: float, indoor_px: float) -> dict[str, Setup]:
    def setup(prediction: Prediction, max_error_px: float) -> Setup:
        return Setup(
            prediction=prediction,
            scoring=Scoring(estimator=estimator, max_error_px=max_error_px, frame="resized"),
        )

    return {
        "planar": setup(HPATCHES, planar_px),
        "posed": setup(MEGADEPTH, posed_px),
        "indoor": setup(SCANNET, indoor_px),
    }


PROTOCOLS: dict[str, Protocol] = {
    "tiepoint": Protocol(
        name="tiepoint",
        about="matches as found by `tiepoint match`; PoseLib, thresholds in px of the original images",
        planar=OURS_PLANAR,
        posed=OURS_POSED,
        indoor=OURS_POSED,
    ),
    "glue-factory-opencv": Protocol(
        name="glue-factory-opencv",
        about="glue-factory's released configuration: OpenCV's plain RANSAC",
        **_glue_factory("opencv-ransac", planar_px=0.5, posed_px=0.5, indoor_px=1.0),
    ),
    "glue-factory-poselib": Protocol(
        name="glue-factory-poselib",
        about="what glue-factory's README recommends, with fixed thresholds instead of the best one on the test set",
        **_glue_factory("poselib", planar_px=1.0, posed_px=2.0, indoor_px=2.0),
    ),
}
"""Name -> protocol."""


def find_protocol(name: str) -> Protocol:
    """Return the protocol of a name.

    Raises:
        InvalidInput: If the name is unknown; the message lists the available protocols.
    """
    if name not in PROTOCOLS:
        raise InvalidInput(unknown_name("protocol", name, PROTOCOLS))
    return PROTOCOLS[name]
