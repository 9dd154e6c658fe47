"""Report: results of an evaluation per pair and the metrics over all pairs, as one JSON file."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.bootstrap import Interval, MetricValues, Statistic, bootstrap_interval, mean
from tiepoint.geometry.metrics import auc
from tiepoint.io.serialization import write_json
from tiepoint.io.versions import installed_versions

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairResult:
    """Results of one pair.

    Attributes:
        pair: Name of the pair.
        scene: Name of the scene.
        truth: Type of ground truth: "homography", "pose", "points" or "disparity".
        tags: Attributes by which metrics may be grouped.
        values: Results by name; inf is a failure, undefined results are omitted.
        matches: Location of the matches: folder of the store, and the keys of both images in it ("store", "image0",
            "image1"); empty if they are not.
    """

    pair: str
    scene: str
    truth: str
    tags: Mapping[str, str | float] = field(default_factory=dict)
    values: Mapping[str, float]
    matches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric over many pairs.

    Attributes:
        key: Name in JSON.
        label: Display name.
        truth: Type of ground truth of the pairs it applies to; None: all.
        value: Name of the result per pair.
        statistic: Reduction over the pairs.
        unit: Unit; "" for ratios.
    """

    key: str
    label: str
    truth: str | None
    value: str
    statistic: Statistic = mean
    unit: str = ""

    def values(self, rows: Sequence[PairResult]) -> dict[str, float]:
        """Return the results by name of the pair, for the pairs that have one."""
        return {
            row.pair: row.values[self.value]
            for row in rows
            if self.truth in (None, row.truth) and self.value in row.values
        }


def auc_at(errors: np.ndarray, threshold: float) -> MetricValues:
    """Return the AUC at one threshold, over the last axis."""
    return auc(errors, [threshold])[..., 0]


def median(values: np.ndarray) -> MetricValues:
    """Return the median over the last axis."""
    return np.median(values, axis=-1)


def _auc(name: str, label: str, truth: str, value: str, thresholds: Sequence[int], unit: str) -> list[Metric]:
    return [
        Metric(
            key=f"{name}_{limit}{unit}",
            label=f"{label} AUC@{limit}{unit}",
            truth=truth,
            value=value,
            statistic=partial(auc_at, threshold=limit),
        )
        for limit in thresholds
    ]


def _share(key: str, label: str, truth: str) -> Metric:
    return Metric(key=key, label=label, truth=truth, value=key)


def _median(key: str, label: str, unit: str) -> Metric:
    return Metric(key=key, label=f"median {label}", truth=None, value=key, statistic=median, unit=unit)


METRICS: tuple[Metric, ...] = (
    *_auc("corner_auc", "corner error", "homography", "corner_error_px", (1, 3, 5, 10), "px"),
    *_auc("corner_dlt_auc", "corner error (DLT)", "homography", "corner_error_dlt_px", (1, 3, 5), "px"),
    *(_share(f"precision_{px}px", f"matches within {px}px", "homography") for px in (1, 3, 5)),
    _share("recall_3px", "recall at 3px", "homography"),
    *_auc("pose_auc", "pose error", "pose", "pose_error_deg", (5, 10, 20), "deg"),
    _share("epipolar_precision", "epipolar precision (5e-4)", "pose"),
    _share("marked_maa", "marked points within 1 to 20px (mAA)", "points"),
    *(_share(f"marked_within_{px}px", f"marked points within {px}px", "points") for px in (1, 3, 5, 10, 20)),
    *(_share(f"disparity_within_{px}px", f"matches within {px}px", "disparity") for px in (1, 3)),
    _median("num_matches", "matches", ""),
    _median("seconds_extract", "seconds, extract both images", "s"),
    _median("seconds_match", "seconds, match", "s"),
    _median("seconds_estimate", "seconds, estimate", "s"),
)
# All metrics; those without any pair are omitted from a report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Results of an evaluation.

    Attributes:
        predictor: Name of the method under evaluation.
        dataset: Name of the data set.
        protocol: Name and settings of the protocol; only reports with the same protocol are comparable.
        versions: Versions of the packages involved.
        rows: Results per pair.
        problems: Messages about pairs that could not be read or scored.
    """

    predictor: str
    dataset: str
    protocol: Mapping[str, Any]
    rows: Sequence[PairResult]
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    problems: Sequence[str] = ()

    def metrics(self, *, samples: int = 2000) -> dict[str, Interval]:
        """Return key -> value and 95 % bootstrap interval of each metric.

        Args:
            samples: Number of bootstrap samples.
        """
        return {
            metric.key: bootstrap_interval(
                np.array(list(values.values())), statistic=metric.statistic, samples=samples
            )
            for metric in METRICS
            if (values := metric.values(self.rows))
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; a failure (inf) is null."""
        metrics = {key: asdict(interval) for key, interval in self.metrics().items()}
        return {
            "format": FORMAT,
            "predictor": self.predictor,
            "dataset": self.dataset,
            "protocol": dict(self.protocol),
            "versions": dict(self.versions),
            "figures": metrics,
            "problems": list(self.problems),
            "rows": [asdict(row) | {"values": _without_infinity(row.values)} for row in self.rows],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON, atomically.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        write_json(self.to_dict(), path)


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a report written by `Report.save`; metrics are recomputed from the rows.

    Raises:
        InvalidInput: If the file cannot be read, or is not a report.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = [PairResult(**row | {"values": _with_infinity(row["values"])}) for row in contents["rows"]]
        names = ("predictor", "dataset", "protocol", "versions", "problems")
        return Report(rows=rows, **{name: contents[name] for name in names})
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path} is not a report of `tiepoint eval --json`; run it again") from error


def _without_infinity(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _with_infinity(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.inf if value is None else value for name, value in values.items()}
