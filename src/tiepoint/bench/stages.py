"""Seconds of each stage of matching two photographs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiepoint.bench.machine import Machine, describe_machine
from tiepoint.bench.memory import peak_bytes
from tiepoint.bench.photographs import ImageFile
from tiepoint.bench.timing import Seconds, check_runs, seconds_of
from tiepoint.image import read_image
from tiepoint.matcher import Matcher

STAGES = ("read", "extract", "match")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReport:
    """What one pair of photographs costs on this machine.

    Attributes:
        machine: where.
        preset: extractor and matcher.
        images: names of the two files.
        keypoints: found in image 0 and in image 1.
        matches: found between them.
        layers_run: of the matching network; 0 where the matcher has none.
        stages: "read", "extract", "match" -> seconds of both images in each run.
        pair: seconds of the whole pair in each run.
        peak_memory_bytes: the most that this process held, with torch and the weights.
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
        """From two files to matches, pair after pair."""
        return 1 / self.pair.median

    @property
    def matched_pairs_per_second(self) -> float:
        """Where the features are there already: extract once, match many."""
        return 1 / self.stages["match"].median

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        measured = {name: seconds.to_dict() for name, seconds in (*self.stages.items(), ("pair", self.pair))}
        plain = ("preset", "images", "keypoints", "matches", "layers_run", "peak_memory_bytes")
        return {
            "machine": asdict(self.machine),
            **{name: getattr(self, name) for name in plain},
            "seconds": measured,
            "pairs_per_second": self.pairs_per_second,
            "matched_pairs_per_second": self.matched_pairs_per_second,
        }


def measure_pair(
    matcher: Matcher, files: tuple[ImageFile, ImageFile], *, preset: str, runs: int
) -> PairReport:
    """Read, extract and match two files, `runs` times after once that warms up.

    Args:
        matcher: loaded.
        files: two photographs.
        preset: the matcher's name in the report.
        runs: against the clock.

    Raises:
        InvalidInput: fewer than one run, or an image that can't be read.
    """
    check_runs(runs)
    work = _Pair(matcher, files)
    _, *timed = [work.run() for _ in range(1 + runs)]
    return PairReport(
        machine=describe_machine(matcher.extractor.device),
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
    """One pair, stage by stage; what the last run found is kept."""

    def __init__(self, matcher: Matcher, files: tuple[ImageFile, ImageFile]) -> None:
        self.matcher = matcher
        self.files = files
        self.keypoints = (0, 0)
        self.matches = self.layers_run = 0

    def run(self) -> tuple[float, ...]:
        """Seconds of each of `STAGES`."""
        device = self.matcher.extractor.device
        return tuple(seconds_of(stage, device) for stage in (self._read, self._extract, self._match))

    def _read(self) -> None:
        self.images = [read_image(file) for file in self.files]

    def _extract(self) -> None:
        features0, features1 = (self.matcher.extract(image) for image in self.images)
        self.features = features0, features1

    def _match(self) -> None:
        (result,) = self.matcher.match_features([self.features])
        self.keypoints = len(result.features0), len(result.features1)
        self.matches, self.layers_run = len(result), result.layers_run
