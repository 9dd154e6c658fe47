"""Measure the precision of matches against their score, and fit the calibration of `min_precision`.

    python -m benchmarks precision            # a quarter of an hour on one thread
    python -m benchmarks precision --resume   # keep the presets that the record has: after an interruption
    python -m benchmarks precision --quick    # few pairs of the fastest preset: a smoke test

One half of the scenes is fitted, the other half tested (pairs.py). The printed rows belong into `CALIBRATIONS` of
src/tiepoint/matching/precision.py; a test compares them with the record. `python -m benchmarks precision render` updates
docs/explanation/scores.md.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.images import top_k
from benchmarks.paths import DATA
from benchmarks.precision.calibrated import DEFAULT
from benchmarks.precision.curves import SceneCounts, count_above, fit
from benchmarks.precision.pairs import MAX_ERROR_PX, Scene, errors_px, pairs_of_two_scenes, read_scenes
from benchmarks.records import (
    Record,
    add_quick_argument,
    add_records_argument,
    command_line,
    read_record,
    today,
    write_column_record,
)
from tiepoint.api import load
from tiepoint.bench import describe_machine
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.evaluation.resized_coordinates import MatchedPair
from tiepoint.io.progress import progress_bar, track
from tiepoint.io.versions import installed_versions
from tiepoint.matching.precision import SCORES
from tiepoint.presets import PRESETS
from tiepoint.result import MatchResult
from tiepoint.types import Features

RECORD = "precision.json"

SETTINGS = (DEFAULT, (1024, 512))
"""Settings of all presets, as longer image side in px and number of keypoints: the default, and few keypoints."""

SMALL = (640, 1024)
"""Setting of the extractors of `SMALL_EXTRACTORS`, besides: the defaults of `tiepoint track`."""

SMALL_EXTRACTORS = ("xfeat",)

NUM_NEGATIVES = 20
"""Pairs of two scenes."""

QUICK_PRESETS = ("xfeat+nearest",)
EXTRACTORS = ("xfeat", "aliked-t16", "aliked-n16", "aliked-n16rot", "disk", "aliked-n32")
"""Extractors whose weights come with a package, the fastest first."""

AllFeatures = dict[Path, Features]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with pairs.jsonl.")
    parser.add_argument("--resume", action="store_true", help="Keep the presets that the record has.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Match, fit, write the record after each preset, print the rows."""
    scenes = read_scenes(arguments.data)
    presets = QUICK_PRESETS if arguments.quick else list(presets_by_extractor())
    if arguments.quick:
        scenes = [Scene(name=scene.name, half=scene.half, pairs=scene.pairs[:1]) for scene in scenes]
    known = read_record(arguments.records, RECORD) if arguments.resume else None
    groups = known["groups"] if known else []
    finished = {group["preset"] for group in groups}
    for measured in measure([preset for preset in presets if preset not in finished], scenes):
        groups += measured
        write_column_record(arguments.records, RECORD, make_record(scenes, groups))
    print(json.dumps(fit_rows(scenes, groups)))


def presets_by_extractor() -> Iterator[str]:
    """Yield the presets whose weights come with a package; those of one extractor follow each other."""
    for extractor in EXTRACTORS:
        yield from (name for name, row in PRESETS.items() if row.extractor == extractor)


def fit_rows(scenes: Sequence[Scene], groups: Sequence[Record]) -> dict[str, list[float]]:
    """Return the calibration of each preset, fitted on one half of the scenes with the default setting."""
    fitted = [number for number, scene in enumerate(scenes) if scene.half == "fit"]
    return {
        group["preset"]: fit(SceneCounts.read(group, fitted))
        for group in groups
        if (group["resize"], group["keypoints"]) == DEFAULT
    }


