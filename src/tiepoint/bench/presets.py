"""`bench_presets`: all presets on one image pair, for one table."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Unpack

from tiepoint.api import load
from tiepoint.bench.images import ImageFile, image_files
from tiepoint.bench.machine import Machine, describe_machine
from tiepoint.bench.stages import PairReport, measure_pair
from tiepoint.bench.timing import torch_threads
from tiepoint.errors import WeightsError
from tiepoint.image import read_image
from tiepoint.io.atomic import check_writable
from tiepoint.io.progress import Progress, to_callback, track
from tiepoint.io.serialization import write_json
from tiepoint.io.validation import check_integer
from tiepoint.presets import PRESETS
from tiepoint.types.options import LoadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetsReport:
    """Time of all presets for one image pair on this machine.

    Attributes:
        machine: Machine of the measurement.
        pairs: One report per preset, from the fastest to the slowest.
        skipped: Preset -> reason why it was not measured, such as weights that could not be downloaded.
    """

    machine: Machine
    pairs: tuple[PairReport, ...]
    skipped: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "machine": asdict(self.machine),
            "presets": [pair.to_dict() for pair in self.pairs],
            "skipped": dict(self.skipped),
        }


def bench_presets(
    image0: ImageFile | None = None,
    image1: ImageFile | None = None,
    *,
    runs: int = 5,
    threads: int | None = None,
    json: str | os.PathLike[str] | None = None,
    show_progress: Progress = False,
    **options: Unpack[LoadOptions],
) -> PresetsReport:
    """Measure the time of all presets for two images; presets whose weights are not available are skipped.

    Args:
        image0: Path of image 0; None for both images uses the stereo pair of the demo.
        image1: Path of image 1.
        runs: Number of timed runs per preset after warm-up.
        threads: Number of torch CPU threads during the benchmark; None keeps the current number.
        json: Path of the report; validated before starting, written atomically.
        show_progress: Show the progress over the presets, or a callback.
        **options: Options of `tiepoint.load`; a preset that does not support one is measured without it.

    Raises:
        InvalidInput: If only one image is given, an image cannot be read, an option is invalid, or the report cannot
            be written.
        MissingDependency: If no image is given and scikit-image is not installed.
    """
    check_integer("runs", runs, 1)
    if json is not None:
        check_writable(json)
    pairs: list[PairReport] = []
    skipped: dict[str, str] = {}
    with torch_threads(threads), image_files(image0, image1) as files:
        for file in files:
            read_image(file, stretch=options.get("stretch"))  # fails fast, before weights are loaded
        for name in track(list(PRESETS), "presets", to_callback(show_progress)):
            try:
                matcher = load(name, **_supported(name, options))
            except WeightsError as error:
                skipped[name] = str(error).splitlines()[0]
            else:
                machine = pairs[0].machine if pairs else None
                pairs.append(measure_pair(matcher, files, preset=name, runs=runs, machine=machine))
        machine = pairs[0].machine if pairs else describe_machine()
    pairs.sort(key=lambda pair: pair.pair.median)
    report = PresetsReport(machine=machine, pairs=tuple(pairs), skipped=skipped)
    if json is not None:
        write_json(report.to_dict(), json)
    return report


def _supported(preset: str, options: LoadOptions) -> LoadOptions:
    """Leave out the options that a preset does not support."""
    supported = dict(options)
    for name in PRESETS[preset].unsupported_options:
        supported.pop(name, None)
    return LoadOptions(**supported)  # type: ignore[typeddict-item]
