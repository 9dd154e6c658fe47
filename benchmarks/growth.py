"""How time and memory grow with the number of keypoints, and what batches bring.

    .venv/bin/python benchmarks/growth.py                 # twenty minutes on two cores
    .venv/bin/python benchmarks/growth.py --quick --records build/bench

Time and memory: all layers, on random pairs, each in a fresh process (benchmarks/one_match.py); memory is the peak
above what the process held once its model was loaded. Batches: 16 pairs (8 of 2048 keypoints), easy and hard photographs
in turn, all layers and adaptive. The record is benchmarks/records/growth.json, of which benchmarks/plots.py makes the pictures.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

import tiepoint
from contestants import LIGHTGLUES, transformers_batch
from photographs import Pair, features_of, photographs, strongest
from timing import Case, as_dicts, parse, parser, time_cases, write_record

RECORD = "growth.json"
ONE_MATCH = Path(__file__).with_name("one_match.py")
KEYPOINTS = (1024, 2048, 4096, 8192, 16384)
PEERS_UP_TO = 4096
BATCH_KEYPOINTS = (512, 2048)
BATCHES = (1, 2, 4, 8, 16)
SLOW_KEYPOINTS, SLOW_BATCHES = 2048, (1, 8)
"""From here on a batch of 16 takes half a minute: there are 8 pairs, and transformers shows two sizes of batch."""

MatchAll = Callable[[Sequence[Pair]], int]
"""Matches all pairs, and gives the number of matches."""


def main() -> None:
    """Measure both, write the record."""
    arguments = parse(parser(__doc__, RECORD))
    torch.set_grad_enabled(False)
    grown = [one_match(*work) for work in works(quick=arguments.quick)] if not arguments.only else []
    batches = time_cases(batch_cases(quick=arguments.quick), arguments)
    write_record(RECORD, arguments, growth=grown, batches=as_dicts(batches))


def works(*, quick: bool) -> Iterator[tuple[str, int]]:
    """Library and number of keypoints; only we go to the end, where the peers' matrices would fill the memory."""
    for library in LIGHTGLUES:
        for count in (256, 512) if quick else KEYPOINTS:
            if library == "tiepoint" or count <= PEERS_UP_TO:
                yield library, count


def one_match(library: str, count: int) -> dict[str, Any]:
    """Seconds, and bytes above the loaded model, of one match in a fresh process."""
    command = [sys.executable, str(ONE_MATCH), library, str(count)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured = json.loads(printed.splitlines()[-1])
    text = f"{library}, {count} keypoints: {measured['seconds']:.2f} s, {measured['bytes_above_model'] / 2**20:.0f} MiB"
    Console(stderr=True).print(text, highlight=False)
    return {"library": library, "keypoints": count, **measured}


def batch_cases(*, quick: bool) -> Iterator[Case]:
    """The same pairs, cut into batches of every size: all layers beside transformers, and adaptive."""
    counts, sizes = ((256,), (1, 2)) if quick else (BATCH_KEYPOINTS, BATCHES)
    with photographs() as files:
        found = list(features_of(files, max(counts)).values())
    every, adaptive = ours_batch(adaptive=False), ours_batch(adaptive=True)
    theirs = transformers_batch(adaptive=False)
    for count in counts:
        most = max(SLOW_BATCHES) if count >= SLOW_KEYPOINTS else max(sizes)
        pairs = [strongest(found[k % len(found)], count) for k in range(most)]
        for size in (size for size in sizes if size <= most):
            slow = count >= SLOW_KEYPOINTS and size not in SLOW_BATCHES
            peers = {} if slow else {"transformers": theirs}
            yield batch_case("all layers", {"tiepoint": every, **peers}, pairs, size)
            yield batch_case("adaptive", {"tiepoint": adaptive}, pairs, size)


def ours_batch(*, adaptive: bool) -> MatchAll:
    """All pairs in one call."""
    matcher = tiepoint.load("aliked+lightglue", adaptive=adaptive)
    return lambda batch: sum(map(len, matcher.match_features(batch)))


def batch_case(mode: str, matchers: dict[str, MatchAll], pairs: list[Pair], size: int) -> Case:
    """All pairs, in batches of this size."""
    count = len(pairs[0][0])
    batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    works = {name: lambda match=match: sum(map(match, batches)) for name, match in matchers.items()}
    name = f"{count} keypoints, batches of {size}, {mode}"
    facts = {"keypoints": count, "pairs": len(pairs), "batch": size, "mode": mode}
    return Case("batches", name, works, facts)


if __name__ == "__main__":
    main()
