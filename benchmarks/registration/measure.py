"""Register the pairs of ../shared/data that have a ground-truth homography, as `tiepoint register` does.

    python -m benchmarks registration           # 72 pairs: ten minutes on two cores
    python -m benchmarks registration --quick   # a smoke test

The error of a pair is the root mean square distance between the true and the estimated position in image 1, over a grid
of points of image 0 that image 1 shows. `python -m benchmarks registration render` updates docs/how-to/register-images.md.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

import tiepoint
from benchmarks.paths import DATA
from benchmarks.records import about, add_quick_argument, add_records_argument, write_column_record
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import EvaluationPair, HomographyGroundTruth
from tiepoint.geometry.multiview import warp_points
from tiepoint.geometry.verification import make_verifier
from tiepoint.image.rasters import Raster, read_raster
from tiepoint.io.stages import Stages
from tiepoint.matcher import Matcher
from tiepoint.registration.alignment import AlignSettings, View, align
from tiepoint.registration.checks import reason_not_aligned

RECORD = "registration.json"
PRESETS = ("aliked+lightglue", "xfeat+lighterglue")
MODELS = ("auto", "homography")
GRID = 32  # points per side of image 0

Columns = dict[str, list[Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Register all pairs by all presets and models, and write the record."""
    pairs = [
        pair
        for pair in read_dataset("pairs-jsonl", str(arguments.data)).pairs
        if isinstance(pair.truth, HomographyGroundTruth)
    ]
    pairs = pairs[::20] if arguments.quick else pairs
    record = {"about": about(1), "pairs": [pair.name for pair in pairs], "presets": {}}
    for preset in PRESETS:
        matcher = tiepoint.load(preset, views="rotation", stretch="auto")
        columns: dict[str, Columns] = {model: {"error_px": [], "model": [], "reason": []} for model in MODELS}
        for pair in track(pairs, preset):
            for model, row in register_pair(matcher, pair).items():
                for name, value in row.items():
                    columns[model][name].append(value)
        record["presets"][preset] = columns
    write_column_record(arguments.records, RECORD, record)


def register_pair(matcher: Matcher, pair: EvaluationPair) -> dict[str, dict[str, Any]]:
    """Return error, model and the reason why nothing would be written, for each choice of the model."""
    assert isinstance(pair.truth, HomographyGroundTruth)
    views = [View.of(rotated(read_raster(path), turns), None) for path, turns in files_of(pair)]
    sizes = views[0].raster.image_size, views[1].raster.image_size
    alignment = align(matcher, views[0], views[1], AlignSettings(), Stages())
    homography = make_verifier("homography", max_error_px=alignment.estimate.max_error_px)
    estimates = {"auto": alignment.estimate, "homography": homography(alignment.matches)}
    rows = {}
    for model, estimate in estimates.items():
        reason = reason_not_aligned(estimate, alignment.result.verify(), sizes[0])
        matrix = None if reason else estimate.matrix
        error = None if matrix is None else overlap_error_px(matrix, pair.truth.homography, *sizes)
        rows[model] = {"error_px": error, "model": estimate.kind, "reason": reason}
    return rows


def files_of(pair: EvaluationPair) -> list[tuple[Path, int]]:
    """Return path and number of rotations by 90° (CCW) of both images."""
    return [(pair.image0, pair.num_rotations0), (pair.image1, pair.num_rotations1)]


def rotated(raster: Raster, turns: int) -> Raster:
    """Rotate the pixels by multiples of 90 degrees (CCW)."""
    return Raster(pixels=np.rot90(raster.pixels, turns), source=raster.source, has_alpha=raster.has_alpha)


def overlap_error_px(
    estimated: np.ndarray, true: np.ndarray, size0: tuple[int, int], size1: tuple[int, int]
) -> float | None:
    """Return the root mean square error in px of image 1, over the points of image 0 that it shows; None if none is.

    Args:
        estimated: Estimated homography from px of image 0 to px of image 1.
        true: True homography.
        size0: Size (width, height) of image 0 in px.
        size1: Size (width, height) of image 1 in px.
    """
    axes = [np.linspace(0, length - 1, GRID) for length in size0]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    expected = warp_points(points, true)
    shown = ((expected >= 0) & (expected <= np.array(size1) - 1)).all(axis=1)
    if not shown.any():
        return None
    distances = np.linalg.norm(warp_points(points[shown], estimated) - expected[shown], axis=1)
    return round(float(np.sqrt(np.mean(distances**2))), 3)
