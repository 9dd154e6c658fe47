"""Time of each stage of matching two images."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiepoint.bench.images import ImageFile
from tiepoint.bench.machine import Machine, describe_machine
from tiepoint.bench.memory import peak_bytes
from tiepoint.bench.timing import Seconds, seconds_of
from tiepoint.image import read_image
from tiepoint.io.validation import check_integer
from tiepoint.matcher import Matcher

STAGES = ("read", "extract", "match")
"""Stages of a pair, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """Time and memory for one image pair on this machine.

    Attributes:
        machine: Machine of the measurement.
        preset: Name of the extractor and matcher.
        images: Names of the two files.
        keypoints: Number of keypoints of image 0 and image 1.
        matches: Number of matches.
        layers_run: Number of transformer layers that were run; 0 if the matcher has none.
        stages: "read", "extract", "match" -> time per run for both images.
        pair: Time per run for the complete pair.
        peak_memory_bytes: Peak resident memory of this process, including torch and the weights.
    """

    machine: Machine
    preset: str
    images: tuple[str, str]
    keypoints: tuple[int, int]
    matches: int
    layers_run: int
    stages: dict[str, Seconds]
    pair: Seconds
    peak_memory_bytes: int

    @property
    def pairs_per_second(self) -> float:
        """Throughput from image files to matches."""
        return 1 / self.pair.median

    @property
    def matched_pairs_per_second(self) -> float:
        """Throughput from extracted features to matches (extract once, match many)."""
        return 1 / self.stages["match"].median

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        measured = {name: seconds.to_dict() for name, seconds in (*self.stages.items(), ("pair", self.pair))}
        names = ("preset", "images", "keypoints", "matches", "layers_run", "peak_memory_bytes")
        return {
            "machine": asdict(self.machine),
            **{name: getattr(self, name) for name in names},
            "seconds": measured,
            "pairs_per_second": self.pairs_per_second,
            "matched_pairs_per_second": self.matched_pairs_per_second,
        }


def measure_pair(
    matcher: Matcher,
    files: tuple[ImageFile, ImageFile],
    *,
    preset: str,
    runs: int,
    machine: Machine | None = None,
) -> PairReport:
    """Read, extract and match two image files, `runs` times after one warm-up run.

    Args:
        matcher: Matcher to measure.
        files: Paths of the two images.
        preset: Name of the matcher in the report.
        runs: Number of timed runs.
        machine: Machine of the measurement; None describes it, which takes about a second.

    Raises:
        InvalidInput: If `runs` is less than 1, or an image cannot be read.
    """
    check_integer("runs", runs, 1)
    work = _Pair(matcher, files)
    _, *timed = [work.run() for _ in range(1 + runs)]
    return PairReport(
        machine=machine or describe_machine(matcher.extractor.device),
        preset=preset,
        images=(Path(files[0]).name, Path(files[1]).name),
        keypoints=work.keypoints,
        matches=work.matches,
        layers_run=work.layers_run,
        stages={name: Seconds(tuple(run[k] for run in timed)) for k, name in enumerate(STAGES)},
        pair=Seconds(tuple(sum(run) for run in timed)),
        peak_memory_bytes=peak_bytes(),
    )


class _Pair:
    """One image pair, stage by stage; keeps the results of the last run."""

    def __init__(self, matcher: Matcher, files: tuple[ImageFile, ImageFile]) -> None:
        self.matcher = matcher
        self.files = files
        self.keypoints = (0, 0)
        self.matches = self.layers_run = 0

    def run(self) -> tuple[float, ...]:
        """Return the time of each of `STAGES` in seconds."""
        device = self.matcher.extractor.device
        return tuple(seconds_of(stage, device) for stage in (self._read, self._extract, self._match))

    def _read(self) -> None:
        self.images = [
            read_image(file, stretch=self.matcher.extractor.settings.stretch) for file in self.files
        ]

    def _extract(self) -> None:
        features0, features1 = (self.matcher.extract(image) for image in self.images)
        self.features = features0, features1

    def _match(self) -> None:
        (result,) = self.matcher.match_features([self.features])
        self.keypoints = len(result.features0), len(result.features1)
        self.matches, self.layers_run = len(result), result.layers_run