def measure(presets: Sequence[str], scenes: Sequence[Scene]) -> Iterator[list[Record]]:
    """Yield the counts of each preset, one record per setting; images are extracted once per extractor and size."""
    negatives = pairs_of_two_scenes(scenes, NUM_NEGATIVES)
    pairs = [pair for scene in scenes for pair in scene.pairs] + negatives
    extracted: dict[tuple[str, int], AllFeatures] = {}
    for preset in presets:
        extractor, groups = PRESETS[preset].extractor, []
        for resize, keypoints in (*SETTINGS, SMALL) if extractor in SMALL_EXTRACTORS else SETTINGS:
            key = extractor, resize
            if key not in extracted:
                extracted = {kept: value for kept, value in extracted.items() if kept[0] == key[0]}
                extracted[key] = extract(preset, pairs, resize)
            results = match(preset, pairs, extracted[key], keypoints)
            groups.append(count(preset, resize, keypoints, scenes, results))
        yield groups


def extract(preset: str, pairs: Sequence[EvaluationPair], resize: int) -> AllFeatures:
    """Extract each image once, with the largest number of keypoints of any setting."""
    matcher = load(preset, resize=resize)
    images = list(dict.fromkeys(image for pair in pairs for image in (pair.image0, pair.image1)))
    return {image: matcher.extract(image) for image in track(images, f"{preset}: {resize} px", progress_bar)}


def match(
    preset: str, pairs: Sequence[EvaluationPair], features: AllFeatures, keypoints: int
) -> dict[str, MatchResult]:
    """Match the highest-scoring keypoints of each pair."""
    matcher = load(preset)
    chosen = [top_k((features[pair.image0], features[pair.image1]), keypoints) for pair in pairs]
    results = [
        matcher.match_features([pair])[0] for pair in track(chosen, f"{keypoints} keypoints", progress_bar)
    ]
    return {pair.name: result for pair, result in zip(pairs, results, strict=True)}


def count(
    preset: str, resize: int, keypoints: int, scenes: Sequence[Scene], results: dict[str, MatchResult]
) -> Record:
    """Return the counts per scene, and those of the pairs of two scenes."""
    known, correct = zip(*(count_scene(scene, results) for scene in scenes), strict=True)
    shared = {pair.name for scene in scenes for pair in scene.pairs}
    others = [count_above(result.scores) for name, result in results.items() if name not in shared]
    return {
        "preset": preset,
        "resize": resize,
        "keypoints": keypoints,
        "matches": [counts.tolist() for counts in known],
        "correct": [counts.tolist() for counts in correct],
        "two_scenes": np.sum(others, axis=0).tolist(),
    }


def count_scene(scene: Scene, results: dict[str, MatchResult]) -> tuple[np.ndarray, np.ndarray]:
    """Return the matches with known ground truth above each threshold, and the correct ones of them."""
    scores, errors = [], []
    for pair in scene.pairs:
        result = results[pair.name]
        scores.append(np.asarray(result.scores, np.float64))
        errors.append(errors_px(pair, to_matched(result)))
    all_scores, all_errors = np.concatenate(scores), np.concatenate(errors)
    is_known = ~np.isnan(all_errors)
    return count_above(all_scores[is_known]), count_above(all_scores[all_errors < MAX_ERROR_PX])


def to_matched(result: MatchResult) -> MatchedPair:
    """Return the predictions of a pair as the evaluation takes them."""
    keypoints0, keypoints1 = (
        features.keypoints.numpy().astype(np.float64) for features in (result.features0, result.features1)
    )
    return MatchedPair(
        keypoints0=keypoints0,
        keypoints1=keypoints1,
        matches=np.asarray(result.matches),
        scores=np.asarray(result.scores),
        image_size0=result.features0.image_size,
        image_size1=result.features1.image_size,
    )


def make_record(scenes: Sequence[Scene], groups: Sequence[Record]) -> Record:
    """Return everything that the page is made of; the fit can be repeated from it."""
    return {
        "about": {
            "command": command_line(),
            "date": today(),
            "machine": asdict(describe_machine()),
            "versions": installed_versions(),
        },
        "max_error_px": MAX_ERROR_PX,
        "scores": list(SCORES),
        "num_negatives": NUM_NEGATIVES,
        "scenes": {
            "name": [scene.name for scene in scenes],
            "half": [scene.half for scene in scenes],
            "truth": [scene.truth for scene in scenes],
            "pairs": [len(scene.pairs) for scene in scenes],
        },
        "rows": fit_rows(scenes, groups),
        "groups": list(groups),
    }
