"""PROTOCOLS: everything that a figure depends on beside matcher and data set, under a name, frozen.

A figure without its protocol means nothing: the AUC of one matcher on one data set moves by tens of points with the
robust estimator and its threshold. A row is never changed; other settings are a new row.

Source of the rows "glue-factory-*": cvg/glue-factory, `gluefactory/configs/superpoint+lightglue-official.yaml` (and its
aliked and disk brothers), `gluefactory/eval/{hpatches,megadepth1500,scannet1500}.py`, `gluefactory/robust_estimators/`
and README.md, as of 2024. There, images are resized first, and thresholds and errors are pixels of the resized image.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import GroundTruth, HomographyGroundTruth

DEFAULT_PROTOCOL = "tiepoint"

Side = Literal["long", "short"]
Frame = Literal["original", "resized"]
Family = Literal["planar", "posed", "indoor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What loop 1 depends on: from two images to matches.

    Attributes:
        resize: length in px of one side of what the extractor sees, smaller images are enlarged; None: as it is.
        side: which side that is.
        max_keypoints: an image, the strongest.
        filter_threshold: a match has a score above this.
        adaptive: whether LightGlue may stop early and drop keypoints.
    """

    resize: int | None = 1024
    side: Side = "long"
    max_keypoints: int = 2048
    filter_threshold: float = 0.1
    adaptive: bool = False

    def longer_side(self, image_size: tuple[int, int]) -> int | None:
        """The longer side in px of what the extractor sees of an image of (width, height)."""
        if self.resize is None or self.side == "long":
            return self.resize
        return round(self.resize * max(image_size) / min(image_size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What loop 2 depends on: from matches to figures.

    Attributes:
        estimator: a method of `tiepoint.geometry.estimate`.
        max_error_px: an inlier's largest error.
        runs: of the estimator, with one seed each; an error is the median over them.
        seed: of the first run; it rises by one a run.
        frame: whose pixels thresholds and errors are in.
    """

    estimator: str = "poselib"
    max_error_px: float = 2.0
    runs: int = 1
    seed: int = 0
    frame: Frame = "original"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Both loops."""

    prediction: Prediction = Prediction()
    scoring: Scoring = Scoring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One row.

    Attributes:
        name: goes with every figure.
        about: what it is, in one line.
        planar: for pairs whose truth is a homography.
        posed: for all other pairs.
        indoor: for the data set ScanNet-1500, instead of `posed`.
    """

    name: str
    about: str
    planar: Setup
    posed: Setup
    indoor: Setup

    def family(self, dataset: str, truth: GroundTruth) -> Family:
        """Which of the three setups holds for a pair.

        Args:
            dataset: name of the data set that the pair is of.
            truth: of the pair.
        """
        if isinstance(truth, HomographyGroundTruth):
            return "planar"
        return "indoor" if dataset.startswith("scannet1500") else "posed"

    def setup(self, family: Family) -> Setup:
        """The setup of this name."""
        return {"planar": self.planar, "posed": self.posed, "indoor": self.indoor}[family]


HPATCHES = Prediction(resize=480, side="short", max_keypoints=1024)
MEGADEPTH = Prediction(resize=1600)
SCANNET = Prediction(resize=None)

OURS = Prediction(adaptive=True)
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
        about="matches as `tiepoint match` finds them; PoseLib, thresholds in px of the photographs",
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
    """The row of this name.

    Raises:
        InvalidInput: there is none; the message names the nearest and all.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    close = difflib.get_close_matches(name, PROTOCOLS, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    raise InvalidInput(f"there is no protocol {name!r}{meant} the protocols are {', '.join(PROTOCOLS)}")
