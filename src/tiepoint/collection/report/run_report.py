"""RunReport: what a run found, did and left out; as JSON, and as a page."""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write

JSON = "report.json"
PAGE = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run found, did and left out.

    Attributes:
        out: the output folder.
        photos: the folder of photographs.
        options: of the run.
        photographs: number of files that look like photographs.
        images: of them, those that have features.
        keypoints: of all images together.
        chosen: number of pairs that were chosen.
        pairs: of them, those that are matched.
        matches: of all pairs together.
        verified: pairs with a geometry that matches agree on.
        inliers: of all verified pairs together.
        new: kind of record -> how many this run made; the others were there.
        seconds: duration of each stage of this run, and "total"; for what workers did together, see `work_seconds`.
        work_seconds: seconds of all workers together: "read", "extract", "match", "verify", "write".
        problems: what was left out and why, and photographs of the same content, a line each.
        notes: what is worth knowing, a line each.
    """

    out: str
    photos: str
    options: dict[str, Any]
    photographs: int
    images: int
    keypoints: int = 0
    chosen: int = 0
    pairs: int = 0
    matches: int = 0
    verified: int = 0
    inliers: int = 0
    new: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    work_seconds: dict[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def success(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """In plain lists and numbers."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """What a person wants to know, as names and values."""
        return [
            ("photographs", f"{self.images:,} of {self.photographs:,}"),
            ("keypoints", f"{self.keypoints:,}"),
            ("pairs", f"{self.pairs:,} of {self.chosen:,}"),
            ("matches", f"{self.matches:,}"),
            ("verified pairs", f"{self.verified:,}"),
            ("inliers", f"{self.inliers:,}"),
            *((f"{stage}", f"{seconds:.1f} s") for stage, seconds in self.seconds.items()),
        ]

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove what `save` wrote: it is of another run. Raises InvalidInput where it can't be removed."""
        for name in (JSON, PAGE):
            try:
                (folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise InvalidInput(
                    f"can't remove {folder / name}, which is of an earlier run: {error.strerror or error}; remove it"
                ) from error

    def save(self, folder: Path) -> None:
        """Write `report.json` and `report.html`. Raises InvalidInput where they can't be written."""
        with atomic_write(folder / JSON) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1, default=str) + "\n", encoding="utf-8")
        with atomic_write(folder / PAGE) as temporary:
            temporary.write_text(_page(self), encoding="utf-8", errors="backslashreplace")


def _page(report: RunReport) -> str:
    """A page that needs nothing else."""
    return PAGE_TEXT.format(
        title=html.escape(f"{report.photos} → {report.out}"),
        numbers=_table(report.rows()),
        work=_table([(stage, f"{seconds:.1f} s") for stage, seconds in report.work_seconds.items()]),
        problems=_list(report.problems, "Nothing was left out."),
        notes=_list(report.notes, "None."),
        options=_table([(name, json.dumps(value, default=str)) for name, value in report.options.items()]),
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _list(lines: Sequence[str], otherwise: str) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else f"<p>{otherwise}</p>"


PAGE_TEXT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tiepoint: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
th {{ text-align: left; font-weight: normal; padding-right: 2rem; vertical-align: top; }}
td {{ font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
{numbers}
<h2>Left out</h2>
{problems}
<h2>Worth knowing</h2>
{notes}
<h2>Seconds of all workers together</h2>
{work}
<h2>Options</h2>
{options}
</body>
</html>
"""
