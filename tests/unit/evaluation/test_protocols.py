"""Protocols are fixed: other values require a new name."""

from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest

from tiepoint.cli import evaluate as command
from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import DisparityGroundTruth, HomographyGroundTruth, PointsGroundTruth
from tiepoint.evaluation.protocols import DEFAULT_PROTOCOL, PROTOCOLS, Prediction, find_protocol
from tiepoint.geometry.solver import ESTIMATORS

FROZEN = {
    ("tiepoint", "planar"): (1024, None, "long", 2048, 0.1, True, "poselib", 3.0, 3, 0, "original"),
    ("tiepoint", "posed"): (1024, None, "long", 2048, 0.1, True, "poselib", 2.0, 3, 0, "original"),
    ("tiepoint", "indoor"): (1024, None, "long", 2048, 0.1, True, "poselib", 2.0, 3, 0, "original"),
    ("glue-factory-opencv", "planar"): (
        480,
        True,
        "short",
        1024,
        0.1,
        False,
        "opencv-ransac",
        0.5,
        1,
        0,
        "resized",
    ),
    ("glue-factory-opencv", "posed"): (
        1600,
        True,
        "long",
        2048,
        0.1,
        False,
        "opencv-ransac",
        0.5,
        1,
        0,
        "resized",
    ),
    ("glue-factory-opencv", "indoor"): (
        None,
        True,
        "long",
        2048,
        0.1,
        False,
        "opencv-ransac",
        1.0,
        1,
        0,
        "resized",
    ),
    ("glue-factory-poselib", "planar"): (
        480,
        True,
        "short",
        1024,
        0.1,
        False,
        "poselib",
        1.0,
        1,
        0,
        "resized",
    ),
    ("glue-factory-poselib", "posed"): (
        1600,
        True,
        "long",
        2048,
        0.1,
        False,
        "poselib",
        2.0,
        1,
        0,
        "resized",
    ),
    ("glue-factory-poselib", "indoor"): (
        None,
        True,
        "long",
        2048,
        0.1,
        False,
        "poselib",
        2.0,
        1,
        0,
        "resized",
    ),
}
HOMOGRAPHY = HomographyGroundTruth(homography=np.eye(3))
POINTS = PointsGroundTruth(points0=np.zeros((1, 2)), points1=np.zeros((1, 2)))


@pytest.mark.parametrize(("name", "family"), FROZEN)
def test_values_are_unchanged(name: str, family: str):
    setup = PROTOCOLS[name].setup(family)
    assert (*asdict(setup.prediction).values(), *asdict(setup.scoring).values()) == FROZEN[name, family]


def test_every_protocol_is_fixed_here():
    assert {name for name, _ in FROZEN} == set(PROTOCOLS)
    assert all(protocol.name == name for name, protocol in PROTOCOLS.items())
    with pytest.raises(FrozenInstanceError):
        PROTOCOLS["tiepoint"].name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_estimators_exist(name: str):
    protocol = PROTOCOLS[name]
    kinds = {"planar": ["homography"], "posed": ["pose", "fundamental"], "indoor": ["pose"]}
    for family, wanted in kinds.items():
        assert all((kind, protocol.setup(family).scoring.estimator) in ESTIMATORS for kind in wanted)


def test_the_setup_of_a_pair():
    protocol = PROTOCOLS["glue-factory-opencv"]
    disparity = DisparityGroundTruth(path=command.Path("d.png"), scale=1.0)
    assert protocol.family("hpatches", HOMOGRAPHY) == "planar"
    assert protocol.family("scannet1500", HOMOGRAPHY) == "planar"
    assert protocol.family("megadepth1500", POINTS) == "posed"
    assert protocol.family("megadepth1500", disparity) == "posed"
    assert protocol.family("scannet1500", POINTS) == "indoor"


@pytest.mark.parametrize(
    ("prediction", "size", "longer"),
    [
        (Prediction(resize=480, side="short"), (800, 600), 640),
        (Prediction(resize=480, side="short"), (600, 1000), 800),
        (Prediction(resize=480, side="short"), (100, 100), 480),
        (Prediction(resize=1600), (800, 600), 1600),
        (Prediction(resize=None), (800, 600), None),
        (Prediction(resize=None, side="short"), (800, 600), None),
    ],
    ids=["landscape", "portrait", "square", "long", "as it is", "as it is, short"],
)
def test_the_resized_side(prediction: Prediction, size: tuple[int, int], longer: int | None):
    assert prediction.longer_side(size) == longer


def test_an_unknown_name_lists_the_available_ones():
    with pytest.raises(InvalidInput, match=r"tiepoint, glue-factory.*did you mean 'glue-factory-opencv'"):
        find_protocol("gluefactory-opencv")
    assert find_protocol("tiepoint") is PROTOCOLS["tiepoint"]


def test_the_command_line_has_the_same_default():
    import inspect

    assert inspect.signature(command.run).parameters["protocol"].default == DEFAULT_PROTOCOL
