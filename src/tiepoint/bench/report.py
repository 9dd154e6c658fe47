"""`bench`: the library function of the command `tiepoint bench`."""

import os
from dataclasses import dataclass
from typing import Any, Unpack

from tiepoint.api import load
from tiepoint.bench.images import ImageFile, image_files
from tiepoint.bench.latency import LatencyReport, tune_latency
from tiepoint.bench.stages import PairReport, measure_pair
from tiepoint.bench.timing import torch_threads
from tiepoint.bench.tuning import Tuning, prunes, tune_pruning, tune_threads
from tiepoint.image import Image, read_image
from tiepoint.io.atomic import check_writable
from tiepoint.io.serialization import write_json
from tiepoint.io.validation import check_integer
from tiepoint.matcher import Matcher
from tiepoint.presets import DEFAULT_PRESET, full_name
from tiepoint.types.options import LoadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """Results of the benchmark.

    Attributes:
        pair: Timings of the stages of one image pair.
        tunings: Timings of the values of each tuned option; empty without tuning.
        latency: Cost model for latency budgets; None without tuning.
    """

    pair: PairReport
    tunings: tuple[Tuning, ...] = ()
    latency: LatencyReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            **self.pair.to_dict(),
            "tuning": [tuning.to_dict() for tuning in self.tunings],
            "latency": None if self.latency is None else self.latency.to_dict(),
        }


def bench(
    image0: ImageFile | None = None,
    image1: ImageFile | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    runs: int = 5,
    threads: int | None = None,
    tune: bool = False,
    json: str | os.PathLike[str] | None = None,
    **options: Unpack[LoadOptions],
) -> BenchReport:
    """Measure the time of reading, extracting and matching two images on this machine.

    Args:
        image0: Path of image 0; None for both images uses the stereo pair of the demo.
        image1: Path of image 1.
        preset: Name of a preset, see `tiepoint presets`.
        runs: Number of timed runs after warm-up.
        threads: Number of torch CPU threads during the benchmark; None keeps the current number.
        tune: Also measure other values of `pruning_min_keypoints` and `threads`, and recommend the fastest; and
            measure the cost model of latency budgets for the given settings and number of threads again, and keep it.
        json: Path of the report; validated before starting, written atomically.
        **options: Options of `tiepoint.load`.

    Raises:
        InvalidInput: If only one image is given, an image cannot be read, an option is invalid, or the report cannot
            be written.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If no image is given and scikit-image is not installed.
    """
    check_integer("runs", runs, 1)
    if json is not None:
        check_writable(json)
    with torch_threads(threads), image_files(image0, image1) as files:
        stretch = options.get("stretch")
        images = [
            read_image(file, stretch=stretch) for file in files
        ]  # fails fast, before weights are loaded
        matcher = load(preset, **options)
        pair = measure_pair(matcher, files, preset=str(full_name(preset)), runs=runs)
        tunings = _tunings(matcher, (images[0], images[1]), runs) if tune else ()
        latency = tune_latency(matcher, images[0].image_size, runs=runs) if tune else None
    report = BenchReport(pair=pair, tunings=tunings, latency=latency)
    if json is not None:
        write_json(report.to_dict(), json)
    return report


def _tunings(matcher: Matcher, images: tuple[Image, Image], runs: int) -> tuple[Tuning, ...]:
    pruning = (tune_pruning(matcher, images, runs=runs),) if prunes(matcher) else ()
    return (*pruning, tune_threads(matcher, images, runs=runs))
