"""Measure how time and memory scale with the number of keypoints, and the effect of batches.

    python -m benchmarks speed scaling                 # twenty minutes on two cores
    python -m benchmarks speed scaling --quick --records build/bench

Time and memory: all layers, on random pairs, each in a new process (single_match.py); memory is the peak above that of
the loaded model. Batches: 16 pairs (8 of 2048 keypoints), the easy and the hard pair in turn, all layers and adaptive.
The record is benchmarks/records/scaling.json; `python -m benchmarks speed render` makes the plots.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence

import torch
from rich.console import Console

import tiepoint
from benchmarks.baselines import IMPLEMENTATIONS, transformers_batch_matcher
from benchmarks.images import Pair, extract_pairs, image_files, top_k
from benchmarks.processes import run_in_new_process
from benchmarks.records import Record, about, write_record
from benchmarks.timing import OURS, Case, add_timing_arguments, as_dicts, num_runs, time_cases

RECORD = "scaling.json"
KEYPOINTS, QUICK_KEYPOINTS = (1024, 2048, 4096, 8192, 16384), (256, 512)

MAX_BASELINE_KEYPOINTS = 4096
"""Maximum number of keypoints of other implementations, whose dense matrices would fill the memory beyond it."""

BATCH_KEYPOINTS, QUICK_BATCH_KEYPOINTS = (512, 2048), (256,)
BATCH_SIZES, QUICK_BATCH_SIZES = (1, 2, 4, 8, 16), (1, 2)

SLOW_KEYPOINTS, SLOW_BATCH_SIZES = 2048, (1, 8)
"""Number of keypoints from which a batch of 16 takes half a minute: 8 pairs, and two batch sizes of transformers."""

MatchBatch = Callable[[Sequence[Pair]], int]
"""Matches a batch of pairs and returns the number of matches."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure scaling and batches, write the record."""
    torch.set_grad_enabled(False)
    runs = num_runs(arguments)
    selected = [] if arguments.only else single_matches(quick=arguments.quick)
    single = [single_match(library, count) for library, count in selected]
    batches = time_cases(batch_cases(quick=arguments.quick), runs=runs, only=arguments.only)
    record = {"about": about(runs), "growth": single, "batches": as_dicts(batches)}
    write_record(arguments.records, RECORD, record)


def single_matches(*, quick: bool) -> Iterator[tuple[str, int]]:
    """Yield library and number of keypoints."""
    for library in IMPLEMENTATIONS:
        for count in QUICK_KEYPOINTS if quick else KEYPOINTS:
            if library == OURS or count <= MAX_BASELINE_KEYPOINTS:
                yield library, count


def single_match(library: str, count: int) -> Record:
    """Measure seconds, and bytes above the loaded model, of one match in a new process."""
    measured = run_in_new_process("speed", "single-match", library, str(count))
    memory = f"{measured['bytes_above_model'] / 2**20:.0f} MiB"
    line = f"{library}, {count} keypoints: {measured['seconds']:.2f} s, {memory}"
    Console(stderr=True).print(line, highlight=False)
    return {"library": library, "keypoints": count, **measured}


def batch_cases(*, quick: bool) -> Iterator[Case]:
    """Yield the same pairs in batches of each size: all layers (with transformers) and adaptive."""
    counts = QUICK_BATCH_KEYPOINTS if quick else BATCH_KEYPOINTS
    sizes = QUICK_BATCH_SIZES if quick else BATCH_SIZES
    with image_files() as files:
        features = list(extract_pairs(files, max(counts)).values())
    all_layers, adaptive = batch_matcher(adaptive=False), batch_matcher(adaptive=True)
    baseline = transformers_batch_matcher(adaptive=False)
    for count in counts:
        is_slow = count >= SLOW_KEYPOINTS
        num_pairs = max(SLOW_BATCH_SIZES) if is_slow else max(sizes)
        pairs = [top_k(features[k % len(features)], count) for k in range(num_pairs)]
        for size in (size for size in sizes if size <= num_pairs):
            has_baseline = not is_slow or size in SLOW_BATCH_SIZES
            baselines = {"transformers": baseline} if has_baseline else {}
            yield batch_case("all layers", {OURS: all_layers, **baselines}, pairs, size)
            yield batch_case("adaptive", {OURS: adaptive}, pairs, size)


def batch_matcher(*, adaptive: bool) -> MatchBatch:
    """Return tiepoint's matcher, which matches all pairs of a batch in one call."""
    matcher = tiepoint.load("aliked+lightglue", adaptive=adaptive)
    return lambda batch: sum(map(len, matcher.match_features(batch)))


def batch_case(mode: str, matchers: dict[str, MatchBatch], pairs: list[Pair], size: int) -> Case:
    """Return all pairs in batches of one size."""
    count = len(pairs[0][0])
    batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    works = {name: lambda match=match: sum(map(match, batches)) for name, match in matchers.items()}
    name = f"{count} keypoints, batches of {size}, {mode}"
    facts = {"keypoints": count, "pairs": len(pairs), "batch": size, "mode": mode}
    return Case("batches", name, works, facts)
