"""RunReport: what a run found, computed and left out; as JSON and as an HTML page."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tiepoint.html.rendering import render_page, write_page
from tiepoint.io.serialization import write_json

JSON = "report.json"
PAGE = "report.html"
TEMPLATE = "run_report.html.jinja"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Counts, durations and problems of a run.

    Attributes:
        out: Output folder.
        image_folder: Folder of the images.
        options: Options of the run.
        files: Number of image files.
        images: Number of images with features.
        keypoints: Total number of keypoints.
        selected: Number of selected pairs.
        pairs: Number of matched pairs, those included that were only prescreened.
        prescreened: Number of pairs that prescreening found to show different scenes; they were not matched in full.
        matches: Total number of matches.
        verified: Number of pairs with a two-view geometry.
        inliers: Total number of inliers of the verified pairs.
        new: Number of records of each kind that this run computed; the others existed before.
        seconds: Duration of each stage of this run in s, and "total".
        work_seconds: Duration in s, summed over all workers, of "read", "extract", "match", "verify", "write".
        problems: One message per image or pair that was left out, and per group of duplicate images.
        notes: Messages for information.
    """

    out: str
    image_folder: str
    options: dict[str, Any]
    files: int
    images: int
    keypoints: int = 0
    selected: int = 0
    pairs: int = 0
    prescreened: int = 0
    matches: int = 0
    verified: int = 0
    inliers: int = 0
    new: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    work_seconds: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"RunReport({self.images:,} of {self.files:,} images, {self.pairs:,} of {self.selected:,} pairs, "
            f"{self.inliers:,} inliers, {len(self.problems)} problems)"
        )

    @property
    def success(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return the summary as names and formatted values."""
        return [
            ("images", f"{self.images:,} of {self.files:,}"),
            ("keypoints", f"{self.keypoints:,}"),
            ("pairs", f"{self.pairs:,} of {self.selected:,}"),
            *([("prescreened pairs", f"{self.prescreened:,}")] if self.prescreened else []),
            ("matches", f"{self.matches:,}"),
            ("verified pairs", f"{self.verified:,}"),
            ("inliers", f"{self.inliers:,}"),
            *((stage, f"{seconds:.1f} s") for stage, seconds in self.seconds.items()),
        ]

    def save(self, folder: Path) -> None:
        """Write `report.json` and `report.html`.

        Args:
            folder: Output folder.

        Raises:
            InvalidInput: If they cannot be written.
        """
        write_json(self.to_dict(), folder / JSON)
        write_page(_render(self), folder / PAGE)


def _render(report: RunReport) -> str:
    """Return a self-contained HTML page."""
    return render_page(
        "tiepoint.collection.report",
        TEMPLATE,
        title=f"{report.image_folder} → {report.out}",
        summary=report.rows(),
        work=[(step, f"{seconds:.1f} s") for step, seconds in report.work_seconds.items()],
        problems=report.problems,
        notes=report.notes,
        options=[(name, json.dumps(value, default=str)) for name, value in report.options.items()],
    )
