"""Prescreen and match pairs of the same and of different scenes; interrupted runs resume.

    python -m benchmarks prescreening                        # half an hour on one thread
    python -m benchmarks prescreening --per-scene 4 --negatives 60

Every row is appended to build/bench/prescreening-PRESET.jsonl: the full match of a pair with its verification, and its
prescreening by each variant. The threshold of a preset is fitted on one half of the scenes and tested on the other half:
the largest that keeps 99.5 % of the pairs that the full match verifies.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

import tiepoint
from benchmarks.paths import DATA
from benchmarks.records import about, add_quick_argument, add_records_argument, write_record
from benchmarks.verification.pairs import LabeledPair, labeled_pairs, spaced
from tiepoint.geometry.pair_verification import verify_pair
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.matching.prescreening import Effort, Prescreener

RECORD = "prescreening.json"
JOURNALS = Path("build/bench")
KEPT = 0.995
MIN_VERIFIED_INLIERS = 30  # COLMAP's minimum for a registration
VARIANTS = {
    "small, 512": Effort(keypoints=512, small=True),
    "2 layers, 512": Effort(keypoints=512, layers=2),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="aliked+lightglue", help="Preset.")
    parser.add_argument("--per-scene", type=int, default=8, help="Maximum number of pairs per scene.")
    parser.add_argument("--negatives", type=int, default=300, help="Number of pairs of different scenes.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure the pairs that the journal does not have yet, and write the record."""
    torch.set_num_threads(1)
    journal = JOURNALS / f"prescreening-{arguments.preset}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    matcher = tiepoint.load(arguments.preset, views=None)
    screens = {
        name: Prescreener(matcher.matcher, effort)
        for name, effort in VARIANTS.items()
        if not effort.small or arguments.preset == "aliked+lightglue"
    }
    extract = lru_cache(maxsize=400)(matcher.extract)
    known = {row["pair"] for row in read_journal(journal)}
    chosen = pairs(arguments)
    with journal.open("a", encoding="utf-8") as lines:
        for labeled in chosen:
            if labeled.pair.name in known:
                continue
            features = extract(labeled.pair.image0), extract(labeled.pair.image1)
            start = perf_counter()
            (result,) = matcher.match_features([features])
            row: dict[str, Any] = {"pair": labeled.pair.name, "same": labeled.same, "half": labeled.half}
            row["seconds"] = perf_counter() - start
            estimate = estimate_two_view(result, max_error_px=TWO_VIEW_MAX_ERROR_PX)
            row |= {"probability": verify_pair(result.correspondences).probability}
            row |= {"inliers": estimate.num_inliers, "success": estimate.success, "screens": {}}
            for name, screen in screens.items():
                start = perf_counter()
                (probability,) = screen.probabilities([features])
                row["screens"][name] = [probability, perf_counter() - start]
            lines.write(json.dumps(row) + "\n")
            lines.flush()
    names = {labeled.pair.name for labeled in chosen}
    rows = [row for row in read_journal(journal) if row["pair"] in names]
    record = {"about": about(runs=1), "preset": arguments.preset, "summary": summary(rows), "pairs": rows}
    write_record(arguments.records, RECORD, record)
    print(json.dumps(record["summary"], indent=1))


def pairs(arguments: argparse.Namespace) -> Sequence[LabeledPair]:
    """Return the pairs: halves, positives and negatives in turn."""
    known = labeled_pairs(DATA, 2 if arguments.quick else arguments.negatives)
    halves = [
        _of_half([labeled for labeled in known if labeled.half == half], arguments)
        for half in ("fit", "test")
    ]
    return list(interleave(*halves))


def _of_half(known: list[LabeledPair], arguments: argparse.Namespace) -> list[LabeledPair]:
    scenes: dict[str, list[LabeledPair]] = {}
    for labeled in known:
        if labeled.same:
            scenes.setdefault(labeled.pair.scene, []).append(labeled)
    count = 1 if arguments.quick else arguments.per_scene
    positives = [pair for group in scenes.values() for pair in spaced_pairs(group, count)]
    return list(interleave(positives, [labeled for labeled in known if not labeled.same]))


def spaced_pairs(group: list[LabeledPair], count: int) -> list[LabeledPair]:
    """Return at most `count` pairs, evenly spaced."""
    chosen = {pair.name for pair in spaced([labeled.pair for labeled in group], count)}
    return [labeled for labeled in group if labeled.pair.name in chosen]


def interleave(first: list[LabeledPair], second: list[LabeledPair]) -> Iterator[LabeledPair]:
    """Yield both lists in turn, so that a part of the run has both."""
    for index in range(max(len(first), len(second))):
        yield from first[index : index + 1]
        yield from second[index : index + 1]


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the rows that were written so far."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def is_verified(row: dict[str, Any]) -> bool:
    """Return whether the full match of a pair of the same scene is verified."""
    return row["same"] and row["success"] and row["inliers"] >= MIN_VERIFIED_INLIERS


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return per variant the threshold fitted on one half, and what it keeps, drops and costs on the other half."""
    names = {name: None for row in rows for name in row["screens"]}
    return {name: {half: _test(rows, name, half) for half in ("fit", "test")} for name in names}


def _test(rows: Sequence[dict[str, Any]], name: str, half: str) -> dict[str, Any]:
    """Fit the threshold on a half, and test it on the other one."""
    fitted = [row["screens"][name][0] for row in rows if row["half"] == half and is_verified(row)]
    other = [row for row in rows if row["half"] != half]
    if not fitted or not other:
        return {}
    threshold = float(np.quantile(fitted, 1 - KEPT, method="lower"))
    kept = [row["screens"][name][0] >= threshold for row in other if is_verified(row)]
    rest = [row["screens"][name][0] < threshold for row in other if not is_verified(row)]
    seconds = [[row["screens"][name][1], row["seconds"]] for row in other]
    return {
        "threshold": threshold,
        "verified": len(kept),
        "kept": float(np.mean(kept)) if kept else None,
        "rest": len(rest),
        "dropped": float(np.mean(rest)) if rest else None,
        "time": float(np.divide(*np.sum(seconds, axis=0))),
    }
