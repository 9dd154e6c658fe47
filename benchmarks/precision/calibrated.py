"""Calibrated thresholds, tested on the scenes of benchmarks/records/precision.json that were not fitted."""

from dataclasses import dataclass

import numpy as np

from benchmarks.precision.curves import SceneCounts, interval, precision, retained
from benchmarks.records import Record

DEFAULT = (1024, 2048)
"""Longer image side in px and number of keypoints at which the calibration is fitted: the defaults of `tiepoint.load`."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Counts of one preset with one setting.

    Attributes:
        preset: Preset that matched the pairs.
        setting: Longer image side in px, and number of keypoints per image.
        fitted: Counts of the fitted scenes.
        held_out: Counts of the other scenes.
        two_scenes: Matches per pair of two scenes, above each threshold.
    """

    preset: str
    setting: tuple[int, int]
    fitted: SceneCounts
    held_out: SceneCounts
    two_scenes: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Held-out precision above one threshold.

    Attributes:
        precision: Fraction of correct matches of the held-out scenes.
        low: Lower bound of its interval over scenes.
        high: Upper bound.
        retained: Fraction of the correct matches that are left.
        two_scenes: Matches per pair of two scenes.
    """

    precision: float
    low: float
    high: float
    retained: float
    two_scenes: float


def read_measured(record: Record) -> list[Measured]:
    """Return the groups of the record, with scenes split into the two halves."""
    halves = record["scenes"]["half"]
    fitted, held_out = (
        [number for number, half in enumerate(halves) if half == name] for name in ("fit", "test")
    )
    return [
        Measured(
            preset=group["preset"],
            setting=(group["resize"], group["keypoints"]),
            fitted=SceneCounts.read(group, fitted),
            held_out=SceneCounts.read(group, held_out),
            two_scenes=np.array(group["two_scenes"]) / record["num_negatives"],
        )
        for group in record["groups"]
    ]


def evaluate(measured: Measured, threshold: int) -> Tested:
    """Return the held-out precision above a threshold, given as index into `SCORES`."""
    low, high = interval(measured.held_out)[:, threshold]
    return Tested(
        precision=float(precision(measured.held_out)[threshold]),
        low=float(low),
        high=float(high),
        retained=float(retained(measured.held_out)[threshold]),
        two_scenes=float(measured.two_scenes[threshold]),
    )
