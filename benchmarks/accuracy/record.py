"""benchmarks/records/accuracy.json: the values of every pair of every method in columns, from which all metrics follow.

    record = {about, protocol, sets: {set: {truth, pairs, scenes, tags}}, methods: {method: {set: {pairs, values}}}}

`values` has one column per value; "inf" is a failure, null a value that does not exist for a pair.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.records import Record
from tiepoint.evaluation.report import PairResult, Report

RECORD = "accuracy.json"

VALUES = (
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
"""Values of a pair that are recorded."""

NUM_DIGITS = 5

Reports = dict[tuple[str, str], Report]
"""(method, data set) -> report."""


def condense(reports: Mapping[tuple[str, str], Report], about: Mapping[str, Any]) -> Record:
    """Return the record of the reports of all methods on all data sets."""
    sets: dict[str, Any] = {}
    methods: dict[str, dict[str, Any]] = {}
    for (method, name), report in reports.items():
        known = sets.setdefault(name, _describe_set(report.rows))
        indices = [known["pairs"].index(row.pair) for row in report.rows]
        methods.setdefault(method, {})[name] = {"pairs": indices, "values": _columns(report.rows)}
    protocol = dict(next(iter(reports.values())).protocol)
    return {"about": dict(about), "protocol": protocol, "sets": sets, "methods": methods}


def merge(known: Record | None, new: Record) -> Record:
    """Return a new record with the methods that only the known record has, if protocol and pairs are equal.

    The known record's description is kept; for new methods it says when and how they were measured.
    """
    if known is None or known["sets"] != new["sets"] or not same_protocol(known["protocol"], new["protocol"]):
        return new
    if known["methods"].keys() <= new["methods"].keys():
        return new
    changed = {
        name: results for name, results in new["methods"].items() if results != known["methods"].get(name)
    }
    origin = {key: new["about"][key] for key in ("command", "date", "machine", "versions")}
    later = known["about"].get("later", {}) | dict.fromkeys(changed, origin)
    return known | {"about": known["about"] | {"later": later}, "methods": known["methods"] | changed}


def same_protocol(protocol0: Mapping[str, Any], protocol1: Mapping[str, Any]) -> bool:
    """Return whether two protocols are equal, apart from their descriptions."""
    return {**protocol0, "about": ""} == {**protocol1, "about": ""}


def expand(record: Record) -> Reports:
    """Return reports with the recorded values."""
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


def pool(reports: Iterable[Report], truth: str) -> Report | None:
    """Return all pairs with one kind of ground truth as one report; None without pairs."""
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


def _describe_set(rows: Sequence[PairResult]) -> dict[str, Any]:
    return {
        "truth": rows[0].truth,
        "pairs": [row.pair for row in rows],
        "scenes": [row.scene for row in rows],
        "tags": [dict(row.tags) for row in rows],
    }


def _columns(rows: Sequence[PairResult]) -> dict[str, list[Any]]:
    names = [name for name in VALUES if any(name in row.values for row in rows)]
    return {name: [_cell(row.values.get(name)) for row in rows] for name in names}


def _cell(value: float | None) -> float | str | None:
    if value is None or math.isinf(value):
        return None if value is None else "inf"
    return float(f"{value:.{NUM_DIGITS}g}")


def _rows(known: Mapping[str, Any], columns: Mapping[str, Any]) -> list[PairResult]:
    return [
        PairResult(
            pair=known["pairs"][index],
            scene=known["scenes"][index],
            truth=known["truth"],
            tags=known["tags"][index],
            values={
                name: float(column[row])
                for name, column in columns["values"].items()
                if column[row] is not None
            },
        )
        for row, index in enumerate(columns["pairs"])
    ]
