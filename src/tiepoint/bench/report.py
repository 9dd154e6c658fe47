"""`bench`: everything behind the command `tiepoint bench`, in one call."""

import json as json_format
import os
from dataclasses import dataclass
from typing import Any

from tiepoint.api import load
from tiepoint.bench.photographs import ImageFile, photograph_files
from tiepoint.bench.stages import PairReport, measure_pair
from tiepoint.bench.timing import check_runs, torch_threads
from tiepoint.bench.tuning import Tuning, prunes, tune_pruning, tune_threads
from tiepoint.image import Image, read_image
from tiepoint.io.atomic import atomic_write, check_writable
from tiepoint.matcher import Matcher
from tiepoint.presets import DEFAULT_PRESET


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """What was measured.

    Attributes:
        pair: seconds of each stage.
        tunings: of each option that was tried; empty where nobody asked.
    """

    pair: PairReport
    tunings: tuple[Tuning, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {**self.pair.to_dict(), "tuning": [tuning.to_dict() for tuning in self.tunings]}


def bench(
    image0: ImageFile | None = None,
    image1: ImageFile | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    runs: int = 5,
    threads: int | None = None,
    tune: bool = False,
    json: str | os.PathLike[str] | None = None,
    **options: Any,
) -> BenchReport:
    """Measure reading, extracting and matching of two photographs on this machine.

    Args:
        image0: file; None for both: the demonstration's stereo pair.
        image1: likewise.
        preset: see `tiepoint presets`.
        runs: against the clock, after one that warms up.
        threads: of torch, only while this runs; None: torch's own number.
        tune: also try values of `pruning_min_keypoints` and `threads`, and recommend; nothing is changed.
        json: where to write the report; it appears whole or not at all.
        **options: as for `tiepoint.load`.

    Raises:
        InvalidInput: one image of two, an image that can't be read, an option that can't be, or a file that
            can't be written; that is found out before the work.
        WeightsError: weights can't be found, fetched or loaded.
        MissingDependency: no image is given, and scikit-image isn't installed.
    """
    check_runs(runs)
    if json is not None:
        check_writable(json)
    with torch_threads(threads), photograph_files(image0, image1) as files:
        images = [read_image(file) for file in files]  # a missing file is found before the weights are loaded
        matcher = load(preset, **options)
        pair = measure_pair(matcher, files, preset=preset, runs=runs)
        tunings = _tunings(matcher, (images[0], images[1]), runs) if tune else ()
    report = BenchReport(pair=pair, tunings=tunings)
    if json is not None:
        with atomic_write(json) as temporary:
            temporary.write_text(json_format.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    return report


def _tunings(matcher: Matcher, images: tuple[Image, Image], runs: int) -> tuple[Tuning, ...]:
    pruning = (tune_pruning(matcher, images, runs=runs),) if prunes(matcher) else ()
    return (*pruning, tune_threads(matcher, images, runs=runs))
