"""benchmarks/records/accuracy.json: every pair of every method, in columns, so that all figures follow from it.

    record = {about, protocol, sets: {set: {truth, pairs, scenes, tags}}, methods: {method: {set: {pairs, values}}}}

`values` holds one column a number; there, "inf" is a failure and null is what a pair doesn't tell.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tiepoint.evaluation.report import PairResult, Report

NAME = "accuracy.json"
KEPT = (
    "corner_error_px",
    "precision_3px",
    "recall_3px",
    "pose_error_deg",
    "epipolar_precision",
    "marked_maa",
    "disparity_within_1px",
    "num_matches",
    "seconds_extract",
    "seconds_match",
    "seconds_estimate",
)
"""Values of a row that the page needs."""

DIGITS = 5

Record = dict[str, Any]
Reports = dict[tuple[str, str], Report]
"""(method, set) -> report."""


def condense(reports: Mapping[tuple[str, str], Report], about: Mapping[str, Any]) -> Record:
    """Reports of all methods on all sets -> the record."""
    sets: dict[str, Any] = {}
    methods: dict[str, dict[str, Any]] = {}
    for (method, name), report in reports.items():
        known = sets.setdefault(name, _set_of(report.rows))
        indices = [known["pairs"].index(row.pair) for row in report.rows]
        methods.setdefault(method, {})[name] = {"pairs": indices, "values": _columns(report.rows)}
    protocol = dict(next(iter(reports.values())).protocol)
    return {"about": dict(about), "protocol": protocol, "sets": sets, "methods": methods}


def joined(known: Record | None, new: Record) -> Record:
    """A new record together with the methods that only a known one has, if both are of the same protocol and pairs.

    What the known one says of itself stays; of the new methods it says when and how they were measured.
    """
    if known is None or any(known[key] != new[key] for key in ("protocol", "sets")):
        return new
    if known["methods"].keys() <= new["methods"].keys():
        return new
    fresh = {name: found for name, found in new["methods"].items() if found != known["methods"].get(name)}
    how = {key: new["about"][key] for key in ("command", "date", "machine", "versions")}
    later = known["about"].get("later", {}) | dict.fromkeys(fresh, how)
    return known | {"about": known["about"] | {"later": later}, "methods": known["methods"] | fresh}


def expand(record: Record) -> Reports:
    """The record -> reports with the values that were kept."""
    return {
        (method, name): Report(
            predictor=method,
            dataset=name,
            protocol=record["protocol"],
            versions=record["about"]["versions"],
            rows=_rows(record["sets"][name], columns),
        )
        for method, by_set in record["methods"].items()
        for name, columns in by_set.items()
    }


def read_record(folder: Path) -> Record | None:
    """The record, where there is one."""
    path = folder / NAME
    return json.loads(path.read_text()) if path.exists() else None


def write_record(folder: Path, record: Record) -> None:
    """One line a column, so that a change can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = json.dumps(record, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
    (folder / NAME).write_text(lines + "\n")


def pooled(reports: Iterable[Report], truth: str) -> Report | None:
    """All pairs of one kind of truth as one report; None where there are none."""
    chosen = list(reports)
    rows = [
        PairResult(
            pair=f"{report.dataset}/{row.pair}",
            scene=row.scene,
            truth=truth,
            tags=row.tags,
            values=row.values,
        )
        for report in chosen
        for row in report.rows
        if row.truth == truth
    ]
    if not rows:
        return None
    return Report(
        predictor=chosen[0].predictor, dataset=f"all: {truth}", protocol=chosen[0].protocol, rows=rows
    )


def _set_of(rows: Sequence[PairResult]) -> dict[str, Any]:
    return {
        "truth": rows[0].truth,
        "pairs": [row.pair for row in rows],
        "scenes": [row.scene for row in rows],
        "tags": [dict(row.tags) for row in rows],
    }


def _columns(rows: Sequence[PairResult]) -> dict[str, list[Any]]:
    names = [name for name in KEPT if any(name in row.values for row in rows)]
    return {name: [_cell(row.values.get(name)) for row in rows] for name in names}


def _cell(value: float | None) -> float | str | None:
    if value is None or math.isinf(value):
        return None if value is None else "inf"
    return float(f"{value:.{DIGITS}g}")


def _rows(known: Mapping[str, Any], columns: Mapping[str, Any]) -> list[PairResult]:
    return [
        PairResult(
            pair=known["pairs"][index],
            scene=known["scenes"][index],
            truth=known["truth"],
            tags=known["tags"][index],
            values={
                name: float(column[place])
                for name, column in columns["values"].items()
                if column[place] is not None
            },
        )
        for place, index in enumerate(columns["pairs"])
    ]
